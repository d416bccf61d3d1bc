//! Kernels: one row of a convolution at a time, for each instruction set. All give the same bits; the scalar one is the reference.
//!
//! The SIMD kernels share their structure ([`strip`]) and differ in the few operations that the trait [`strip::Vector`] names. A convolution
//! keeps the sums of a strip of pixels in registers; each pixel is loaded once for the three taps of a row that it meets.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod detect;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod strip;
#[cfg(target_arch = "x86_64")]
mod vnni;
#[cfg(target_arch = "x86_64")]
mod ymm;

use super::pack::{Format, Packed, PackedUp};

/// An instruction set that there are kernels for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// Plain Rust, on every processor: the reference.
    Scalar,
    /// x86-64 with AVX2: `vpmaddwd` on pixels and weights widened to 16 bits, since `vpmaddubsw` saturates.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// x86-64 with AVX-VNNI: `vpdpbusd` on 256 bits (Alder Lake, Zen 5 and later).
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// x86-64 with AVX-512 VNNI: `vpdpbusd` on 512 bits (Ice Lake, Zen 4 and later).
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    /// The same on 256 bits, for layers of few outputs.
    #[cfg(target_arch = "x86_64")]
    Avx512VnniHalf,
    /// aarch64 (Raspberry Pi 3 and 4): `smlal` on 16 bits.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// aarch64 with the dot product extension (Raspberry Pi 5, Jetson Orin): `sdot`.
    #[cfg(target_arch = "aarch64")]
    NeonDot,
}

impl Isa {
    /// Its name, as `--isa` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => "avxvnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni | Self::Avx512VnniHalf => "avx512vnni",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => "neondot",
        }
    }

    /// Multiplies and adds on registers alone, for a measurement of what the processor can do at most. Gives the products of a weight and a pixel
    /// that were formed; none for the scalar kernels, and none where the processor lacks the instructions.
    pub fn multiply_and_add(self, rounds: u64) -> u64 {
        match self {
            _ if rounds == 0 || !self.is_available() => 0,
            Self::Scalar => 0,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::peak(rounds),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => vnni::vex::peak(rounds),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => vnni::full::peak(rounds),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512VnniHalf => vnni::half::peak(rounds),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => neon::plain::peak(rounds),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => neon::dot::peak(rounds),
        }
    }

    /// What a layer of so many outputs is run with.
    pub(super) fn for_outputs(self, outputs: usize) -> Self {
        #[cfg(target_arch = "x86_64")]
        if self == Self::Avx512Vnni && outputs <= Self::Avx512VnniHalf.lanes() {
            return Self::Avx512VnniHalf;
        }
        let _ = outputs;
        self
    }

    /// Outputs of a vector.
    pub(super) fn lanes(self) -> usize {
        match self {
            Self::Scalar => scalar::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 | Self::AvxVnni | Self::Avx512VnniHalf => 8,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => 16,
            #[cfg(target_arch = "aarch64")]
            Self::Neon | Self::NeonDot => 4,
        }
    }

    pub(super) fn format(self) -> Format {
        match self {
            Self::Scalar => Format::Quads,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Format::Pairs,
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni | Self::Avx512Vnni | Self::Avx512VnniHalf => Format::Quads,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Format::Planes,
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => Format::Quads,
        }
    }

    /// What the kernel subtracts from every pixel, because its products are signed.
    pub(super) fn pixel_offset(self) -> i32 {
        match self {
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => 128,
            _ => 0,
        }
    }
}

/// A row of a source, as one row of a kernel's taps meets it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tap<'a> {
    /// Its first byte meets the first tap at the first output pixel.
    pub(super) row: &'a [u8],
    /// Bytes of a pixel, a multiple of four.
    pub(super) pixel: usize,
}

