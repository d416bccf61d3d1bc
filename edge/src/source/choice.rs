//! `--source`, as it is written.

use super::slide::Look;
use super::{Files, FrameFolder, RawPixels, Source, VirtualMicroscope};
use crate::error::Error;
use crate::slide::TissueChoice;
use std::convert::Infallible;
use std::fmt;
use std::io::stdin;
use std::path::PathBuf;
use std::str::FromStr;

/// Where fields come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceChoice {
    /// `watch:FOLDER`: a camera's program writes files into it.
    Watch(PathBuf),
    /// `rgb:WIDTHxHEIGHT`: raw pixels on standard input.
    Raw([u32; 2]),
    /// `slide:FILE`: a virtual microscope.
    Slide(PathBuf),
    /// `camera:PIPELINE`: what GStreamer shows.
    Camera(String),
    /// A file, or a folder of files.
    Files(PathBuf),
}

/// What else there is to say of a source.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// Frames a second of files (which are then shown over and over) and of slides.
    pub rate: Option<f64>,
    /// Side of a slide's fields in pixels.
    pub side_px: u32,
    /// Pixel size of a slide's fields.
    pub field_um_per_px: f64,
    /// Pixel size of the slide, whatever it states.
    pub um_per_px: Option<f64>,
    /// Pixel size of the slide, where it states none.
    pub um_per_px_if_missing: Option<f64>,
    /// What is looked at of slides.
    pub tissue: TissueChoice,
}

impl FromStr for SourceChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let size = |text: &str| text.split_once('x').and_then(|(width, height)| Some([width.parse().ok()?, height.parse().ok()?]));
        Ok(match text.split_once(':') {
            Some(("watch", folder)) => Self::Watch(folder.into()),
            Some(("slide", file)) => Self::Slide(file.into()),
            Some(("camera", pipeline)) => Self::Camera(pipeline.to_owned()),
            Some(("rgb", rest)) => size(rest).map_or_else(|| Self::Files(text.into()), Self::Raw),
            _ => Self::Files(text.into()),
        })
    }
}

impl fmt::Display for SourceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Watch(folder) => write!(f, "watch:{}", folder.display()),
            Self::Raw([width, height]) => write!(f, "rgb:{width}x{height}"),
            Self::Slide(file) => write!(f, "slide:{}", file.display()),
            Self::Camera(pipeline) => write!(f, "camera:{pipeline}"),
            Self::Files(path) => write!(f, "{}", path.display()),
        }
    }
}

impl SourceChoice {
    /// Opens it.
    ///
    /// # Errors
    /// What its kind says; [`Error::Source`] for `--rate` with a source that has its own pace.
    pub fn open(&self, options: &SourceOptions) -> Result<Box<dyn Source>, Error> {
        if let (Self::Watch(_) | Self::Raw(_) | Self::Camera(_), Some(rate)) = (self, options.rate) {
            let reason = format!("it has its own pace, so --rate {rate} has no meaning for it");
            return Err(Error::Source { source_name: self.to_string(), reason });
        }
        Ok(match self {
            Self::Watch(folder) => Box::new(FrameFolder::watch(folder)?),
            Self::Raw(size) => Box::new(RawPixels::read(stdin(), "stdin", *size)?),
            Self::Slide(file) => Box::new(VirtualMicroscope::open(
                file,
                &Look {
                    um_per_px: options.field_um_per_px,
                    side_px: options.side_px,
                    slide_um_per_px: options.um_per_px,
                    slide_um_per_px_if_missing: options.um_per_px_if_missing,
                    tissue: options.tissue.clone(),
                    rate: options.rate,
                },
            )?),
            #[cfg(feature = "camera")]
            Self::Camera(pipeline) => Box::new(super::Camera::open(pipeline)?),
            #[cfg(not(feature = "camera"))]
            Self::Camera(_) => {
                let reason = "lsr-edge without the feature 'camera' has no GStreamer (cargo build --features camera)".to_owned();
                return Err(Error::Source { source_name: self.to_string(), reason });
            }
            Self::Files(path) => {
                let paths = [path.clone()];
                Box::new(match options.rate {
                    Some(rate) => Files::replay(&paths, rate)?,
                    None => Files::once(&paths)?,
                })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_written_as_it_is_read() {
        for (text, expected) in [
            ("watch:a/b", SourceChoice::Watch("a/b".into())),
            ("rgb:640x480", SourceChoice::Raw([640, 480])),
            ("slide:a:b.svs", SourceChoice::Slide("a:b.svs".into())),
            ("camera:v4l2src ! a", SourceChoice::Camera("v4l2src ! a".to_owned())),
            ("c:/a.png", SourceChoice::Files("c:/a.png".into())),
            ("rgb:12", SourceChoice::Files("rgb:12".into())),
        ] {
            let Ok(read) = SourceChoice::from_str(text);
            assert_eq!((&read, read.to_string().as_str()), (&expected, text));
        }
    }
}
