//! What each command of `lsr-train` does, in the order in which they are used.

mod bench;
mod classify;
mod doctor;
mod evaluate;
mod export;
mod fit;
mod label;
mod prior;
mod quantize;
mod recipe;
mod rejection;
mod report;
mod reproduce;
mod rescale;
mod synth;

pub(crate) use bench::bench;
pub(crate) use classify::{classify, labels_counted};
pub(crate) use doctor::doctor;
pub(crate) use evaluate::evaluate;
pub(crate) use export::export;
pub(crate) use fit::fit;
pub(crate) use label::label;
pub(crate) use prior::prior;
pub(crate) use quantize::quantize;
pub(crate) use recipe::recipe;
pub(crate) use rejection::rejection;
pub(crate) use report::report;
pub(crate) use reproduce::reproduce;
pub(crate) use rescale::rescale;
pub(crate) use synth::synth;
