//! How large a record is, before it is sent: the same sum for the limit and for the queue.

use bytes::Bytes;

use crate::cloudevents::Headers;

/// Key, value and headers with their length fields, at most.
pub(super) fn record_bytes(key: Option<&Bytes>, value: Option<&Bytes>, headers: &Headers) -> usize {
    /// Two length fields of a header: variable-length integers of at most five bytes.
    const HEADER_LENGTHS: usize = 10;
    let header = |(name, value): &(String, Option<Bytes>)| {
        name.len() + value.as_ref().map_or(0, Bytes::len) + HEADER_LENGTHS
    };
    key.map_or(0, Bytes::len)
        + value.map_or(0, Bytes::len)
        + headers.iter().map(header).sum::<usize>()
}
