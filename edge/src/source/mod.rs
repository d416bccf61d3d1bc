//! Where fields come from: files, a folder that a camera's program writes to, raw pixels on standard input, a slide as a virtual microscope, a camera.
//!
//! ```text
//! Source ─ next ─► Frame ─► Mailbox (live: the newest; in batch: every one) ─► live
//!                       └─► scan (every one, each held against its pulse)
//! ```

#[cfg(feature = "camera")]
mod camera;
mod choice;
mod files;
mod folder;
mod frame;
mod mailbox;
mod pace;
mod raw;
mod slide;

#[cfg(feature = "camera")]
pub use camera::Camera;
pub use choice::{SourceChoice, SourceOptions};
pub use files::Files;
pub use folder::FrameFolder;
pub use frame::{Frame, Picture, Position};
pub use mailbox::{Mailbox, Policy, Taken};
pub(crate) use pace::Pace;
pub use raw::RawPixels;
pub use slide::VirtualMicroscope;

use crate::error::Error;
use std::time::Duration;

/// What comes next of a source.
#[derive(Debug)]
pub enum Next {
    /// A frame.
    Frame(Frame),
    /// Nothing in the time that it was given.
    Nothing,
    /// Nothing ever again.
    End,
}

/// Where frames come from, in their order.
pub trait Source: Send {
    /// The next frame, if one comes in time.
    ///
    /// # Errors
    /// What makes it useless to wait for more.
    fn next(&mut self, patience: Duration) -> Result<Next, Error>;

    /// Whether frames come by themselves, at their own pace, or are there and wait.
    fn is_live(&self) -> bool;

    /// Pictures that were there at the beginning and are none of its frames.
    fn passed_over(&self) -> usize {
        0
    }
}
