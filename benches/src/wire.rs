//! Kafka's wire by hand, one request in flight: what a client library would add is not measured.
//! Only old, plain versions are spoken, which every broker of today serves.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Outcome;

pub(crate) const PRODUCE: i16 = 0;
pub(crate) const FETCH: i16 = 1;
pub(crate) const LIST_OFFSETS: i16 = 2;

/// No answer takes so long on one machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where the correlation id stands in a request, after length, key and version.
const CORRELATION_AT: usize = 8;
/// A response's length and correlation id.
const RESPONSE_HEAD: usize = 8;

/// A connection with one request in flight.
pub(crate) struct Wire {
    stream: TcpStream,
    correlation: i32,
    answer: Vec<u8>,
}

impl Wire {
    pub(crate) fn connect(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, correlation: 0, answer: Vec::new() })
    }

    /// Sends a request that [`request`] made and returns what comes after the answer's head.
    pub(crate) fn call(&mut self, request: &mut [u8]) -> Outcome<&[u8]> {
        self.correlation = self.correlation.wrapping_add(1);
        request[CORRELATION_AT..][..4].copy_from_slice(&self.correlation.to_be_bytes());
        self.stream.write_all(request)?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length))?;
        self.answer.resize(length, 0);
        self.stream.read_exact(&mut self.answer)?;
        match self.answer.split_at_checked(RESPONSE_HEAD - 4) {
            Some((id, body)) if id == self.correlation.to_be_bytes() => Ok(body),
            _ => Err("the answer belongs to another request".into()),
        }
    }
}

/// A request with its length and a header of version 1.
pub(crate) fn request(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    put(&mut bytes, key.to_be_bytes());
    put(&mut bytes, version.to_be_bytes());
    put(&mut bytes, 0i32.to_be_bytes());
    text(&mut bytes, "load");
    bytes.extend_from_slice(body);
    let length = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// Produce v7 of one batch, acks=all.
pub(crate) fn produce(topic: &str, partition: i32, batch: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    put(&mut body, (-1i16).to_be_bytes()); // no transaction
    put(&mut body, (-1i16).to_be_bytes()); // acks=all
    put(&mut body, 30_000i32.to_be_bytes());
    one_partition(&mut body, topic, partition);
    put(&mut body, (batch.len() as u32).to_be_bytes());
    body.extend_from_slice(batch);
    request(PRODUCE, 7, &body)
}

/// The offset that a Produce v7 was given.
pub(crate) fn produced(topic: &str, answer: &[u8]) -> Outcome<i64> {
    let mut at = Reader::new(answer);
    at.skip(4 + 2 + topic.len() + 4 + 4)?;
    at.ok("produce")?;
    at.i64()
}

/// Fetch v4 of one partition, at once or within `wait_ms` when a byte is there.
pub(crate) fn fetch(topic: &str, partition: i32, offset: i64, max_bytes: i32) -> Vec<u8> {
    let mut body = Vec::new();
    put(&mut body, (-1i32).to_be_bytes());
    put(&mut body, 500i32.to_be_bytes());
    put(&mut body, 1i32.to_be_bytes());
    put(&mut body, max_bytes.to_be_bytes());
    body.push(0); // uncommitted too
    one_partition(&mut body, topic, partition);
    put(&mut body, offset.to_be_bytes());
    put(&mut body, max_bytes.to_be_bytes());
    request(FETCH, 4, &body)
}

/// The records of a Fetch v4.
pub(crate) fn fetched<'a>(topic: &str, answer: &'a [u8]) -> Outcome<&'a [u8]> {
    let mut at = Reader::new(answer);
    at.skip(4 + 4 + 2 + topic.len() + 4 + 4)?;
    at.ok("fetch")?;
    at.skip(8 + 8)?;
    let aborted = usize::try_from(at.i32()?.max(0))?;
    at.skip(aborted * 16)?;
    let length = usize::try_from(at.i32()?.max(0))?;
    at.bytes(length)
}

/// ListOffsets v1 of one partition: the first offset at or after a time; -1 asks for the end.
pub(crate) fn list_offsets(topic: &str, partition: i32, time_ms: i64) -> Vec<u8> {
    let mut body = Vec::new();
    put(&mut body, (-1i32).to_be_bytes());
    one_partition(&mut body, topic, partition);
    put(&mut body, time_ms.to_be_bytes());
    request(LIST_OFFSETS, 1, &body)
}

/// (time, offset) of a ListOffsets v1.
pub(crate) fn listed(topic: &str, answer: &[u8]) -> Outcome<(i64, i64)> {
    let mut at = Reader::new(answer);
    at.skip(4 + 2 + topic.len() + 4 + 4)?;
    at.ok("list offsets")?;
    Ok((at.i64()?, at.i64()?))
}

pub(crate) fn put<const N: usize>(bytes: &mut Vec<u8>, number: [u8; N]) {
    bytes.extend_from_slice(&number);
}

pub(crate) fn text(bytes: &mut Vec<u8>, text: &str) {
    put(bytes, (text.len() as u16).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// An array of one topic with an array of one partition.
fn one_partition(body: &mut Vec<u8>, topic: &str, partition: i32) {
    put(body, 1i32.to_be_bytes());
    text(body, topic);
    put(body, 1i32.to_be_bytes());
    put(body, partition.to_be_bytes());
}

/// Takes fields off bytes that another process sent.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Outcome<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("a message ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Outcome {
        self.bytes(count).map(drop)
    }

    fn number<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        Ok(self.bytes(N)?.try_into()?)
    }

    pub(crate) fn i16(&mut self) -> Outcome<i16> {
        self.number().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Outcome<i32> {
        self.number().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Outcome<i64> {
        self.number().map(i64::from_be_bytes)
    }

    /// A string; empty for null.
    pub(crate) fn text(&mut self) -> Outcome<&'a str> {
        let length = usize::try_from(self.i16()?.max(0))?;
        Ok(std::str::from_utf8(self.bytes(length)?)?)
    }

    fn ok(&mut self, what: &str) -> Outcome {
        match self.i16()? {
            0 => Ok(()),
            code => Err(format!("{what} is answered with error {code}").into()),
        }
    }
}
