//! Turns a panic inside somebody else's code into an error.
//!
//! tract and the image decoders assert on some malformed files instead of returning errors (tract indexes a map with an output name of
//! the file, for one). A hostile or damaged file must cost one line in the list of failures, not the run. Our own code does not panic,
//! so only calls into these libraries stand inside a guard. Aborts (stack overflow, memory refused by the system) cannot be caught.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic becomes `Err` with its message and prints nothing.
///
/// What `work` touched is dropped by the callers after a panic, so broken invariants cannot be seen (hence `AssertUnwindSafe`).
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // The hook is process-wide: ours passes on every panic outside a guard.
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                previous(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    result.map_err(|payload| format!("internal failure ({})", message(&*payload)))
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guarded(|| 3), Ok(3));
        let caught = guarded(|| -> () { panic!("axis {} is odd", 5) });
        assert_eq!(caught, Err("internal failure (axis 5 is odd)".to_owned()));
    }
}
