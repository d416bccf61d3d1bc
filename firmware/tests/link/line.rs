//! A line on which frames get lost, double, late and damaged, in simulated time; and numbers drawn for it.

/// Steele, Lea and Flood's SplitMix64: the same numbers for the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.draw() % bound as u64) as usize
    }

    pub(crate) fn happens(&mut self, percent: u64) -> bool {
        self.draw() % 100 < percent
    }
}

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// Percent for each of loss, doubling, delay, and a flipped bit.
    pub(crate) percent: u64,
    on_the_way: Vec<(u64, Vec<u8>)>,
}

impl Line {
    pub(crate) fn new(percent: u64) -> Self {
        Self { percent, on_the_way: Vec::new() }
    }

    /// Takes in a frame. It arrives after 1 to 3 ms; a late one after up to 700 ms, when it has been repeated and others have overtaken it.
    pub(crate) fn send(&mut self, frame: &[u8], now: u64, dice: &mut Dice) {
        let copies = 1 + usize::from(dice.happens(self.percent));
        for _ in 0..copies {
            if dice.happens(self.percent) {
                continue;
            }
            let mut bytes = frame.to_vec();
            if dice.happens(self.percent) {
                let place = dice.below(bytes.len());
                bytes[place] ^= 1 << dice.below(8);
            }
            let late = if dice.happens(self.percent) { dice.below(700_000) } else { 0 };
            self.on_the_way.push((now + 1_000 + dice.below(2_000) as u64 + late as u64, bytes));
        }
    }

    /// The bytes that have arrived by now.
    pub(crate) fn arrived(&mut self, now: u64) -> Vec<u8> {
        self.on_the_way.sort_by_key(|&(at, _)| at);
        let count = self.on_the_way.partition_point(|&(at, _)| at <= now);
        self.on_the_way.drain(..count).flat_map(|(_, bytes)| bytes).collect()
    }
}
