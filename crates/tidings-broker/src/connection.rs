//! One connection: requests are carried out one after the other in the order in which they came,
//! as Apache Kafka does, and answered in that order.
//!
//! Two things run ahead. A Produce is appended when it is its turn, but its answer waits for the
//! disk while the requests behind it go on. And while a request waits (a long poll, a join), the
//! next one is already taken off the socket, which is how a closed connection is noticed.
//!
//! ```text
//! socket -> reader: frame -> guard -> handler -> queue of answers -> writer -> socket
//!                                         Produce: append -> queue of promises -^
//! ```

use std::future::Future;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Encodable, StrBytes};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use crate::api::{self, Call, Unserved};
use crate::limits::{LARGE_RESPONSE_BYTES, MAX_IN_FLIGHT};
use crate::shared::{Client, Shared};
use crate::wire::frames::{Frame, FrameError, Frames};
use crate::wire::guard::{self, Head};
use crate::wire::{Response, write};

/// An answer, or the promise of one; `None` where the client wants none.
type Promise = BoxFuture<'static, Option<Response>>;

/// One place in the line of answers.
struct Answer {
    promise: Promise,
    _in_flight: OwnedSemaphorePermit,
    _large: Option<OwnedSemaphorePermit>,
}

/// Serves one connection until it ends, and logs why if the reason is worth it.
pub(crate) async fn serve(broker: Arc<Shared>, stream: TcpStream, peer: SocketAddr) {
    // Answers are written whole; waiting to fill packets would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
    }
    let (read, write) = stream.into_split();
    let (line, answers) = mpsc::channel(MAX_IN_FLIGHT);
    let reader = Reader {
        frames: Frames::new(read, broker.large_frames.clone()),
        broker: broker.clone(),
        peer,
        line,
        in_flight: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
        large: Arc::new(Semaphore::new(1)),
        ahead: None,
    };
    let writer = write_answers(broker, write, answers);
    // When the writer fails, nobody reads the answers: the reader stops too. When the reader
    // ends, the writer finishes the line.
    let mut reader = Box::pin(reader.run());
    let mut writer = Box::pin(writer);
    let ended = tokio::select! {
        ended = &mut reader => {
            drop(reader);
            writer.await.and(ended)
        }
        ended = &mut writer => ended,
    };
    match ended {
        Ok(()) => tracing::debug!(%peer, "connection closed"),
        Err(End::Io(error)) => tracing::debug!(%peer, %error, "connection broke"),
        Err(End::Closed(reason)) => tracing::warn!(%peer, %reason, "closed the connection"),
    }
}

/// Why a connection ended other than by the client's wish.
enum End {
    /// The network or the other side broke it.
    Io(std::io::Error),
    /// We closed it.
    Closed(String),
}

impl From<FrameError> for End {
    fn from(error: FrameError) -> End {
        match error {
            FrameError::Io(error) => End::Io(error),
            other => End::Closed(other.to_string()),
        }
    }
}

impl From<Unserved> for End {
    fn from(unserved: Unserved) -> End {
        End::Closed(unserved.0)
    }
}

struct Reader {
    broker: Arc<Shared>,
    peer: SocketAddr,
    frames: Frames<OwnedReadHalf>,
    line: mpsc::Sender<Answer>,
    in_flight: Arc<Semaphore>,
    large: Arc<Semaphore>,
    /// The request that arrived while the one before it waited.
    ahead: Option<Frame>,
}

impl Reader {
    async fn run(mut self) -> Result<(), End> {
        let mut stop = self.broker.stop.clone();
        loop {
            let frame = match self.ahead.take() {
                Some(frame) => frame,
                None => tokio::select! {
                    biased;
                    () = stop.requested() => return Ok(()),
                    next = timeout(self.broker.config.idle_timeout, self.frames.next()) => {
                        match next {
                            Ok(Ok(Some(frame))) => frame,
                            Ok(Ok(None)) => return Ok(()),
                            Ok(Err(error)) => return Err(error.into()),
                            Err(_) => return Ok(()),
                        }
                    }
                },
            };
            if self.request(frame).await?.is_break() {
                return Ok(());
            }
        }
    }

