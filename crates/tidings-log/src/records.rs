//! Opens one batch to find the first record at or after a time; everything else stays opaque.

use std::io::{self, Read};

use crate::batch::BatchHeader;
use crate::compression::decompress;
use crate::limits::BATCH_HEADER_BYTES;
use crate::offset::Offset;
use crate::varint;

/// The first record of the batch with an offset of at least `from` and `timestamp` or a later one.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] or [`io::ErrorKind::UnexpectedEof`] when the records cannot be
/// opened.
pub(crate) fn find_by_time(
    header: &BatchHeader,
    batch: &[u8],
    from: Offset,
    timestamp: i64,
) -> io::Result<Option<(Offset, i64)>> {
    if header.is_log_append_time() {
        let first = header.base_offset.max(from);
        let found = header.max_timestamp >= timestamp && first <= header.last_offset();
        return Ok(found.then_some((first, header.max_timestamp)));
    }
    let mut records = open(header, batch)?;
    for _ in 0..header.record_count {
        let (offset, time) = read_record(&mut records, header)?;
        if offset >= from && time >= timestamp {
            return Ok(Some((offset, time)));
        }
    }
    Ok(None)
}

/// The highest timestamp of the batch's records with an offset of at least `from`.
///
/// # Errors
/// As [`find_by_time`].
pub(crate) fn max_timestamp(
    header: &BatchHeader,
    batch: &[u8],
    from: Offset,
) -> io::Result<Option<i64>> {
    if header.is_log_append_time() {
        return Ok((header.last_offset() >= from).then_some(header.max_timestamp));
    }
    let mut records = open(header, batch)?;
    let mut highest = None;
    for _ in 0..header.record_count {
        let (offset, time) = read_record(&mut records, header)?;
        if offset >= from {
            highest = highest.max(Some(time));
        }
    }
    Ok(highest)
}

fn open<'a>(header: &BatchHeader, batch: &'a [u8]) -> io::Result<impl Read + 'a> {
    let compression =
        header.compression().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let packed = batch.get(BATCH_HEADER_BYTES..header.size()).unwrap_or_default();
    Ok(io::BufReader::new(decompress(compression, packed)?))
}

/// Reads one record's offset and timestamp and skips the rest of it.
fn read_record(input: &mut impl Read, header: &BatchHeader) -> io::Result<(Offset, i64)> {
    let length = varint::read(input)?;
    let length = u64::try_from(length).map_err(|_| invalid("a record has a negative length"))?;
    let mut body = input.take(length);
    body.read_exact(&mut [0])?;
    let timestamp = header.base_timestamp.saturating_add(varint::read(&mut body)?);
    let delta = varint::read(&mut body)?;
    if !(0..=i64::from(header.last_offset_delta)).contains(&delta) {
        return Err(invalid("a record has an offset outside of its batch"));
    }
    let offset = header.base_offset.plus(delta);
    let left = body.limit();
    if io::copy(&mut body, &mut io::sink())? != left {
        return Err(invalid("the records end within a record"));
    }
    Ok((offset, timestamp))
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Compression, patch_base_offset, patch_log_append_time};
    use crate::testing::BatchBuilder;

    fn batch(compression: Compression) -> bytes::BytesMut {
        let times = [50, 20, 70, 70, 90];
        let builder = times
            .iter()
            .fold(BatchBuilder::new(), |b, ts| b.record(*ts, Some(b"key"), Some(&[7; 300])));
        let mut bytes = builder.compression(compression).build();
        patch_base_offset(&mut bytes, Offset(100));
        bytes
    }

    #[test]
    fn the_first_record_at_or_after_a_time_is_found_in_every_compression() {
        use Compression::{Gzip, Lz4, None, Snappy, Zstd};
        for compression in [None, Gzip, Snappy, Lz4, Zstd] {
            let bytes = batch(compression);
            let header = BatchHeader::parse(&bytes).expect("built");
            let find = |from, ts| {
                let found = find_by_time(&header, &bytes, Offset(from), ts).expect("sound");
                found.map(|(offset, ts)| (offset.value(), ts))
            };
            assert_eq!(find(0, 0), Some((100, 50)), "{compression:?}");
            assert_eq!(find(0, 51), Some((102, 70)));
            assert_eq!(find(103, 51), Some((103, 70)));
            assert_eq!(find(0, 90), Some((104, 90)));
            assert_eq!(find(0, 91), Option::None);
        }
    }

    #[test]
    fn with_the_time_of_the_append_all_records_have_it() {
        let mut bytes = batch(Compression::None);
        let (head, behind) = bytes.split_first_chunk_mut().unwrap();
        patch_log_append_time(head, behind, 500);
        let header = BatchHeader::parse(&bytes).expect("built");
        assert!(crate::batch::verify_crc(&header, &bytes).is_ok());
        let found = find_by_time(&header, &bytes, Offset(102), 400).expect("sound");
        assert_eq!(found, Some((Offset(102), 500)));
        assert_eq!(find_by_time(&header, &bytes, Offset(0), 501).expect("sound"), None);
    }

    /// Found by fuzzing: a producer wrote a delta of 3 into a batch of three records, and a look-up
    /// by time answered with an offset that another batch would have.
    #[test]
    fn a_record_with_an_offset_outside_of_its_batch_is_an_error() {
        let mut bytes = batch(Compression::None);
        // Behind the header: length (two bytes), attributes, timestamp delta, offset delta.
        let delta_at = BATCH_HEADER_BYTES + 4;
        assert_eq!(bytes[delta_at], 0, "the first record's");
        for delta in [5 << 1, 1] {
            bytes[delta_at] = delta;
            let header = BatchHeader::parse(&bytes).expect("built");
            find_by_time(&header, &bytes, Offset(0), 0).expect_err("5, or -1, of 0 to 4");
        }
    }

    #[test]
    fn damaged_records_are_an_error_and_never_a_panic() {
        let bytes = batch(Compression::None);
        let header = BatchHeader::parse(&bytes).expect("built");
        for at in BATCH_HEADER_BYTES..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xff;
            let _ = find_by_time(&header, &damaged, Offset(0), i64::MAX);
        }
        assert!(find_by_time(&header, &bytes[..80], Offset(0), i64::MAX).is_err());
    }
}
