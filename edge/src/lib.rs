//! Runs label-super-resolution networks next to the microscope: images in, cancer masks out.
//!
//! ```text
//! file ─ field ─► RGB pixels at the model's pixel size ─ tile ─► tiles ─ model ─► probabilities ─ predict ─► one map
//! map ─ mask ─► mask, cancer fraction ─ output ─► NAME.mask.png  NAME.probability.png  NAME.overlay.png  NAME.geojson  NAME.json
//! slide ─ tissue ─► windows at the model's pixel size, band by band ─ model ─► pyramids, outlines ─► NAME.mask.ome.tif  NAME.seg.dcm  ...
//! ```
//!
//! [`segment`](Segmenter::segment) walks this line for one image or slide, [`segment_all`] for many. The library's steps one by one:
//!
//! ```
//! use lsr_edge::{Interrupt, Mask, Model, Tiling, predict};
//!
//! let model = Model::embedded()?;
//! let metadata = model.metadata();
//! let image = image::RgbImage::from_pixel(100, 70, image::Rgb([240, 235, 240]));
//! let rule = Tiling::default().for_model(metadata.alignment, metadata.context_px)?;
//! let map = predict(&model, &image, &rule, &Interrupt::default(), &|_| ())?;
//! let mask = Mask::new(&map, metadata.threshold);
//! assert_eq!(mask.pixels().len(), 7000);
//! # Ok::<(), lsr_edge::Error>(())
//! ```
//!
//! Beside a microscope fields come by themselves: [`source`] has cameras, folders and slides behind one trait, [`live`] makes a kept field of every frame,
//! [`session`] is where it is kept, [`serve`] is the API and the page, [`fleet`] tells a broker. [`stage`] speaks with the microscope's controller, and
//! [`scan`] has it visit a region field by field.
//!
//! Research use only: not a medical device, not for diagnosis.

extern crate alloc;

mod batch;
mod bench;
mod device;
mod digest;
mod error;
mod field;
pub mod fleet;
mod guard;
mod input;
mod inspect;
pub mod int8;
mod interrupt;
mod listener;
pub mod live;
mod low_resolution;
mod mask;
mod model;
mod output;
mod predict;
mod quality;
mod read;
pub mod scan;
mod segment;
mod segment_slide;
mod self_test;
pub mod serve;
pub mod session;
mod shard;
mod slide;
pub mod source;
pub mod stage;
mod threads;
mod tile;
mod training_distance;

pub use batch::{Report, segment_all};
pub use bench::{
    Bench, BenchOptions, LayerTime, Measured, Pipeline, PipelineOptions, PipelineTimes, bench, bench_here, bench_pipeline, parse_isa,
};
pub use device::device_name;
pub use error::{Error, ModelError, one_line};
pub use field::{Field, MAX_PIXELS, PixelSize, PixelSizeSource};
pub use input::{Input, find_inputs};
pub use inspect::describe;
pub use interrupt::Interrupt;
pub use listener::Listener;
pub use low_resolution::LowResolution;
pub use mask::{CancerFraction, Mask};
pub use model::{Card, Contents, Execution, FORMAT, ImageMemory, LearnedFrom, Metadata, Model, OPERATORS, Provenance, Refusal};
pub use output::{NOTICE, OutputFiles, write_file};
pub use predict::{ProbabilityMap, predict};
pub use quality::{Quality, Unfit};
pub use segment::{Options, Outcome, Segmenter, Written};
pub use self_test::{SelfTest, self_test};
pub use shard::{NoShard, Shard};
pub use slide::TissueChoice;
pub use threads::Threads;
pub use tile::{DEFAULT_TILE, STREAMED_TILE, TileRule, Tiling};
pub use training_distance::TrainingDistance;

/// Version of this program, as records state it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
