//! A 3x3 convolution's weights as the kernels read them.

/// Where each input channel lies once every source is padded to whole groups.
#[derive(Debug, Clone)]
pub(super) struct InputChannels {
    /// Channels of each group that are not padding.
    pub(super) counts: Vec<usize>,
    /// Place of every channel: `group * lanes + lane`.
    places: Vec<usize>,
    lanes: usize,
}

impl InputChannels {
    /// Of sources with so many channels.
    pub(super) fn new(sources: impl IntoIterator<Item = usize>, lanes: usize) -> Self {
        let (mut counts, mut places) = (Vec::new(), Vec::new());
        for channels in sources {
            places.extend((0..channels).map(|channel| counts.len() * lanes + channel));
            counts.extend((0..channels).step_by(lanes).map(|first| lanes.min(channels - first)));
        }
        Self { counts, places, lanes }
    }

    /// Length of packed weights and of their gradient.
    pub(super) fn packed_len(&self, outputs: usize) -> usize {
        outputs.div_ceil(self.lanes) * self.counts.len() * 9 * self.lanes * self.lanes
    }

    /// From `[outputs][inputs][3][3]` to `[output groups][input groups][3][3][lanes of input][lanes]`.
    pub(super) fn pack(&self, weights: &[f32], outputs: usize) -> Vec<f32> {
        let mut packed = vec![0.0; self.packed_len(outputs)];
        self.each(outputs, |plain, place| packed[place] = weights[plain]);
        packed
    }

    /// The other way round.
    pub(super) fn unpack(&self, packed: &[f32], outputs: usize) -> Vec<f32> {
        let mut plain = vec![0.0; outputs * self.places.len() * 9];
        self.each(outputs, |index, place| plain[index] = packed[place]);
        plain
    }

    fn each(&self, outputs: usize, mut pair: impl FnMut(usize, usize)) {
        let lanes = self.lanes;
        for output in 0..outputs {
            for (input, place) in self.places.iter().enumerate() {
                let group = output / lanes * self.counts.len() + place / lanes;
                for tap in 0..9 {
                    let packed = ((group * 9 + tap) * lanes + place % lanes) * lanes + output % lanes;
                    pair((output * self.places.len() + input) * 9 + tap, packed);
                }
            }
        }
    }

    /// Weights of the convolution that takes the output's gradient to the input's: `[input groups][output groups][3][3][lanes of output][lanes]`,
    /// taps turned round.
    pub(super) fn pack_reversed(&self, weights: &[f32], outputs: usize) -> Vec<f32> {
        let (lanes, output_groups) = (self.lanes, outputs.div_ceil(self.lanes));
        let mut packed = vec![0.0; self.packed_len(outputs)];
        for output in 0..outputs {
            for (input, place) in self.places.iter().enumerate() {
                let group = place / lanes * output_groups + output / lanes;
                for tap in 0..9 {
                    packed[((group * 9 + 8 - tap) * lanes + output % lanes) * lanes + place % lanes] =
                        weights[(output * self.places.len() + input) * 9 + tap];
                }
            }
        }
        packed
    }
}
