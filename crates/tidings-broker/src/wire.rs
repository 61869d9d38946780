//! Bytes on the connection: frames, the guard before the codec, and responses as scattered chunks.

mod response;

pub(crate) use response::Response;
