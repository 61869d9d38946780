//! Checks every length in a request before the codec trusts it.
//!
//! The generated codec passes array counts from the wire straight to the allocator, so that 255
//! hostile bytes could ask for 200 GB and abort the process. This walk follows the request's
//! layout over the same bytes, allocates nothing, and lets a request through only if every count
//! fits into what is left of it and all counts together into [`MAX_REQUEST_ELEMENTS`].

use crate::limits::{MAX_REQUEST_ELEMENTS, MAX_TAGGED_FIELDS};
use crate::wire::layouts::{Field, Kind, Layout, layout};

/// What stands before a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    pub(crate) key: i16,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    /// The client's name for itself; empty if it gave none.
    pub(crate) client_id: &'a str,
    /// Where the body begins.
    pub(crate) body_at: usize,
}

/// Why a request does not reach the codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// A field ends behind the frame.
    #[error("it ends inside of a field")]
    Truncated,
    /// A length is below -1, or does not fit 32 bits.
    #[error("a length in it is impossible")]
    Length,
    /// An array claims more elements than the frame has bytes for.
    #[error("an array in it claims more elements than there are bytes")]
    Count,
    /// All arrays together hold too much.
    #[error("its arrays hold more than {MAX_REQUEST_ELEMENTS} elements")]
    TooMany,
    /// A structure carries too many tagged fields.
    #[error("a structure in it has more than {MAX_TAGGED_FIELDS} tagged fields")]
    Tags,
    /// The client's id is not UTF-8.
    #[error("the client id is not UTF-8")]
    ClientId,
    /// There is no layout for this key.
    #[error("its API key is not served")]
    Key,
}

/// The key and version of a frame, which everything else depends on.
pub(crate) fn key_and_version(frame: &[u8]) -> Option<(i16, i16)> {
    let (key, rest) = frame.split_first_chunk()?;
    let (version, _) = rest.split_first_chunk()?;
    Some((i16::from_be_bytes(*key), i16::from_be_bytes(*version)))
}

/// Reads the header; `frame` is a request without its length prefix.
pub(crate) fn head(frame: &[u8]) -> Result<Head<'_>, Malformed> {
    let (key, version) = key_and_version(frame).ok_or(Malformed::Truncated)?;
    let layout = layout(key).ok_or(Malformed::Key)?;
    let mut walk = Walk::new(frame, false);
    walk.skip(4)?;
    let correlation_id = i32::from_be_bytes(walk.array()?);
    // The client id keeps its two-byte length even in flexible headers (KIP-482).
    let length = i16::from_be_bytes(walk.array()?);
    let client_id = match usize::try_from(length) {
        Ok(length) => walk.take(length)?,
        Err(_) if length == -1 => &[],
        Err(_) => return Err(Malformed::Length),
    };
    let client_id = std::str::from_utf8(client_id).map_err(|_| Malformed::ClientId)?;
    if version >= layout.flexible_from {
        walk.tagged_fields()?;
    }
    Ok(Head { key, version, correlation_id, client_id, body_at: walk.at })
}

/// Checks every length of the body of a request of this key and version.
pub(crate) fn check(key: i16, version: i16, body: &[u8]) -> Result<(), Malformed> {
    let Layout { flexible_from, fields } = layout(key).ok_or(Malformed::Key)?;
    let mut walk = Walk::new(body, version >= flexible_from);
    walk.structure(fields, version)
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    flexible: bool,
    elements: usize,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8], flexible: bool) -> Walk<'a> {
        Walk { bytes, at: 0, flexible, elements: 0 }
    }

    fn structure(&mut self, fields: &[Field], version: i16) -> Result<(), Malformed> {
        for field in fields {
            if field.since <= version && version <= field.until {
                self.field(field.kind, version)?;
            }
        }
        if self.flexible { self.tagged_fields() } else { Ok(()) }
    }

    fn field(&mut self, kind: Kind, version: i16) -> Result<(), Malformed> {
        match kind {
            Kind::Fixed(bytes) => self.skip(bytes),
            Kind::Text => {
                let length = if self.flexible { self.compact()? } else { self.short()? };
                self.skip(length)
            }
            Kind::Bytes => {
                let length = if self.flexible { self.compact()? } else { self.int()? };
                self.skip(length)
            }
            Kind::Fixeds(bytes) => {
                let count = self.count(bytes)?;
                self.skip(count * bytes)
            }
            Kind::Texts => {
                for _ in 0..self.count(if self.flexible { 1 } else { 2 })? {
                    self.field(Kind::Text, version)?;
                }
                Ok(())
            }
            Kind::Each(fields) => {
                for _ in 0..self.count(1)? {
                    self.structure(fields, version)?;
                }
                Ok(())
            }
        }
    }

    /// An array's count, null as 0, checked against the bytes that are left.
    fn count(&mut self, least_bytes_each: usize) -> Result<usize, Malformed> {
        let count = if self.flexible { self.compact()? } else { self.int()? };
        if count > (self.bytes.len() - self.at) / least_bytes_each {
            return Err(Malformed::Count);
        }
        self.elements += count;
        if self.elements > MAX_REQUEST_ELEMENTS { Err(Malformed::TooMany) } else { Ok(count) }
    }

    fn tagged_fields(&mut self) -> Result<(), Malformed> {
        let count = self.varint()?;
        if count > MAX_TAGGED_FIELDS {
            return Err(Malformed::Tags);
        }
        for _ in 0..count {
            self.varint()?;
            let length = self.varint()?;
            self.skip(length)?;
        }
        self.elements += count;
        if self.elements > MAX_REQUEST_ELEMENTS { Err(Malformed::TooMany) } else { Ok(()) }
    }

    /// A compact length: one more than the length, 0 for null.
    fn compact(&mut self) -> Result<usize, Malformed> {
        Ok(self.varint()?.saturating_sub(1))
    }

    fn short(&mut self) -> Result<usize, Malformed> {
        nullable(i16::from_be_bytes(self.array()?).into())
    }

    fn int(&mut self) -> Result<usize, Malformed> {
        nullable(i32::from_be_bytes(self.array()?))
    }

    fn varint(&mut self) -> Result<usize, Malformed> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            if shift == 28 && byte > 0x0f {
                return Err(Malformed::Length);
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return usize::try_from(value).map_err(|_| Malformed::Length);
            }
        }
        Err(Malformed::Length)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, _) = self.bytes[self.at..].split_first_chunk().ok_or(Malformed::Truncated)?;
        self.at += N;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let bytes = self.bytes[self.at..].get(..length).ok_or(Malformed::Truncated)?;
        self.at += length;
        Ok(bytes)
    }

    fn skip(&mut self, length: usize) -> Result<(), Malformed> {
        self.take(length).map(|_| ())
    }
}

fn nullable(length: i32) -> Result<usize, Malformed> {
    match length {
        -1 => Ok(0),
        length => usize::try_from(length).map_err(|_| Malformed::Length),
    }
}

#[cfg(test)]
mod tests;
