//! Who hears how far the work is.

/// Two ears: how much of an input is done, and what is about to be done.
#[derive(Clone, Copy)]
pub struct Listener<'a> {
    /// Hears the fraction done, in [0, 1].
    pub progress: &'a (dyn Fn(f64) + Sync),
    /// Hears a line of text.
    pub tell: &'a (dyn Fn(&str) + Sync),
}

impl Listener<'_> {
    /// Nobody.
    pub const NONE: Self = Self { progress: &|_| (), tell: &|_| () };
}
