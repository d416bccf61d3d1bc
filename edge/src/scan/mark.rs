//! Darkness as the mark between frames: which were before, which come after.

use super::error::ScanError;
use super::scanner::Scanner;
use crate::field::MAX_PIXELS;
use crate::stage::wire::LightLevel;
use image::RgbImage;
use std::time::{Duration, Instant};

/// Mean level up to which the first frame without light is dark: a quarter of full.
const FIRST_DARK: f64 = 64.0;
/// How much brighter than the first dark frame a frame is still dark: a camera's noise, and what a room's light changes.
const MARGIN: f64 = 12.0;
/// Pulses that may be in vain.
const PULSES: u32 = 3;
/// Longest time until a pulse is over.
const PULSE: Duration = Duration::from_secs(90);

impl Scanner<'_> {
    /// Mean level up to which a frame is dark.
    pub(super) fn dark_limit(&self) -> f64 {
        self.dark.map_or(FIRST_DARK, |dark| dark + MARGIN)
    }

    /// A pulse without light, at rest, and its dark frame: every earlier pulse has had its frames then. A bright frame before it makes the field
    /// that is held back doubtful; without one it is handed on.
    pub(super) fn mark(&mut self) -> Result<(), ScanError> {
        self.controller.light(LightLevel { permille: 0, ..self.light }, 0)?;
        let mut bright = None;
        for pulse in 1..=PULSES {
            let (operation, _) = self.controller.trigger(self.settings.plan.trigger)?;
            self.counts.marks += 1;
            self.finish("the pulse without light", operation, PULSE)?;
            let until = Instant::now() + self.settings.frame_timeout;
            while let Some(frame) = self.next_frame(until)? {
                let name = frame.name;
                match frame.picture.field(self.pixel_size, MAX_PIXELS).map(|picture| brightness(&picture.image)) {
                    Ok(level) if level <= self.dark_limit() => {
                        self.dark.get_or_insert(level);
                        if pulse > 1 {
                            self.rest()?;
                        }
                        return self.hand_on();
                    }
                    other => {
                        bright = other.ok();
                        self.counts.stray_frames += 1;
                        self.take_back(&format!("the frame {name} was one too many"));
                    }
                }
            }
        }
        Err(ScanError::NoDarkFrame { pulses: PULSES, seconds: self.settings.frame_timeout.as_secs_f64(), bright })
    }

    /// Waits until no frame comes for a time-out: several pulses without light have as many dark frames, if late ones.
    fn rest(&mut self) -> Result<(), ScanError> {
        for _ in 0..PULSES {
            if self.next_frame(Instant::now() + self.settings.frame_timeout)?.is_none() {
                break;
            }
            self.counts.stray_frames += 1;
        }
        Ok(())
    }
}

/// Mean of all levels of all channels, 0 to 255.
pub(super) fn brightness(image: &RgbImage) -> f64 {
    let sum: u64 = image.as_raw().iter().map(|&level| u64::from(level)).sum();
    sum as f64 / image.as_raw().len().max(1) as f64
}
