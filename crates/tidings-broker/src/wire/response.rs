//! A response ready to be written: chunks that are sent one after the other, so that record
//! batches travel from the log to the socket without being copied into a message.

use bytes::{BufMut, Bytes, BytesMut};

/// One encoded response with its length prefix.
#[derive(Debug)]
pub(crate) struct Response {
    chunks: Vec<Bytes>,
    bytes: usize,
}

impl Response {
    /// Encodes a response that fits in one chunk: length, correlation id, the tagged fields of a
    /// flexible header (none), body.
    pub(crate) fn encode<E>(
        correlation_id: i32,
        header_version: i16,
        body: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<Response, E> {
        let mut out = BytesMut::with_capacity(256);
        out.put_i32(0);
        out.put_i32(correlation_id);
        if header_version >= 1 {
            out.put_u8(0);
        }
        body(&mut out)?;
        let bytes = out.len();
        out[..4].copy_from_slice(&prefix(bytes - 4));
        Ok(Response { chunks: vec![out.freeze()], bytes })
    }

    /// Puts a response together from the chunks behind its length prefix.
    pub(crate) fn from_chunks(mut chunks: Vec<Bytes>) -> Response {
        let bytes = chunks.iter().map(Bytes::len).sum::<usize>();
        chunks.insert(0, Bytes::copy_from_slice(&prefix(bytes)));
        Response { chunks, bytes: bytes + 4 }
    }

    /// The chunks in the order in which they are sent.
    pub(crate) fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// All bytes, length prefix included.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn prefix(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).expect("responses are far below 4 GiB").to_be_bytes()
}
