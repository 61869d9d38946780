//! The 16 bytes that every file of ours begins with: what it is, and which version of its format.

/// Length of the header.
pub(crate) const FILE_HEADER_BYTES: usize = 16;

const MAGIC: &[u8; 4] = b"TDNG";

/// What a file is, and the newest version of its format that this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Four letters behind the magic.
    pub tag: [u8; 4],
    /// Newest version known, and the one that is written.
    pub version: u16,
    /// For messages to people.
    pub name: &'static str,
}

/// A segment of records.
pub(crate) const SEGMENT: Kind = Kind { tag: *b"SEGM", version: 1, name: "log segment" };
/// A segment's index by offset and time.
pub(crate) const INDEX: Kind = Kind { tag: *b"INDX", version: 1, name: "segment index" };
/// A snapshot of the idempotent producers.
pub(crate) const PRODUCERS: Kind = Kind { tag: *b"PROD", version: 1, name: "producer snapshot" };
/// A log's start offset.
pub(crate) const START: Kind = Kind { tag: *b"STRT", version: 1, name: "start offset file" };
/// A journal of the broker's own state.
pub(crate) const JOURNAL: Kind = Kind { tag: *b"JRNL", version: 1, name: "journal" };

/// What is wrong with a file's first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Not the file that it should be, or damaged.
    Foreign,
    /// A newer program wrote it.
    Newer(u16),
}

impl Kind {
    /// The header of a new file.
    pub(crate) fn header(self) -> [u8; FILE_HEADER_BYTES] {
        let mut header = [0; FILE_HEADER_BYTES];
        header[..4].copy_from_slice(MAGIC);
        header[4..8].copy_from_slice(&self.tag);
        header[8..10].copy_from_slice(&self.version.to_be_bytes());
        let crc = crc32c::crc32c(&header[..12]);
        header[12..].copy_from_slice(&crc.to_be_bytes());
        header
    }

    /// Checks the first bytes of a file and returns the version that wrote it.
    pub(crate) fn check(self, data: &[u8]) -> Result<u16, HeaderFault> {
        let header = data.first_chunk::<FILE_HEADER_BYTES>().ok_or(HeaderFault::Foreign)?;
        let sound = &header[..4] == MAGIC
            && header[4..8] == self.tag
            && header[12..] == crc32c::crc32c(&header[..12]).to_be_bytes();
        let version = u16::from_be_bytes([header[8], header[9]]);
        match version {
            _ if !sound => Err(HeaderFault::Foreign),
            0 => Err(HeaderFault::Foreign),
            v if v > self.version => Err(HeaderFault::Newer(v)),
            v => Ok(v),
        }
    }
}

/// A cursor over bytes that came from a file: every read is checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_back_and_every_flipped_bit_is_found() {
        let header = SEGMENT.header();
        assert_eq!(SEGMENT.check(&header), Ok(1));
        for bit in 0..FILE_HEADER_BYTES * 8 {
            let mut damaged = header;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SEGMENT.check(&damaged), Err(HeaderFault::Foreign), "bit {bit}");
        }
        assert_eq!(INDEX.check(&header), Err(HeaderFault::Foreign));
        assert_eq!(SEGMENT.check(&header[..15]), Err(HeaderFault::Foreign));
    }

    #[test]
    fn a_newer_version_is_told_apart_from_damage() {
        let newer = Kind { version: 7, ..SEGMENT }.header();
        assert_eq!(SEGMENT.check(&newer), Err(HeaderFault::Newer(7)));
    }
}
