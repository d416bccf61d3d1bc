//! How much flash the intra+inter loss takes on a microcontroller: the smallest program that has to contain all of it.
//!
//! On a Cortex-M target this is a program whose entry point is the loss of one group in f32, pixels to value; nothing else is linked.
//! `.ci/core-size.sh` builds it, reads the size from the ELF file and holds it against a limit. On a computer it only says so.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod program {
    // The exported symbol is what `unsafe` in `no_mangle` is about; no memory is touched by hand.
    #![allow(unsafe_code)]

    use lsr_core::{BlockMoments, Error, GroupMoments, Preset, Target};

    /// Blocks of a group, as in the paper.
    const BLOCKS: usize = 15;
    /// Pixels of a block; the code's size does not depend on it.
    const PIXELS: usize = 240 * 240;

    /// The loss of the preset `paper` for one group with the count prior N(eta, rho^2); NaN for what is no group.
    #[unsafe(no_mangle)]
    extern "C" fn lsr_intra_inter_loss(blocks: &[[f32; PIXELS]; BLOCKS], eta: f32, rho: f32) -> f32 {
        loss(blocks, Target { mean: eta, std: rho }).unwrap_or(f32::NAN)
    }

    fn loss(blocks: &[[f32; PIXELS]], target: Target<f32>) -> Result<f32, Error> {
        let mut group = GroupMoments::new();
        for probabilities in blocks {
            group.push(&BlockMoments::from_probabilities(probabilities)?);
        }
        Ok(Preset::Paper.loss().evaluate_moments(&group, target)?.value())
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("The flash size of the intra+inter loss is measured on Cortex-M targets: bash .ci/core-size.sh");
}
