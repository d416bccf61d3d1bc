//! Quotients and roots in f32 by integers: the nearest number, to even where two are.

#![expect(clippy::cast_possible_wrap, reason = "exponents are small")]

use lsr_core::{Real, Scalar, isqrt};
use proptest::prelude::*;

/// Whether no other f32 is nearer: |numerator / denominator - value| <= half a unit in the last place, in integers.
fn is_nearest(numerator: u64, denominator: u64, value: f32) -> bool {
    let (n, d) = (u128::from(numerator), u128::from(denominator));
    let bits = value.to_bits();
    // value = mantissa * 2^exponent, with 24 bits.
    let (mantissa, exponent) = (u128::from(bits & 0x7F_FFFF | 0x80_0000), (bits >> 23) as i32 - 150);
    // Twice the distance times the denominator against denominator * 2^exponent.
    let (exact, found, half) =
        if exponent >= 0 { (2 * n, 2 * ((mantissa * d) << exponent), d << exponent) } else { ((2 * n) << -exponent, 2 * mantissa * d, d) };
    let distance = exact.abs_diff(found);
    distance < half || distance == half && mantissa % 2 == 0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_nearest_number_comes_out(numerator in 1_u64.., denominator in 1_u64.., (down, further) in (0_u32..64, 0_u32..64)) {
        let numerator = (numerator >> down).max(1);
        // At most 2^38 times the numerator: beyond, the check itself would leave u128.
        let denominator = (denominator >> further.max(numerator.leading_zeros().saturating_sub(38))).max(1);
        let value = f32::from_ratio(numerator, denominator);
        prop_assert!(is_nearest(numerator, denominator, value), "{} / {} = {}", numerator, denominator, value);
    }

    /// f64 has more than twice the digits of f32: rounding twice is rounding once here.
    #[test]
    fn small_numbers_are_as_by_f64(numerator in 0_u64..1 << 24, denominator in 1_u64..1 << 24) {
        prop_assert_eq!(f32::from_ratio(numerator, denominator), (numerator as f64 / denominator as f64) as f32);
    }

    #[test]
    fn integer_roots_are_rounded_down(value in any::<u64>(), down in 0_u32..64) {
        prop_assert_eq!(u64::from(isqrt(value >> down)), (value >> down).isqrt());
    }

    /// Every pattern of bits: f64's root, rounded once more, is f32's (it has more than twice the digits).
    #[test]
    fn roots_are_as_by_f64(bits in any::<u32>()) {
        let value = f32::from_bits(bits);
        let (found, expected) = (Scalar::sqrt(value), f64::from(value).sqrt() as f32);
        prop_assert!(found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(), "{:e}: {:e}", value, found);
    }
}

#[test]
fn roots_at_the_ends() {
    let root = |value: f32| Scalar::sqrt(value);
    for value in
        [0.0, -0.0, f32::INFINITY, f32::MIN_POSITIVE, f32::MAX, f32::from_bits(1), f32::from_bits(0x7F_FFFF), 1.0, 4.0, 1.0 + f32::EPSILON]
    {
        assert_eq!(root(value).to_bits(), (f64::from(value).sqrt() as f32).to_bits(), "{value:e}");
    }
    assert!(root(-1.0).is_nan() && root(f32::NAN).is_nan() && root(f32::NEG_INFINITY).is_nan());
}

#[test]
fn ties_go_to_even_and_the_ends_hold() {
    let one = 1_u64 << 24;
    assert_eq!(f32::from_ratio(one + 1, one), 1.0);
    assert_eq!(f32::from_ratio(2 * one + 3, 2 * one), 1.0 + f32::EPSILON);
    assert_eq!(f32::from_ratio(one + 3, one), 1.0 + 2.0 * f32::EPSILON);
    assert_eq!(f32::from_ratio(u64::MAX, 1), 2.0_f32.powi(64));
    assert_eq!(f32::from_ratio(1, u64::MAX), 2.0_f32.powi(-64));
    assert_eq!(f32::from_ratio(u64::MAX, u64::MAX), 1.0);
    assert_eq!(f32::from_ratio(0, 7), 0.0);
    assert!(f32::from_ratio(7, 0).is_infinite() && f32::from_ratio(0, 0).is_nan());
}
