//! Zig-zag variable-length integers, as they stand in Kafka's records (and in Protocol Buffers).

use std::io::{self, Read};

/// Reads one; at most ten bytes long.
pub(crate) fn read(input: &mut impl Read) -> io::Result<i64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let mut byte = [0];
        input.read_exact(&mut byte)?;
        value |= u64::from(byte[0] & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte[0] & 0x80 == 0 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "a variable-length integer does not end"))
}

/// Appends one.
pub(crate) fn write(out: &mut Vec<u8>, value: i64) {
    let mut value = ((value << 1) ^ (value >> 63)) as u64;
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value: i64) {
            let mut bytes = Vec::new();
            super::write(&mut bytes, value);
            prop_assert_eq!(super::read(&mut bytes.as_slice()).expect("whole"), value);
            bytes.pop();
            prop_assert!(super::read(&mut bytes.as_slice()).is_err());
        }
    }

    #[test]
    fn known_values_have_their_known_bytes() {
        for (value, bytes) in [(0, &[0u8][..]), (-1, &[1]), (1, &[2]), (300, &[0xd8, 0x04])] {
            let mut out = Vec::new();
            super::write(&mut out, value);
            assert_eq!(out, bytes, "{value}");
        }
        assert!(super::read(&mut [0xff; 11].as_slice()).is_err());
    }
}
