//! Integer inference: a quantised network on 8-bit RGB rows, in whole numbers from the first layer to the last.
//!
//! ```text
//! RGB bytes ─ input table ─► u8 NHWC ─ network (layers) ─► u8 logits ─ probability table ─► u8 probabilities
//!                            plan (which rows live when) ─► arena ─ session (band by band) ─ kernel (scalar, avx2, vnni, neon)
//! ```
//!
//! This module knows neither files nor tract, and needs only `core` and `alloc`: what picks a kernel for the processor and spreads rows over
//! threads is handed in. The network streams: rows flow through all layers in bands, and every tensor keeps only the rows that a later
//! layer still needs, so that memory grows with the width of an image and not with its area, and the result is that of one pass.
//!
//! **Same bits everywhere.** Products of u8 and s8 are summed in i32, where the order does not matter. A sum becomes a byte by one conversion
//! to f32, one f32 multiplication, a clamp, and rounding to the nearest even integer: each of these is exact or correctly rounded by IEEE 754,
//! and none is fused, so scalar code, AVX2, AVX-512 and NEON give the same byte.
//!
//! **Nearest up-sampling before a convolution** repeats every pixel four times, and the convolution would multiply each copy again. Here each
//! of the nine taps is multiplied once at the low resolution, and the products are added up for the four pixels: the same integer, in a
//! quarter of the multiplications (module `up`).

mod aligned;
mod conv;
mod error;
mod kernel;
mod network;
mod pack;
mod plan;
mod pool;
mod program;
mod rows;
mod session;
mod split;
mod spread;
mod table;
mod up;

pub use error::NetworkError;
pub use kernel::Isa;
pub use network::{Convolution, Layer, LayerKind, Network, Source, Tensor, TensorId, Weights};
pub use plan::{DEFAULT_ARENA_BYTES, Plan};
pub use program::Program;
pub use session::{Rgb, Session};
pub use split::{OneThread, Split};
pub use table::{InputTable, Output};
