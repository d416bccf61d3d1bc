//! One block label, taken from the classifier's probability to a better network output.
//!
//!     cargo run -p lsr-core --example one_block
//!
//! A block of 12 pixels carries no mask, only the label "95-100 % cancer". The paper's expert says that such blocks are 70 +- 5 % cancer. The
//! loss tells every pixel in which direction to go, and one step of gradient descent on the logits makes the block's count more likely.

use lsr_core::{BlockMoments, CountPrior, Distance, Error, LabelBins, Loss, Scheme, Stabilisers, VarianceModel};

/// The class whose count is compared: 0 is "not cancer", 1 is "cancer".
const CANCER: usize = 1;
/// Step of gradient descent on the logits.
const LEARNING_RATE: f64 = 0.1;

fn main() -> Result<(), Error> {
    // A block classifier has looked at the whole block: its probability becomes the low-resolution class z.
    let probability = 0.97;
    let bins = LabelBins::<f64, 9>::paper();
    let z = bins.label(probability)?;
    let (lower, upper) = bins.interval(z)?;
    println!("label     the classifier says {probability}: z = {z}, the bin from {lower} to {upper}");

    // What fraction of such blocks is cancer, according to Table 1.
    let target = CountPrior::<f64, 10, 2>::table_1().target(z, CANCER)?;
    println!("prior     eta = {:.2}, rho = {:.2}", target.mean, target.std);

    // What the network says about the pixels. It has never seen a mask.
    let logits = [-1.2, 0.3, 0.8, -0.4, 1.5, 0.1, -2.0, 0.6, 0.9, -0.7, 0.2, 1.1];
    let pixels = logits.map(sigmoid);
    let block = BlockMoments::from_probabilities(&pixels)?;
    let deviation = block.variance(VarianceModel::CountFraction).sqrt();
    println!("moments   {} pixels, count mu = {:.4} +- {deviation:.4}", block.pixels(), block.mean());

    // How far the predicted count is from the prior: here by the overlap of both Gaussians, for each block by itself.
    let loss = Loss::new(Scheme::Intra, Distance::Overlap, VarianceModel::CountFraction, Stabilisers::default())?;
    let before = loss.evaluate(&[block], target)?;
    println!("loss      {:.6}", before.value());

    // Its derivative by every pixel's probability is a straight line in that probability.
    let line = before.pixel_gradient(&block)?;
    println!("gradient  dL/dp = {:.5} + {:.5} p", line.at_zero, line.slope);
    let mut by_probability = [0.0; 12];
    line.fill(&pixels, None, &mut by_probability)?;

    // One step: dL/dlogit = dL/dp p (1 - p).
    let mut moved = logits;
    for ((logit, p), slope) in moved.iter_mut().zip(pixels).zip(by_probability) {
        *logit -= LEARNING_RATE * slope * p * (1.0 - p);
    }
    let block = BlockMoments::from_probabilities(&moved.map(sigmoid))?;
    let after = loss.evaluate(&[block], target)?;
    println!("step      count mu = {:.4}, loss {:.6}", block.mean(), after.value());
    assert!(after.value() < before.value(), "a small step against the gradient makes the loss smaller");
    Ok(())
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}
