//! Makes checksums fit again: behind a wrong one no reader looks any further, and a fuzzer never
//! guesses a right one. The layouts are those of docs/formats.

use tidings_log::batch::BatchHeader;

const FILE_HEADER_BYTES: usize = 16;
const INDEX_HEADER_BYTES: usize = 68;

/// Gives one batch its length and its checksum, if it is long enough to have them.
pub(crate) fn seal_batch(batch: &mut [u8]) {
    if batch.len() < 61 {
        return;
    }
    let length = (batch.len() - 12) as i32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[16] = 2;
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// Gives every batch of a segment that is whole by its own length a right checksum.
pub(crate) fn seal_segment(file: &mut [u8]) {
    seal_file_header(file, *b"SEGM");
    // The base offset and four spare bytes have a checksum of their own.
    if let Some(rest) = file.get_mut(FILE_HEADER_BYTES..FILE_HEADER_BYTES + 16) {
        let crc = crc32c::crc32c(&rest[..12]);
        rest[12..].copy_from_slice(&crc.to_be_bytes());
    }
    let mut at = FILE_HEADER_BYTES + 16;
    while let Some(rest) = file.get_mut(at..) {
        let Ok(header) = BatchHeader::parse(rest) else { return };
        let size = header.size();
        let Some(batch) = rest.get_mut(..size) else { return };
        seal_batch(batch);
        at += size;
    }
}

/// Makes the head and the entries of an index fit their checksums and their number.
pub(crate) fn seal_index(file: &mut [u8]) {
    seal_file_header(file, *b"INDX");
    if file.len() < INDEX_HEADER_BYTES {
        return;
    }
    let (head, body) = file.split_at_mut(INDEX_HEADER_BYTES);
    head[56..60].copy_from_slice(&((body.len() / 24) as u32).to_be_bytes());
    head[60..64].copy_from_slice(&crc32c::crc32c(body).to_be_bytes());
    let crc = crc32c::crc32c(&head[FILE_HEADER_BYTES..64]);
    head[64..].copy_from_slice(&crc.to_be_bytes());
}

/// A file with a header, a content, and the content's checksum as its last four bytes: the start
/// of a log, the snapshot of its producers.
pub(crate) fn seal_tail(file: &mut [u8], tag: [u8; 4]) {
    seal_file_header(file, tag);
    let Some(behind) = file.get_mut(FILE_HEADER_BYTES..) else { return };
    let Some(at) = behind.len().checked_sub(4) else { return };
    let crc = crc32c::crc32c(&behind[..at]);
    behind[at..].copy_from_slice(&crc.to_be_bytes());
}

/// A journal of these entries.
pub(crate) fn journal<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut file = vec![0; FILE_HEADER_BYTES];
    seal_file_header(&mut file, *b"JRNL");
    for entry in entries {
        let length = (entry.len() as u32).to_be_bytes();
        let crc = crc32c::crc32c_append(crc32c::crc32c(&length), entry);
        file.extend_from_slice(&length);
        file.extend_from_slice(&crc.to_be_bytes());
        file.extend_from_slice(entry);
    }
    file
}

fn seal_file_header(file: &mut [u8], tag: [u8; 4]) {
    let Some(header) = file.first_chunk_mut::<FILE_HEADER_BYTES>() else { return };
    header[..4].copy_from_slice(b"TDNG");
    header[4..8].copy_from_slice(&tag);
    header[8..10].copy_from_slice(&[0, 1]);
    let crc = crc32c::crc32c(&header[..12]);
    header[12..].copy_from_slice(&crc.to_be_bytes());
}
