//! Positional randomness: hashes and noise that depend on a key and a place only, so that any part of a slide can be drawn
//! on its own, in any order, with the same result. Nothing here calls the platform's mathematics library.

/// Mixes a key and a lattice position into 32 well-spread bits.
pub(super) fn hash(key: u32, x: i32, y: i32) -> u32 {
    let mut h = key ^ (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77).rotate_left(13);
    h ^= h >> 16;
    h = h.wrapping_mul(0x7FEB_352D);
    h ^= h >> 15;
    h = h.wrapping_mul(0x846C_A68B);
    h ^ (h >> 16)
}

/// Maps 32 bits to [0, 1).
pub(super) fn unit(bits: u32) -> f32 {
    (bits >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// A short stream of numbers that belongs to one key: the attributes of one cell or of one gland.
pub(super) struct Draw(u32);

impl Draw {
    pub(super) fn new(key: u32) -> Self {
        Self(key)
    }

    /// The next number in [0, 1).
    pub(super) fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9);
        unit(hash(self.0, 17, 31))
    }

    /// The next number in [low, high).
    pub(super) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// The next number of a bell-shaped distribution with mean 0 and standard deviation 1 (sum of four uniform ones).
    pub(super) fn normal(&mut self) -> f32 {
        (self.unit() + self.unit() + self.unit() + self.unit() - 2.0) * 1.732_050_8
    }

    /// A direction, as (cosine, sine).
    pub(super) fn direction(&mut self) -> (f32, f32) {
        let angle = self.range(0.0, core::f32::consts::TAU);
        (libm::cosf(angle), libm::sinf(angle))
    }

    /// A fresh key for something that belongs to this one.
    pub(super) fn key(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9);
        hash(self.0, 5, 11)
    }
}

/// Gradient noise of wavelength about 1: zero mean, values within about [-1, 1].
pub(super) fn noise(key: u32, x: f32, y: f32) -> f32 {
    let (ix, iy) = (floor(x), floor(y));
    let (u, v) = (x - ix as f32, y - iy as f32);
    let (su, sv) = (fade(u), fade(v));
    let low = lerp(gradient(key, ix, iy, u, v), gradient(key, ix.wrapping_add(1), iy, u - 1.0, v), su);
    let high = lerp(
        gradient(key, ix, iy.wrapping_add(1), u, v - 1.0),
        gradient(key, ix.wrapping_add(1), iy.wrapping_add(1), u - 1.0, v - 1.0),
        su,
    );
    1.5 * lerp(low, high, sv)
}

/// Sum of `octaves` noises, each of half the wavelength and half the amplitude of the one before.
pub(super) fn fbm(key: u32, x: f32, y: f32, octaves: u32) -> f32 {
    let (mut x, mut y, mut amplitude, mut sum) = (x, y, 1.0, 0.0);
    for octave in 0..octaves {
        sum += amplitude * noise(key.wrapping_add(octave.wrapping_mul(0x68E3_1DA4)), x, y);
        // A rotation by 37 degrees between octaves hides the lattice.
        (x, y) = (2.0 * (0.8 * x - 0.6 * y) + 3.7, 2.0 * (0.6 * x + 0.8 * y) + 1.9);
        amplitude *= 0.5;
    }
    sum
}

/// Second-nearest minus nearest distance to the points of a jittered unit lattice: 0 on the walls between cells of a foam.
pub(super) fn foam(key: u32, x: f32, y: f32) -> f32 {
    let (ix, iy) = (floor(x), floor(y));
    let (mut first, mut second) = (f32::MAX, f32::MAX);
    for j in -1..=1 {
        for i in -1..=1 {
            let (cx, cy) = (ix.wrapping_add(i), iy.wrapping_add(j));
            let bits = hash(key, cx, cy);
            let dx = cx as f32 + 0.1 + 0.8 * unit(bits) - x;
            let dy = cy as f32 + 0.1 + 0.8 * unit(bits.wrapping_mul(0x9E37_79B1)) - y;
            let d = dx * dx + dy * dy;
            if d < first {
                (first, second) = (d, first);
            } else if d < second {
                second = d;
            }
        }
    }
    second.sqrt() - first.sqrt()
}

pub(super) fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// 0 below `low`, 1 above `high`, smooth between. `low < high`.
pub(super) fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

fn fade(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

/// Dot product of (u, v) with the lattice point's gradient: a table, since a branch on random bits is mispredicted.
fn gradient(key: u32, ix: i32, iy: i32, u: f32, v: f32) -> f32 {
    const D: f32 = core::f32::consts::FRAC_1_SQRT_2;
    const GRADIENTS: [(f32, f32); 8] = [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (D, D), (D, -D), (-D, D), (-D, -D)];
    let (gx, gy) = GRADIENTS[(hash(key, ix, iy) >> 29) as usize];
    gx * u + gy * v
}

/// Largest integer not above `x`, for `x` within the range of `i32`; without a call where the processor has no such instruction.
fn floor(x: f32) -> i32 {
    let toward_zero = x as i32;
    toward_zero - i32::from(x < toward_zero as f32)
}
