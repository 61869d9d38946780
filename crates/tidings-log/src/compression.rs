//! The only place that opens compressed records: to find the one record that a time asks for.
//!
//! Records are otherwise opaque to the log. Decompression is streamed and bounded, and in pure
//! Rust, so that the broker needs no C library of its own.

use std::io::{self, Read};

use crate::batch::Compression;
use crate::limits::{MAX_DECOMPRESSED_BYTES, MAX_ZSTD_WINDOW_BYTES};

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
            check_zstd_window(records)?;
            Box::new(ruzstd::decoding::StreamingDecoder::new(records).map_err(invalid)?)
        }
        Compression::Snappy => decompress_snappy(records)?,
    };
    Ok(Box::new(reader.take(MAX_DECOMPRESSED_BYTES)))
}

/// Snappy has no stream of its own here: producers send one raw block, or (Java, and all that copy
/// it) a header and blocks with their lengths before them. Both are accepted.
fn decompress_snappy(records: &[u8]) -> io::Result<Box<dyn Read + '_>> {
    if !records.starts_with(XERIAL_MAGIC) {
        return Ok(Box::new(io::Cursor::new(snappy_block(records)?)));
    }
    let rest = records.get(XERIAL_HEADER_BYTES..).unwrap_or_default();
    Ok(Box::new(SnappyBlocks { rest, block: io::Cursor::default() }))
}

/// The blocks of Java's framing, one at a time in memory.
struct SnappyBlocks<'a> {
    rest: &'a [u8],
    block: io::Cursor<Vec<u8>>,
}

impl Read for SnappyBlocks<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.block.read(buf)?;
            if read > 0 || buf.is_empty() {
                return Ok(read);
            }
            let Some((length, behind)) = self.rest.split_first_chunk::<4>() else { return Ok(0) };
            let length = u32::from_be_bytes(*length) as usize;
            let (block, behind) = behind.split_at_checked(length).ok_or_else(|| {
                invalid("a snappy block is longer than what is left of the batch")
            })?;
            self.rest = behind;
            // The old one goes before the new one comes.
            self.block = io::Cursor::default();
            self.block = io::Cursor::new(snappy_block(block)?);
        }
    }
}

/// Three bytes of snappy make 64 at most: a claim beyond that is a lie, and the decoder allocates
/// what is claimed before it starts.
const SNAPPY_RATIO: u64 = 32;

fn snappy_block(block: &[u8]) -> io::Result<Vec<u8>> {
    let claimed = snap::raw::decompress_len(block).map_err(invalid)? as u64;
    if claimed > MAX_DECOMPRESSED_BYTES || claimed > block.len() as u64 * SNAPPY_RATIO {
        return Err(invalid("a snappy block claims more bytes than it can hold"));
    }
    snap::raw::Decoder::new().decompress_vec(block).map_err(invalid)
}

/// Refuses a frame whose decoder would have to hold more than [`MAX_ZSTD_WINDOW_BYTES`] (RFC 8878,
/// 3.1.1.1). What is no frame is left to the decoder to say.
fn check_zstd_window(records: &[u8]) -> io::Result<()> {
    let Some((descriptor, fields)) = records.get(4..).and_then(|rest| rest.split_first()) else {
        return Ok(());
    };
    let single_segment = descriptor & 0x20 != 0;
    let window = if single_segment {
        let dictionary_id = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let width = [1, 2, 4, 8][usize::from(descriptor >> 6)];
        let mut size = [0; 8];
        let Some(found) = fields.get(dictionary_id..dictionary_id + width) else { return Ok(()) };
        size[..width].copy_from_slice(found);
        u64::from_le_bytes(size)
    } else {
        let Some(byte) = fields.first() else { return Ok(()) };
        let base = 1_u64 << (10 + (byte >> 3));
        base + base / 8 * u64::from(byte & 7)
    };
    if window > MAX_ZSTD_WINDOW_BYTES {
        return Err(invalid("a zstd frame needs a larger window than is accepted"));
    }
    Ok(())
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
    fn a_zstd_frame_with_a_window_of_64_mib_is_refused_before_memory_is_taken() {
        let frame = |descriptor: u8, fields: &[u8]| {
            // One last block of no bytes behind the header.
            [&[0x28, 0xb5, 0x2f, 0xfd, descriptor], fields, &[1, 0, 0]].concat()
        };
        assert_eq!(read_all(Compression::Zstd, &frame(0, &[13 << 3])).expect("8 MiB"), b"");
        read_all(Compression::Zstd, &frame(0, &[16 << 3])).expect_err("64 MiB");
        read_all(Compression::Zstd, &frame(0, &[15 << 3 | 1])).expect_err("36 MiB");
        let single = |bytes: u32| frame(0xa0, &bytes.to_le_bytes());
        assert_eq!(read_all(Compression::Zstd, &single(0)).expect("no content"), b"");
        let refused = read_all(Compression::Zstd, &single(64 << 20)).expect_err("64 MiB");
        assert!(refused.to_string().contains("window"), "{refused}");
    }

    #[test]
    fn a_snappy_block_cannot_hold_more_than_its_bytes_make() {
        // It claims 100 MiB in four bytes, far below what is accepted in all.
        let bomb = [0x80, 0x80, 0x80, 0x32, 0x00, 0x61];
        assert!(read_all(Compression::Snappy, &bomb).is_err());
        // The most that snappy does: long copies of one byte.
        let zeros = vec![0; 8 << 20];
        let packed = compress(Compression::Snappy, &zeros);
        assert_eq!(read_all(Compression::Snappy, &packed).expect("sound").len(), zeros.len());
    }

    #[test]
    fn a_claim_of_4_gib_is_refused_before_memory_is_taken() {
        let bomb = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
        assert!(read_all(Compression::Snappy, &bomb).is_err());
    }
}
