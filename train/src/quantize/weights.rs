//! A convolution in integers.

use super::grid::Grid;
use crate::error::{Error, Result};
use crate::network::Convolution;

/// A convolution's integers: a weight is `weight scale` of its output channel, a bias `bias bias_scale`.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedConvolution {
    /// In -127 to 127, in the order of the float weights.
    pub weight: Vec<i8>,
    /// Of each output channel's weights; normal and positive.
    pub scale: Vec<f32>,
    /// Of each output channel.
    pub bias: Vec<i32>,
    /// Scale of the input times that of the channel's weights, in f32.
    pub bias_scale: Vec<f32>,
}

/// Largest absolute bias: a fourth of what i32 holds, the rest is for the sum of products.
const LARGEST_BIAS: f64 = (1 << 29) as f64;

/// Smallest scale of weights, as for activations.
pub(super) const LEAST_SCALE: f64 = 1e-15;

impl QuantizedConvolution {
    /// Rounds a layer's weights and bias, given the grid of its input. A channel's scale maps its largest weight to 127; it is larger where the
    /// bias would not fit otherwise (a channel that is all but dead), and 1 where weights and bias are all 0.
    ///
    /// # Errors
    /// A layer so large that sums could leave i32, or numbers beyond f32, by the layer's name.
    pub(crate) fn of(layer: &Convolution, input: Grid) -> Result<Self> {
        let mut quantized = Self { weight: vec![0; layer.weight.len()], scale: Vec::new(), bias: Vec::new(), bias_scale: Vec::new() };
        for output in 0..layer.outputs {
            let bias = layer.bias[output];
            let scale = scale_of(layer.output_range(output), bias, f64::from(input.scale));
            let bias_scale = input.scale * scale;
            let whole = (bias / f64::from(bias_scale)).round_ties_even();
            let mut reach = whole.abs();
            for tap in (0..layer.inputs).map(|input| layer.tap(output, input)) {
                for (rounded, w) in quantized.weight[tap.clone()].iter_mut().zip(&layer.weight[tap]) {
                    *rounded = (w / f64::from(scale)).round_ties_even().clamp(-127.0, 127.0) as i8;
                    reach += 255.0 * f64::from(rounded.unsigned_abs());
                }
            }
            if !scale.is_normal() || !bias_scale.is_normal() || !reach.is_finite() {
                let expected = format!("weights in layer {} that 8 bits can stand for", layer.name);
                return Err(Error::setting("network to quantise", expected, format!("a scale of {scale} in channel {output}")));
            }
            // The structural bound, whatever the weights are, and the real one with the bias.
            let products = layer.inputs * layer.kernel * layer.kernel * 255 * 127;
            if products as f64 >= 2_f64.powi(31) || reach >= 2_f64.powi(31) {
                let expected = format!("sums in layer {} below 2^31", layer.name);
                return Err(Error::setting("network to quantise", expected, format!("{reach} in channel {output}")));
            }
            quantized.scale.push(scale);
            quantized.bias.push(whole as i32);
            quantized.bias_scale.push(bias_scale);
        }
        Ok(quantized)
    }
}

/// The scale of an output channel's weights.
fn scale_of(largest_weight: f64, bias: f64, input_scale: f64) -> f32 {
    let scale = (largest_weight / 127.0).max(bias.abs() / (input_scale * LARGEST_BIAS));
    if scale == 0.0 { 1.0 } else { scale.max(LEAST_SCALE) as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::ConvolutionKind;

    fn layer(kind: ConvolutionKind, weight: Vec<f64>, bias: Vec<f64>) -> Convolution {
        let kernel = if kind == ConvolutionKind::Same { 1 } else { 2 };
        let outputs = bias.len();
        let inputs = weight.len() / (outputs * kernel * kernel);
        Convolution { name: "x".to_owned(), kind, inputs, outputs, kernel, weight, bias, rectified: false }
    }

    const INPUT: Grid = Grid { scale: 0.02, zero_point: 0 };

    #[test]
    fn every_channel_has_its_own_scale() {
        let float = layer(ConvolutionKind::Same, vec![1.27, -0.635, 127.0, 12.0], vec![0.1, -3.0]);
        let quantized = QuantizedConvolution::of(&float, INPUT).unwrap();
        // 63.5 goes to the even 64.
        assert_eq!(quantized.weight[2..], [127, 12]);
        assert!(quantized.weight[0] == 127 && [-63, -64].contains(&quantized.weight[1]));
        assert_eq!(quantized.scale, [0.01, 1.0]);
        assert_eq!(quantized.bias_scale, [0.02_f32 * 0.01, 0.02]);
        assert_eq!(quantized.bias, [500, -150]);
        // Transposed: the output channel is the second axis.
        let float = layer(ConvolutionKind::Transposed, (0..16).map(|i| f64::from(i % 8)).collect(), vec![0.0, 0.0]);
        let quantized = QuantizedConvolution::of(&float, INPUT).unwrap();
        assert_eq!(quantized.scale, [(3.0_f64 / 127.0) as f32, (7.0_f64 / 127.0) as f32]);
        assert_eq!((quantized.weight[3], quantized.weight[7], quantized.weight[4]), (127, 127, 73));
    }

    #[test]
    fn channels_that_are_dead_or_all_but_dead_have_a_usable_scale() {
        for weight in [0.0, 1e-30, 1e-12, -1e-9] {
            for bias in [0.0, 0.7, -1e4, 1e-30] {
                let quantized = QuantizedConvolution::of(&layer(ConvolutionKind::Same, vec![weight; 3], vec![bias]), INPUT).unwrap();
                let found = f64::from(quantized.bias[0]) * f64::from(quantized.bias_scale[0]);
                assert!((found - bias).abs() <= 1e-6 * bias.abs() + 1e-17, "{weight} {bias}: {found}");
                assert!(quantized.scale[0].is_normal() && quantized.bias_scale[0].is_normal() && quantized.scale[0] > 0.0);
            }
        }
        let dead = QuantizedConvolution::of(&layer(ConvolutionKind::Same, vec![0.0; 3], vec![0.0]), INPUT).unwrap();
        assert_eq!((dead.scale[0], dead.bias[0]), (1.0, 0));
    }

    #[test]
    fn a_layer_whose_sums_could_overflow_is_refused() {
        // 255 * 127 * n reaches 2^31 at n = 66,312.
        assert!(QuantizedConvolution::of(&layer(ConvolutionKind::Same, vec![0.1; 66_311], vec![0.0]), INPUT).is_ok());
        let error = QuantizedConvolution::of(&layer(ConvolutionKind::Same, vec![0.1; 66_313], vec![0.0]), INPUT).unwrap_err();
        assert!(error.to_string().contains("layer x below 2^31"), "{error}");
        let error = QuantizedConvolution::of(&layer(ConvolutionKind::Same, vec![f64::MAX], vec![0.0]), INPUT).unwrap_err();
        assert!(error.to_string().contains("layer x that 8 bits can stand for"), "{error}");
    }
}
