//! Writes a response's chunks with as few calls and copies as the system allows.

use std::io::{self, IoSlice};

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::limits::WRITE_PATIENCE;
use crate::wire::Response;

/// The most chunks handed to one vectored write; Linux takes 1,024 (IOV_MAX).
const MAX_SLICES: usize = 64;

/// Writes all of `response`, giving up when the other side takes nothing for too long.
pub(crate) async fn response<W: AsyncWrite + Unpin>(
    socket: &mut W,
    response: &Response,
) -> io::Result<()> {
    let mut chunks: Vec<&[u8]> =
        response.chunks().iter().map(|chunk| &chunk[..]).filter(|c| !c.is_empty()).collect();
    let mut left = &mut chunks[..];
    while !left.is_empty() {
        let slices: Vec<IoSlice<'_>> =
            left.iter().take(MAX_SLICES).map(|chunk| IoSlice::new(chunk)).collect();
        let written = match timeout(WRITE_PATIENCE, socket.write_vectored(&slices)).await {
            Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => written?,
            Err(_) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads nothing"));
            }
        };
        left = behind(left, written);
    }
    Ok(())
}

/// What is left of the chunks after `written` bytes.
fn behind<'a, 'b>(mut chunks: &'a mut [&'b [u8]], mut written: usize) -> &'a mut [&'b [u8]] {
    while let Some(first) = chunks.first_mut() {
        if written < first.len() {
            *first = &first[written..];
            break;
        }
        written -= first.len();
        chunks = &mut std::mem::take(&mut chunks)[1..];
    }
    chunks
}