    /// Carries out one request and puts its answer into the line.
    async fn request(&mut self, frame: Frame) -> Result<ControlFlow<()>, End> {
        let in_flight = self.in_flight.clone().acquire_owned().await;
        let in_flight = in_flight.expect("the semaphore is never closed");
        let Some(head) = self.admit(&frame)? else {
            let response = api_versions_unknown(&frame)?;
            return self.put(in_flight, Some(response)).await;
        };
        let client = Client { addr: self.peer, id: StrBytes::from_string(head.client_id.into()) };
        let call = Call {
            version: head.version,
            correlation_id: head.correlation_id,
            body: frame.bytes.slice(head.body_at..),
        };
        let key = head.key;
        if key == ApiKey::Produce as i16 {
            let promise = api::produce(&self.broker, &client, call)?;
            drop(frame);
            return match promise {
                Some(promise) => {
                    self.queue(Answer { promise, _in_flight: in_flight, _large: None }).await
                }
                None => Ok(ControlFlow::Continue(())),
            };
        }
        drop(frame);
        if key == ApiKey::Fetch as i16 {
            // While the client has not taken one large answer, none is read from the disk for it:
            // a client that never reads its socket holds one, not two.
            let turn = self.large.clone().acquire_owned().await;
            drop(turn.expect("the semaphore is never closed"));
        }
        let broker = self.broker.clone();
        match self.while_reading(key, api::dispatch(&broker, &client, key, call)).await? {
            Some(response) => self.put(in_flight, Some(response)).await,
            None => Ok(ControlFlow::Break(())),
        }
    }

    /// Header, table and guard. `None` asks for the answer to an unknown version of ApiVersions.
    fn admit<'a>(&self, frame: &'a Frame) -> Result<Option<Head<'a>>, End> {
        let bytes = &frame.bytes[..];
        let (key, version) = guard::key_and_version(bytes).expect("frames have 8 bytes or more");
        let Some(api) = api::find(key) else {
            return Err(End::Closed(format!("API key {key} (version {version}) is not served")));
        };
        if !api.versions.contains(&version) {
            if key == ApiKey::ApiVersions as i16 {
                return Ok(None);
            }
            let text = format!("{} version {version} is not served", api.name);
            return Err(End::Closed(text));
        }
        let malformed = |why| End::Closed(format!("a malformed {} request: {why}", api.name));
        let head = guard::head(bytes).map_err(malformed)?;
        guard::check(key, version, &bytes[head.body_at..]).map_err(malformed)?;
        self.broker.stats.request(key, bytes.len());
        Ok(Some(head))
    }

    /// Awaits `work` and takes the next request off the socket meanwhile. `None` if the client
    /// went away (or the broker stops) during a wait that nobody else depends on.
    async fn while_reading(
        &mut self,
        key: i16,
        work: impl Future<Output = Result<Response, Unserved>>,
    ) -> Result<Option<Response>, End> {
        let mut work = std::pin::pin!(work);
        let mut stop = self.broker.stop.clone();
        let waits = is_wait(key);
        let mut open = true;
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(Some(done?)),
                () = stop.requested(), if waits => return Ok(None),
                next = self.frames.next(), if open && self.ahead.is_none() => match next {
                    Ok(Some(frame)) => self.ahead = Some(frame),
                    Ok(None) if waits => return Ok(None),
                    Err(error) if waits => return Err(error.into()),
                    Ok(None) | Err(_) => open = false,
                },
            }
        }
    }

    async fn put(
        &mut self,
        in_flight: OwnedSemaphorePermit,
        response: Option<Response>,
    ) -> Result<ControlFlow<()>, End> {
        let large = match &response {
            Some(response) if response.bytes() > LARGE_RESPONSE_BYTES => {
                let permit = self.large.clone().acquire_owned().await;
                Some(permit.expect("the semaphore is never closed"))
            }
            _ => None,
        };
        let promise = Box::pin(std::future::ready(response));
        self.queue(Answer { promise, _in_flight: in_flight, _large: large }).await
    }

    async fn queue(&mut self, answer: Answer) -> Result<ControlFlow<()>, End> {
        match self.line.send(answer).await {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(_) => Ok(ControlFlow::Break(())),
        }
    }
}

/// Requests that wait for something else to happen, and may be given up with their connection.
fn is_wait(key: i16) -> bool {
    [ApiKey::Fetch, ApiKey::JoinGroup, ApiKey::SyncGroup].iter().any(|wait| *wait as i16 == key)
}

/// ApiVersions in a version of the future: a v0 body with error 35 and the list (KIP-511).
fn api_versions_unknown(frame: &Frame) -> Result<Response, End> {
    let (id, _) = frame.bytes[4..].split_first_chunk().expect("frames have 8 bytes or more");
    let answer = api::api_versions::answer(ResponseError::UnsupportedVersion.code());
    Response::encode(i32::from_be_bytes(*id), 0, |out| answer.encode(out, 0))
        .map_err(|error| End::Closed(format!("cannot encode ApiVersions: {error}")))
}

async fn write_answers(
    broker: Arc<Shared>,
    mut socket: OwnedWriteHalf,
    mut answers: mpsc::Receiver<Answer>,
) -> Result<(), End> {
    while let Some(answer) = answers.recv().await {
        if let Some(response) = answer.promise.await {
            write::response(&mut socket, &response).await.map_err(End::Io)?;
            broker.stats.sent(response.bytes());
        }
    }
    Ok(())
}
