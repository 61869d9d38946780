//! Bytes on the connection: frames, the guard before the codec, and responses as scattered chunks.

pub(crate) mod frames;
pub(crate) mod guard;
mod layouts;
mod response;
pub(crate) mod write;

pub(crate) use response::Response;
