//! The only place that opens compressed records: to find the one record that a time asks for.
//!
//! Records are otherwise opaque to the log. Decompression is streamed and bounded, and in pure
//! Rust, so that the broker needs no C library of its own.

use std::io::{self, Read};

use crate::batch::Compression;
use crate::limits::MAX_DECOMPRESSED_BYTES;

/// What the framing of Java's `snappy-java` begins with; then two version numbers of four bytes.
const XERIAL_MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const XERIAL_HEADER_BYTES: usize = 16;

/// A reader of the decompressed records, which ends after [`MAX_DECOMPRESSED_BYTES`].
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when the bytes are not what the compression says; later reads
/// report the same for damage further on.
pub(crate) fn decompress(
    compression: Compression,
    records: &[u8],
) -> io::Result<Box<dyn Read + '_>> {
    let reader: Box<dyn Read + '_> = match compression {
        Compression::None => Box::new(records),
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(records)),
        Compression::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(records)),
        Compression::Zstd => {
            Box::new(ruzstd::decoding::StreamingDecoder::new(records).map_err(invalid)?)
        }
        Compression::Snappy => Box::new(io::Cursor::new(decompress_snappy(records)?)),
    };
    Ok(Box::new(reader.take(MAX_DECOMPRESSED_BYTES)))
}

/// Snappy has no stream of its own here: producers send one raw block, or (Java, and all that copy
/// it) a header and blocks with their lengths before them. Both are accepted.
fn decompress_snappy(records: &[u8]) -> io::Result<Vec<u8>> {
    if !records.starts_with(XERIAL_MAGIC) {
        return snappy_block(records, MAX_DECOMPRESSED_BYTES);
    }
    let mut rest = records.get(XERIAL_HEADER_BYTES..).unwrap_or_default();
    let mut out = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (block, behind) = behind
            .split_at_checked(length)
            .ok_or_else(|| invalid("a snappy block is longer than what is left of the batch"))?;
        let room = MAX_DECOMPRESSED_BYTES - out.len() as u64;
        out.extend_from_slice(&snappy_block(block, room)?);
        rest = behind;
    }
    Ok(out)
}

fn snappy_block(block: &[u8], limit_bytes: u64) -> io::Result<Vec<u8>> {
    // The claimed length is hostile until proven: the decoder allocates it before it starts.
    let claimed = snap::raw::decompress_len(block).map_err(invalid)? as u64;
    if claimed > limit_bytes {
        return Err(invalid("a snappy block claims more bytes than are accepted"));
    }
    snap::raw::Decoder::new().decompress_vec(block).map_err(invalid)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Compresses records for tests.
pub(crate) fn compress(compression: Compression, records: &[u8]) -> Vec<u8> {
    use std::io::Write;
    match compression {
        Compression::None => records.to_vec(),
        Compression::Gzip => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(records).and_then(|()| encoder.finish()).expect("memory takes it")
        }
        Compression::Snappy => {
            snap::raw::Encoder::new().compress_vec(records).expect("memory takes it")
        }
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(records).expect("memory takes it");
            encoder.finish().expect("memory takes it")
        }
        Compression::Zstd => {
            let level = ruzstd::encoding::CompressionLevel::Fastest;
            ruzstd::encoding::compress_to_vec(records, level)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Compression; 5] = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];

    fn read_all(compression: Compression, data: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        decompress(compression, data)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn each_compression_is_read_back_and_damage_never_panics() {
        let records: Vec<u8> = (0..20_000u32).map(|n| ((n * n) >> 7) as u8).collect();
        for compression in ALL {
            let packed = compress(compression, &records);
            assert_eq!(read_all(compression, &packed).expect("sound"), records, "{compression:?}");
            for at in (0..packed.len()).step_by(97) {
                let mut damaged = packed.clone();
                damaged[at] ^= 0x55;
                let _ = read_all(compression, &damaged);
                let _ = read_all(compression, &packed[..at]);
            }
        }
    }

    #[test]
    fn both_framings_of_snappy_are_accepted() {
        let block = compress(Compression::Snappy, b"one, ");
        let other = compress(Compression::Snappy, b"two");
        let mut framed = XERIAL_MAGIC.to_vec();
        framed.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
        for part in [&block, &other] {
            framed.extend_from_slice(&(part.len() as u32).to_be_bytes());
            framed.extend_from_slice(part);
        }
        assert_eq!(read_all(Compression::Snappy, &framed).expect("sound"), b"one, two");
        assert!(read_all(Compression::Snappy, &framed[..framed.len() - 1]).is_err());
    }

    #[test]
    fn a_claim_of_4_gib_is_refused_before_memory_is_taken() {
        let bomb = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
        assert!(read_all(Compression::Snappy, &bomb).is_err());
    }
}
