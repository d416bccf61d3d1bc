//! What step times say about speed and acceleration, with the rounding of a tick derived rather than guessed.

use lsr_firmware::Ticks;

/// Speed and acceleration that must not be exceeded, in steps and ticks, as exact fractions: a step takes at least `interval` ticks, and the speed
/// changes by at most one step a tick in `ramp_ticks * interval` ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Numerator and denominator.
    pub(crate) interval: (i128, i128),
    /// From rest to one step each `interval`.
    pub(crate) ramp_ticks: (i128, i128),
    /// Times are the exact curve's, moved by less than this much towards each other, in ticks.
    pub(crate) shorter: i128,
    /// And apart.
    pub(crate) longer: i128,
    /// The steps are off the curve by up to so many halves of a step.
    pub(crate) half_steps: i128,
}

impl Bounds {
    /// That `times` (of consecutive steps in one direction) belong to a motion within the bounds, sampled with windows of `k` steps.
    ///
    /// Speed: `k` steps of the curve take at least `k * interval`; if each step may be half a step off, `k - 1` are certain. So
    /// `t[i + k] - t[i] > (k - half_steps) * interval - shorter`.
    ///
    /// Acceleration: of a curve with `|s''| <= a` the mean speeds over two neighbouring windows of `d1` and `d2` ticks differ by at most
    /// `a (d1 + d2) / 2` (the acceleration weighted with a hat of that area). The curve's own windows are within `(d - longer, d + shorter)` of
    /// those seen, and have `k` steps, give or take `half_steps`. So if the curve exists, then
    /// `(k - h) / (d2 + shorter) - (k + h) / (d1 - longer) <= a (d1 + d2 + 2 shorter) / 2`, and the same backwards.
    pub(crate) fn check(&self, times: &[Ticks], k: usize) -> Result<(), String> {
        let steps = k as i128;
        let window = |i: usize| i128::from(times[i + k] - times[i]);
        let (interval, per) = self.interval;
        for i in 0..times.len().saturating_sub(k) {
            if (window(i) + self.shorter) * per <= (steps - self.half_steps) * interval && steps > self.half_steps {
                return Err(format!("speed: {k} steps from {i} in {} ticks, expected {interval}/{per} each", window(i)));
            }
        }
        for i in 0..times.len().saturating_sub(2 * k) {
            let (before, after) = (window(i), window(i + k));
            self.check_change(steps, before, after).map_err(|error| format!("{error}: speeding up at {i}, windows of {k}"))?;
            self.check_change(steps, after, before).map_err(|error| format!("{error}: slowing down at {i}, windows of {k}"))?;
        }
        Ok(())
    }

    fn check_change(&self, k: i128, slow: i128, fast: i128) -> Result<(), String> {
        let h = self.half_steps;
        let (fastest, slowest) = (slow - self.longer, fast + self.shorter);
        if fastest <= 0 || k <= h {
            return Ok(()); // The window may have had any speed.
        }
        // a = 1 / (interval ramp), as fractions: (k - h) / slowest - (k + h) / fastest <= (slow + fast + 2 shorter) / (2 interval ramp).
        // In f64 the difference of the two sides is right to 1e-12 of its terms; a violation that small would be no violation of a tick.
        let to_f64 = |(a, b): (i128, i128)| a as f64 / b as f64;
        let change = (k - h) as f64 / slowest as f64 - (k + h) as f64 / fastest as f64;
        let allowed = (slow + fast + 2 * self.shorter) as f64 / (2.0 * to_f64(self.interval) * to_f64(self.ramp_ticks));
        if change > allowed * (1.0 + 1e-9) { Err(format!("acceleration: {change} where {allowed} is allowed")) } else { Ok(()) }
    }
}
