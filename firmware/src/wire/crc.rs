//! CRC-32/ISO-HDLC, the checksum of Ethernet and PNG.
//!
//! Written here because a table of 16 words (64 bytes, two look-ups a byte) is what fits a controller of 48 KiB: the tables of `crc32fast` take
//! 16 KiB, that of `crc` 1 KiB. A test holds it against `crc32fast`.

/// Remainders of the polynomial 0xEDB88320 for the 16 values of four bits.
const NIBBLES: [u32; 16] = {
    let mut table = [0; 16];
    let mut nibble = 0;
    while nibble < 16 {
        let mut remainder = nibble as u32;
        let mut bit = 0;
        while bit < 4 {
            remainder = if remainder & 1 == 1 { (remainder >> 1) ^ 0xEDB8_8320 } else { remainder >> 1 };
            bit += 1;
        }
        table[nibble] = remainder;
        nibble += 1;
    }
    table
};

/// The checksum of the bytes so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crc(u32);

impl Crc {
    pub(super) const fn new() -> Self {
        Self(u32::MAX)
    }

    pub(super) const fn push(&mut self, byte: u8) {
        let mut remainder = self.0 ^ byte as u32;
        remainder = (remainder >> 4) ^ NIBBLES[(remainder & 15) as usize];
        self.0 = (remainder >> 4) ^ NIBBLES[(remainder & 15) as usize];
    }

    pub(super) const fn value(self) -> u32 {
        !self.0
    }
}

/// The checksum of bytes.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    bytes.iter().for_each(|&byte| crc.push(byte));
    crc.value()
}

#[cfg(test)]
mod tests {
    use super::crc32;

    /// The check value of the catalogue of CRCs, and an independent program on every length up to 600.
    #[test]
    fn it_is_the_iso_hdlc_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        let mut bytes = [0; 600];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = (index * index / 7 + 3 * index) as u8;
        }
        for length in 0..=bytes.len() {
            assert_eq!(crc32(&bytes[..length]), crc32fast::hash(&bytes[..length]), "{length} bytes");
        }
    }
}
