//! A record's headers as librdkafka keeps them, written straight from the event: a list of our own
//! in between would double the allocations per published event.

use bytes::Bytes;
use rdkafka::message::{Header, OwnedHeaders};

use crate::cloudevents::{CloudEvent, Headers, each_attribute};

/// Two length fields of a header: variable-length integers of at most five bytes.
const LENGTH_FIELDS_BYTES: usize = 10;

/// Headers with their size.
pub(super) struct NativeHeaders {
    /// Always there between calls: rdkafka's list is passed through its `insert` by value.
    headers: Option<OwnedHeaders>,
    bytes: usize,
}

impl NativeHeaders {
    /// The attributes of binary mode, then what is not CloudEvents.
    pub(super) fn of_event(event: &CloudEvent) -> NativeHeaders {
        let mut native = NativeHeaders::new(8 + event.extensions.len() + event.headers.len());
        each_attribute(event, |name, value| native.push(name, Some(value.as_bytes())));
        native.extend(&event.headers);
        native
    }

    pub(super) fn of(headers: &Headers) -> NativeHeaders {
        let mut native = NativeHeaders::new(headers.len());
        native.extend(headers);
        native
    }

    /// Key, value and headers with their length fields, at most.
    pub(super) fn record_bytes(&self, key: Option<&Bytes>, value: Option<&Bytes>) -> usize {
        self.bytes + key.map_or(0, Bytes::len) + value.map_or(0, Bytes::len)
    }

    pub(super) fn into_owned(self) -> OwnedHeaders {
        self.headers.unwrap_or_default()
    }

    fn new(capacity: usize) -> NativeHeaders {
        NativeHeaders { headers: Some(OwnedHeaders::new_with_capacity(capacity)), bytes: 0 }
    }

    fn extend(&mut self, headers: &Headers) {
        for (name, value) in headers {
            self.push(name, value.as_deref());
        }
    }

    fn push(&mut self, key: &str, value: Option<&[u8]>) {
        self.bytes += key.len() + value.map_or(0, <[u8]>::len) + LENGTH_FIELDS_BYTES;
        self.headers = self.headers.take().map(|headers| headers.insert(Header { key, value }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_records_size_counts_key_value_and_headers() {
        let headers =
            vec![("abc".to_owned(), Some(Bytes::from_static(b"12"))), ("n".to_owned(), None)];
        let native = NativeHeaders::of(&headers);
        assert_eq!(native.record_bytes(None, None), 3 + 2 + 10 + 1 + 10);
        let (key, value) = (Bytes::from_static(b"1042"), Bytes::from_static(b"{}"));
        assert_eq!(native.record_bytes(Some(&key), Some(&value)), 26 + 6);
    }
}
