//! The networks that are trained.

mod maker;
mod pixels;
mod stage;
mod unet;

pub(crate) use maker::Maker;
pub use pixels::{PIXEL_MEAN, PIXEL_STD, input_from_rgb8, probabilities};
pub use stage::Stage;
pub use unet::{UNet, UNetConfig};
