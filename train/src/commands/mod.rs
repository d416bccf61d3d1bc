//! What each command of `lsr-train` does, in the order in which they are used.

mod evaluate;
mod export;
mod fit;
mod label;
mod prior;
mod synth;

pub(crate) use evaluate::evaluate;
pub(crate) use export::export;
pub(crate) use fit::fit;
pub(crate) use label::label;
pub(crate) use prior::prior;
pub(crate) use synth::synth;
