//! Takes requests off a socket: length first, within bounds of size, memory and patience.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::limits::{
    FRAME_PATIENCE, FRAME_PATIENCE_BYTES_PER_S, LARGE_FRAME_BYTES, LARGE_FRAMES_BUDGET_BYTES,
    MAX_REQUEST_BYTES, MIN_REQUEST_BYTES, READ_CHUNK_BYTES,
};

/// One request without its length prefix.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    /// The share of the budget for large frames that goes back when the frame is dropped.
    _budget: Option<OwnedSemaphorePermit>,
}

/// Why no further request can be read from a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a request of {0} bytes was announced; requests have 8 to {MAX_REQUEST_BYTES} bytes")]
    Length(i32),
    #[error("a request did not arrive whole within {0:?}")]
    Slow(Duration),
    #[error("the connection ended inside of a request")]
    Cut,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The memory that all connections together may hold in large requests that are still arriving
/// or being appended.
#[derive(Debug, Clone)]
pub(crate) struct LargeFrames(Arc<Semaphore>);

impl LargeFrames {
    pub(crate) fn new() -> LargeFrames {
        LargeFrames(Arc::new(Semaphore::new(LARGE_FRAMES_BUDGET_BYTES / 1024)))
    }
}

/// The reading side of a connection.
pub(crate) struct Frames<R> {
    source: R,
    buffer: BytesMut,
    large: LargeFrames,
    /// When the frame that is arriving must be whole.
    deadline: Option<Instant>,
    budget: Option<OwnedSemaphorePermit>,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(crate) fn new(source: R, large: LargeFrames) -> Frames<R> {
        Frames { source, buffer: BytesMut::new(), large, deadline: None, budget: None }
    }

    /// The next request, or `None` when the other side has closed between two requests. Waits
    /// without limit for a request's first byte, and a limited time for its last. May be dropped
    /// at any time: what has arrived is kept for the next call.
    pub(crate) async fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            let wanted = self.wanted()?;
            if self.buffer.len() >= wanted && wanted > 4 {
                self.buffer.advance(4);
                let bytes = self.buffer.split_to(wanted - 4).freeze();
                self.deadline = None;
                return Ok(Some(Frame { bytes, _budget: self.budget.take() }));
            }
            if wanted > LARGE_FRAME_BYTES && self.budget.is_none() {
                let kib = u32::try_from(wanted / 1024).expect("a frame is below 4 TiB");
                let permit = self.large.0.clone().acquire_many_owned(kib).await;
                self.budget = Some(permit.expect("the budget is never closed"));
            }
            if !self.fill(wanted).await? {
                return Ok(None);
            }
        }
    }

    /// How many bytes the buffer must hold for the next step: 4 for the length, or the whole.
    fn wanted(&self) -> Result<usize, FrameError> {
        let Some((length, _)) = self.buffer.split_first_chunk::<4>() else { return Ok(4) };
        let length = i32::from_be_bytes(*length);
        match usize::try_from(length) {
            Ok(bytes) if (MIN_REQUEST_BYTES..=MAX_REQUEST_BYTES).contains(&bytes) => Ok(4 + bytes),
            _ => Err(FrameError::Length(length)),
        }
    }

    /// Reads once; false at the end of the stream.
    async fn fill(&mut self, wanted: usize) -> Result<bool, FrameError> {
        // What is announced is only reserved up to a bound; beyond it the buffer doubles as the
        // bytes really arrive, so an announcement alone costs nothing.
        let missing = wanted - self.buffer.len();
        let room = missing.min(LARGE_FRAME_BYTES.max(self.buffer.len())).max(READ_CHUNK_BYTES);
        self.buffer.reserve(room);
        let read = if self.buffer.is_empty() {
            self.source.read_buf(&mut self.buffer).await?
        } else {
            let patience =
                FRAME_PATIENCE + Duration::from_secs((wanted / FRAME_PATIENCE_BYTES_PER_S) as u64);
            let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + patience);
            match timeout_at(deadline, self.source.read_buf(&mut self.buffer)).await {
                Ok(read) => read?,
                Err(_) => return Err(FrameError::Slow(patience)),
            }
        };
        if read == 0 && !self.buffer.is_empty() { Err(FrameError::Cut) } else { Ok(read > 0) }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// A busy producer sends megabytes, one after the other. As long as nothing holds on to the
    /// last one, the next arrives in the same memory: fresh pages for each would cost more than
    /// the checksum of what comes in them.
    #[tokio::test]
    async fn a_request_that_is_done_with_leaves_its_memory_to_the_next() {
        const BYTES: usize = 1 << 20;
        let (mut client, server) = tokio::io::duplex(64 << 10);
        let sending = tokio::spawn(async move {
            for _ in 0..8 {
                client.write_all(&(BYTES as i32).to_be_bytes()).await.unwrap();
                client.write_all(&vec![7; BYTES]).await.unwrap();
            }
        });
        let mut frames = Frames::new(server, LargeFrames::new());
        let mut places = Vec::new();
        while let Some(frame) = frames.next().await.unwrap() {
            assert_eq!(frame.bytes.len(), BYTES);
            places.push(frame.bytes.as_ptr() as usize);
        }
        sending.await.unwrap();
        let settled = &places[places.len() - 4..];
        let apart = settled.iter().max().unwrap() - settled.iter().min().unwrap();
        assert!(apart < BYTES, "four requests came in {places:x?}");
    }
}