/// One row of a convolution.
pub(super) struct ConvRow<'a> {
    /// Source by source, and for each its rows from the first row of taps to the last.
    pub(super) taps: &'a [Tap<'a>],
    pub(super) packed: &'a Packed,
    /// Sums that exist already (the bias among them), `[vectors][width][lanes]`; without them sums begin with the bias.
    pub(super) partial: Option<&'a [i32]>,
    /// Pixels.
    pub(super) width: usize,
    /// From the first byte of the first output pixel on.
    pub(super) out: &'a mut [u8],
    /// Bytes of an output pixel.
    pub(super) out_pixel: usize,
    /// Bytes from one output pixel to the next.
    pub(super) out_step: usize,
}

/// One row of an up-sampled source; see [`up`](super::up).
pub(super) struct UpRow<'a> {
    /// A padded row at the low resolution.
    pub(super) row: &'a [u8],
    /// Bytes of a pixel.
    pub(super) pixel: usize,
    /// Pixels at the low resolution, without borders.
    pub(super) width: usize,
    pub(super) packed: &'a PackedUp,
    /// Sums of the row above: of its tap row 0, and of its tap rows 0 and 1. Replaced by this row's. All are `[vectors][2 width][lanes]`.
    pub(super) above_0: &'a mut [i32],
    pub(super) above_01: &'a mut [i32],
    /// Filled: the second output row of the cell above, and the first of this cell.
    pub(super) odd: &'a mut [i32],
    pub(super) even: &'a mut [i32],
}

impl ConvRow<'_> {
    /// What the SIMD kernels rely on.
    fn check(&self) {
        let packed = self.packed;
        let (lanes, kernel) = (packed.isa.lanes(), packed.kernel);
        let groups: usize = self.taps.iter().map(|tap| tap.pixel / 4).sum();
        let all = packed.vectors * lanes;
        assert!(self.taps.iter().all(|tap| tap.pixel.is_multiple_of(4) && tap.row.len() >= (self.width + kernel - 1) * tap.pixel));
        assert!(packed.vector_bytes == groups * kernel * packed.isa.format().group_bytes(lanes));
        assert!(packed.weights.as_slice().len() == packed.vectors * packed.vector_bytes);
        assert!(packed.bias.as_slice().len() == all && packed.scale.as_slice().len() == all);
        assert!(self.partial.is_none_or(|partial| partial.len() == all * self.width));
        assert!(self.width > 0 && self.out.len() >= (self.width - 1) * self.out_step + self.out_pixel);
        assert!(self.out_pixel <= self.out_step && self.out_pixel > all - lanes);
    }

    /// Runs it. The kernel was made for the packed weights' instruction set, which the processor has (see [`Isa::is_available`]).
    pub(super) fn run(self) {
        self.check();
        match self.packed.isa {
            Isa::Scalar => scalar::conv_row(self),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::conv_row(self),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => vnni::vex::conv_row(self),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => vnni::full::conv_row(self),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512VnniHalf => vnni::half::conv_row(self),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon::plain::conv_row(self),
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDot => neon::dot::conv_row(self),
        }
    }
}

impl UpRow<'_> {
    fn check(&self) {
        let packed = self.packed;
        let lanes = packed.isa.lanes();
        let all = packed.vectors * lanes;
        let sums = all * 2 * self.width;
        assert!(self.width > 0 && self.pixel.is_multiple_of(4) && self.row.len() == (self.width + 2) * self.pixel);
        assert!(packed.vector_bytes == self.pixel / 4 * 9 * packed.isa.format().group_bytes(lanes));
        assert!(packed.weights.as_slice().len() == packed.vectors * packed.vector_bytes);
        assert!(packed.bias.as_slice().len() == all && packed.border.as_slice().len() == 9 * all);
        assert!([&self.above_0, &self.above_01, &self.odd, &self.even].iter().all(|sink| sink.len() == sums));
    }

    /// Runs it, as [`ConvRow::run`] does.
    pub(super) fn run(self) {
        self.check();
        match self.packed.isa {
            Isa::Scalar => scalar::up_row(self),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::up_row(self),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => vnni::vex::up_row(self),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => vnni::full::up_row(self),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512VnniHalf => vnni::half::up_row(self),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon::plain::up_row(self),
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDot => neon::dot::up_row(self),
        }
    }
}
