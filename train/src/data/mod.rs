//! Folders of images, masks and block labels, and how their blocks get to the network.
//!
//! ```text
//! DIR/images/NAME.{png,jpg,jpeg,tif,tiff}    H&E, RGB
//! DIR/masks/NAME.png                         white = cancer; needed by `label`, `prior` and `evaluate`, never by `fit`
//! DIR/valid/NAME.png                         optional: black = counts for nothing (pen marks, folds, background)
//! DIR/dataset.toml                           optional: what the data is (see [`DataCard`])
//! blocks.csv                                 image,x,y,width,height,probability,z
//!
//! dataset ─► source ─► store ─► reader (or cache) ─► augment ─► loader
//! which      windows   kept     one block            turned,    batches in the order
//! images     of one    up to    by index             stained    of the steps, made
//! there are  image     a bound                                  in the background
//! ```

mod augment;
mod block;
mod cache;
mod card;
mod dataset;
mod decode;
mod digest;
mod loader;
mod mask;
mod positioned;
mod reader;
mod source;
mod store;
#[cfg(test)]
pub(crate) mod tests;
mod tiff_window;
mod windows;

pub use augment::Augmentation;
pub use block::{Block, MAX_LABELS, read_blocks, write_blocks};
pub(crate) use block::{check_inside, class_fractions};
pub use card::DataCard;
pub use dataset::Dataset;
pub use loader::{Batch, Loader, LoaderSettings, OnCorrupt, SkippedImage};
pub use mask::UNKNOWN_CLASS;
pub use reader::{BlockPixels, BlockReader, CacheEvent, ReaderOptions};
pub use source::{ImageSource, WholeImage};
pub use store::ImageStore;
pub use windows::{Member, Windows};

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
