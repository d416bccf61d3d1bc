//! Quotients and roots in integers alone, for processors without a floating-point unit: exact, and a fraction of the code of libm's or of f64 division.

/// `floor(sqrt(value))`, bit by bit.
///
/// ```
/// assert_eq!((lsr_core::isqrt(99), lsr_core::isqrt(100), lsr_core::isqrt(u64::MAX)), (9, 10, u32::MAX));
/// ```
#[inline(never)]
pub fn isqrt(value: u64) -> u32 {
    // The root so far, doubled, lies above the bit that is tried; what it leaves of the value stays below.
    let (mut rest, mut root, mut bit) = (value, 0_u64, 1_u64 << 62);
    while bit != 0 {
        let tried = root + bit;
        root >>= 1;
        if rest >= tried {
            rest -= tried;
            root += bit;
        }
        bit >>= 2;
    }
    root as u32
}

/// The f32 nearest to a root, to even where two are.
pub(crate) fn sqrt_f32(value: f32) -> f32 {
    if value <= 0.0 || !value.is_finite() {
        // -0 stays -0; what is below has no root, as NaN has none.
        return if value < 0.0 { f32::NAN } else { value };
    }
    // Subnormal numbers have few digits: 2^24 times them is exact.
    let (scaled, shift) = if value < f32::MIN_POSITIVE { (value * 16_777_216.0, 12) } else { (value, 0) };
    let bits = scaled.to_bits();
    // 24 digits times 2^(exponent - 150). With an even power of two, and 2^28 times that: the root has 26 or 27 bits.
    let exponent = bits >> 23;
    let mantissa = u64::from(bits & 0x7F_FFFF | 0x80_0000) << (28 + (exponent & 1));
    let root = isqrt(mantissa);
    let sticky = u32::from(u64::from(root) * u64::from(root) != mantissa);
    // Rounded once, in this conversion: the power of two changes no bit.
    (root << 1 | sticky) as f32 * f32::from_bits((37 + (exponent >> 1) - shift) << 23)
}

/// The f32 nearest to a quotient, in integers alone: on a processor without a floating-point unit f64 division is 1.3 KB of code.
pub(crate) fn ratio_f32(numerator: u64, denominator: u64) -> f32 {
    match (numerator, denominator) {
        (0, 0) => return f32::NAN,
        (0, _) => return 0.0,
        (_, 0) => return f32::INFINITY,
        _ => {}
    }
    // Both with their highest bit at 2^63: the quotient lies in (1/2, 2).
    let (high, low) = (numerator.leading_zeros(), denominator.leading_zeros());
    let (mut rest, divisor) = (numerator << high, denominator << low);
    // Long division: 26 bits, of which one may be a leading zero, and one that says whether anything is left.
    let (mut quotient, mut carry) = (0_u32, false);
    for _ in 0..26 {
        quotient <<= 1;
        if carry || rest >= divisor {
            rest = rest.wrapping_sub(divisor);
            quotient |= 1;
        }
        carry = rest >> 63 == 1;
        rest <<= 1;
    }
    let sticky = u32::from(carry || rest != 0);
    // 27 bits become 24 in this conversion, to nearest even; the power of two, between 2^-90 and 2^37, changes no bit of them.
    let exponent = 127 - 26 + low - high;
    (quotient << 1 | sticky) as f32 * f32::from_bits(exponent << 23)
}
