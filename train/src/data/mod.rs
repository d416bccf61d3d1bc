//! Folders of images, masks and block labels.
//!
//! ```text
//! DIR/images/NAME.{png,jpg,jpeg,tif,tiff}    H&E, RGB
//! DIR/masks/NAME.png                         white = cancer; needed by `label`, `prior` and `evaluate`, never by `fit`
//! DIR/dataset.toml                           optional: what the data is (see [`DataCard`])
//! blocks.csv                                 image,x,y,width,height,probability,z
//! ```

mod block;
mod card;
mod dataset;
mod decode;

pub use block::{Block, MAX_LABELS, read_blocks, write_blocks};
pub(crate) use block::{cancer_fraction, check_inside};
pub use card::DataCard;
pub use dataset::Dataset;

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
