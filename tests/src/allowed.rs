//! A number against its golden value.

/// The error in units of what is allowed; 0 where there is none.
///
/// # Errors
/// Beyond 1, and for NaN: the numbers.
pub fn share_of_allowed(found: f64, expected: f64, allowed: f64) -> Result<f64, String> {
    let error = (found - expected).abs();
    if error == 0.0 {
        return Ok(0.0);
    }
    // Not `error > allowed`: NaN must fail too.
    if error <= allowed {
        Ok(error / allowed)
    } else {
        Err(format!("{found:e} instead of {expected:e}, off by {error:e}, allowed {allowed:e}"))
    }
}
