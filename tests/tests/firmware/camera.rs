//! A camera and its program: a picture for each rising edge of the trigger, as a file that is there whole or not at all.

use crate::slide::{FIELD, Slide};
use image::{ImageFormat, RgbImage};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

/// A rising edge of the trigger.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pulse {
    /// Where the carriages truly are, um.
    pub(crate) x_um: f64,
    pub(crate) y_um: f64,
    /// Whether the light's output is on.
    pub(crate) lit: bool,
}

/// What a camera does with a pulse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whim {
    /// It does not see it.
    Misses,
    /// Its file comes so late; those of later pulses come after it.
    Late(Duration),
    /// It writes two files at once.
    Doubles,
    /// It writes a second file after so long.
    Again(Duration),
    /// Its file is damaged in the middle.
    Damages,
}

/// What the camera does out of the ordinary, by the number of the pulse in the light, from 1 on; and what it has seen.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// It keeps each picture until the next pulse, as a buffer that is never emptied does.
    pub(crate) lags: bool,
    pub(crate) whims: BTreeMap<usize, Whim>,
    pub(crate) lit: usize,
    pub(crate) dark: usize,
}

/// Takes pictures until the trigger is gone. Without light a picture is nearly black.
pub(crate) fn run(pulses: &Receiver<Pulse>, folder: &Path, slide: &Slide, script: &Arc<Mutex<Script>>) {
    let mut number = 0;
    let mut kept = None;
    for pulse in pulses {
        let (whim, lags) = {
            let mut script = script.lock().unwrap();
            *if pulse.lit { &mut script.lit } else { &mut script.dark } += 1;
            (if pulse.lit { script.whims.get(&script.lit).copied() } else { None }, script.lags)
        };
        let Some(pulse) = (if lags { kept.replace(pulse) } else { Some(pulse) }) else { continue };
        number += 1;
        // Exposure, read-out and writing: 10 to 30 ms.
        sleep(Duration::from_millis(10 + (number * 7) % 21));
        let picture =
            if pulse.lit { slide.view(pulse.x_um, pulse.y_um) } else { RgbImage::from_pixel(FIELD, FIELD, image::Rgb([3, 2, 4])) };
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        let mut bytes = bytes.into_inner();
        let put = |name: String, bytes: &[u8]| {
            let hidden = folder.join(format!(".{name}"));
            std::fs::write(&hidden, bytes).unwrap();
            std::fs::rename(hidden, folder.join(name)).unwrap();
        };
        match whim {
            Some(Whim::Misses) => continue,
            Some(Whim::Late(late)) => sleep(late),
            Some(Whim::Damages) => {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x55;
            }
            Some(Whim::Doubles | Whim::Again(_)) | None => {}
        }
        put(format!("frame-{number:05}.png"), &bytes);
        match whim {
            Some(Whim::Doubles) => put(format!("frame-{number:05}-again.png"), &bytes),
            Some(Whim::Again(after)) => {
                sleep(after);
                put(format!("frame-{number:05}-again.png"), &bytes);
            }
            _ => {}
        }
    }
}
