//! The ways in for the fuzz targets (`fuzz/`), behind a feature of that name: what comes off a
//! socket or out of a journal, without the socket and the disk. Not meant for anything else.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use tokio::time::timeout;

use crate::api::{self, Call, TABLE};
use crate::config::Config;
use crate::groups;
use crate::shared::{Client, Shared};
use crate::wire::frames::{Frames, LargeFrames};
use crate::wire::guard;
use crate::{Broker, ids, topics};

/// How long a request may wait (a long poll, a join) before its client is taken for gone.
const PATIENCE: Duration = Duration::from_millis(5);

/// Key, first and last version of every request that is served.
pub fn requests() -> impl Iterator<Item = (i16, i16, i16)> {
    TABLE.iter().map(|api| (api.key, *api.versions.start(), *api.versions.end()))
}

/// Takes requests off a stream as a connection does, checks and decodes each, and says how many
/// were sound.
pub async fn decode_stream(stream: &[u8]) -> usize {
    let mut frames = Frames::new(stream, LargeFrames::new());
    let mut sound = 0;
    while let Ok(Some(frame)) = frames.next().await {
        let Some((key, version)) = guard::key_and_version(&frame.bytes) else { break };
        if !api::find(key).is_some_and(|api| api.versions.contains(&version)) {
            break;
        }
        let Ok(head) = guard::head(&frame.bytes) else { break };
        if guard::check(key, version, &frame.bytes[head.body_at..]).is_err() {
            break;
        }
        let mut body = frame.bytes.slice(head.body_at..);
        if api::decode_only(key, version, &mut body).is_ok() {
            sound += 1;
        }
    }
    sound
}

/// A broker in memory that is asked without a network.
#[derive(Debug)]
pub struct Asked {
    broker: Broker,
    client: Client,
}

impl Asked {
    /// Starts one.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(runtime: &tokio::runtime::Runtime) -> Asked {
        let config = Config { memory_limit_bytes: 16 << 20, ..Config::memory() };
        let broker = runtime.block_on(Broker::start(config)).expect("a broker in memory starts");
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        Asked { broker, client: Client { addr, id: StrBytes::from_static_str("fuzz") } }
    }

    /// Guard, codec, handler, and the codec again for the answer: how many bytes were answered.
    pub fn ask(&self, key: i16, version: i16, body: &[u8]) -> Option<usize> {
        guard::check(key, version, body).ok()?;
        let call = Call { version, correlation_id: 1, body: Bytes::copy_from_slice(body) };
        let (shared, runtime) = self.broker.inside();
        runtime.block_on(async { timeout(PATIENCE, self.answer(shared, key, call)).await.ok()? })
    }

    async fn answer(&self, shared: &Arc<Shared>, key: i16, call: Call) -> Option<usize> {
        if key == 0 {
            let promise = api::produce(shared, &self.client, call).ok()??;
            return Some(promise.await?.bytes());
        }
        let response = api::dispatch(shared, &self.client, key, call).await.ok()?;
        Some(response.bytes())
    }
}

/// An entry of `topics.journal`, `ids.journal` or `offsets.journal`, or a member's subscription.
///
/// # Panics
/// If an entry of offsets that was read is written differently.
pub fn entry(kind: u8, bytes: &[u8]) {
    match kind % 4 {
        0 => drop(topics::replay(&[Bytes::copy_from_slice(bytes)])),
        1 => drop(ids::replay(&[Bytes::copy_from_slice(bytes)])),
        2 => groups::reread(bytes),
        _ => drop(groups::topics_of(bytes)),
    }
}
