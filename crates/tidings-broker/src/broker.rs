//! Starts and stops the whole: data directory, recovery, listener, tasks; in this order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Instant;

use tidings_log::DataDir;
use tidings_log::storage::{Memory, Storage};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::{Config, Durability};
use crate::groups::{Groups, GroupsConfig};
use crate::ids::Ids;
use crate::limits::{
    MEMORY_SEGMENTS, MIN_SEGMENT_BYTES, PROCESS_SEGMENT_BYTES, SEGMENT_BYTES, SHUTDOWN_PATIENCE,
    WORKER_THREADS,
};
use crate::listener;
use crate::memory::Memory as MemoryMeter;
use crate::reserve::Reserve;
use crate::retention;
use crate::shared::Shared;
use crate::start_error::{ShutdownError, StartError};
use crate::stats::{Counters, Stats};
use crate::stop::{self, Stopper};
use crate::topics::Topics;
use crate::topics::settings::Defaults;
use crate::wire::frames::LargeFrames;

/// A running broker. Dropping it without [`Broker::shutdown`] is like killing it: its tasks are
/// aborted, and what was acknowledged is as safe as its [`Durability`] promises.
pub struct Broker {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stopper: Stopper,
    tasks: Vec<JoinHandle<()>>,
    data: Option<DataDir>,
    runtime: Option<Runtime>,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Broker {
    /// Opens the data, recovers it, binds the address and serves. When this returns, clients can
    /// connect. Works on any async runtime: the broker brings its own threads.
    ///
    /// # Errors
    /// [`StartError`]; each is a sentence that says what to do.
    pub async fn start(config: Config) -> Result<Broker, StartError> {
        // Opening blocks on the disk. A thread does it, and tells by a channel when it is done.
        let (tell, told) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("tidings-broker-start".into())
            .spawn(move || {
                // If nobody waits any more, the broker is dropped and with it stops.
                let _ = tell.send(start(config));
            })
            .map_err(StartError::Threads)?;
        told.await.unwrap_or(Err(StartError::Cancelled))
    }

    /// The address that it listens on, with the port that was picked if 0 was asked for.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What clients are to be given as `bootstrap.servers`: the advertised host and port.
    pub fn bootstrap(&self) -> String {
        let (host, port) = &self.shared.advertised;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// What an acknowledged write has survived.
    pub fn durability(&self) -> Durability {
        self.shared.config.durability
    }

    /// Where the data lives; `None` for memory.
    pub fn data(&self) -> Option<&std::path::Path> {
        self.data.as_ref().map(DataDir::path)
    }

    /// What it has done so far.
    pub fn stats(&self) -> Stats {
        self.shared.stats.snapshot()
    }

    /// What the fuzz targets ask without a network.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn inside(&self) -> (&Arc<Shared>, &Runtime) {
        (&self.shared, self.runtime.as_ref().expect("present until shutdown"))
    }

    /// Stops: takes no more requests, answers those that were taken, syncs and closes the logs so
    /// that the next start need not read them, gives the data directory back.
    ///
    /// # Errors
    /// [`ShutdownError`] if something could not be closed; what was acknowledged is as safe as
    /// ever, and the next start verifies the rest.
    pub async fn shutdown(mut self) -> Result<(), ShutdownError> {
        let runtime = self.runtime.take().expect("present until shutdown");
        let (shared, tasks) = (self.shared.clone(), std::mem::take(&mut self.tasks));
        self.stopper.request();
        let stopping = runtime.spawn(async move {
            for task in tasks {
                let abort = task.abort_handle();
                if timeout(SHUTDOWN_PATIENCE, task).await.is_err() {
                    tracing::warn!("some connections did not end in time and were dropped");
                    abort.abort();
                }
            }
            shared.groups.close().await;
            crate::blocking::run(move || shared.topics.close()).await
        });
        let closed = stopping.await;
        runtime.shutdown_background();
        match closed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(text)) => Err(ShutdownError::Close(text)),
            Err(_) => Err(ShutdownError::Close("the broker's tasks were cancelled".into())),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        if let Some(runtime) = self.runtime.take() {
            // Requests may still run on other threads. The directory's lock is given back right
            // after this, so from here on they must not write.
            self.shared.topics.abandon();
            runtime.shutdown_background();
        }
    }
}

fn start(mut config: Config) -> Result<Broker, StartError> {
    let began = Instant::now();
    if !config.listen.ip().is_loopback() && !config.danger_open_listener {
        return Err(StartError::OpenListener { addr: config.listen });
    }
    let (storage, data) = open_storage(&config)?;
    if data.is_none() && config.storage.is_none() {
        config.durability = Durability::Process;
    }
    let workers = available_parallelism().map_or(WORKER_THREADS, |n| n.get().max(WORKER_THREADS));
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("tidings-broker")
        .enable_all()
        .build()
        .map_err(StartError::Threads)?;
    let (stopper, stop) = stop::pair();
    let handle = runtime.handle().clone();
    // Bound before anything else is told about it, so that port 0 has become a real port.
    let listener = runtime.block_on(listener::bind(config.listen))?;
    let addr = listener.local_addr().map_err(StartError::Address)?;
    let shared = open_shared(config, storage, addr, stop, &handle)?;
    let tasks = spawn_tasks(&handle, &shared, listener);
    tracing::info!(
        %addr,
        data = %data.as_ref().map_or("memory".into(), |data| data.path().display().to_string()),
        durability = %shared.config.durability,
        topics = shared.topics.all().len(),
        ms = began.elapsed().as_millis(),
        "broker started"
    );
    Ok(Broker { addr, shared, stopper, tasks, data, runtime: Some(runtime) })
}

fn open_storage(config: &Config) -> Result<(Arc<dyn Storage>, Option<DataDir>), StartError> {
    if let Some(storage) = &config.storage {
        return Ok((storage.clone(), None));
    }
    match &config.data {
        Some(path) => {
            let data = DataDir::open(path)?;
            Ok((data.storage(), Some(data)))
        }
        None => Ok((Arc::new(Memory::new()), None)),
    }
}

fn open_shared(
    config: Config,
    storage: Arc<dyn Storage>,
    addr: SocketAddr,
    stop: stop::Stop,
    runtime: &Handle,
) -> Result<Arc<Shared>, StartError> {
    let ids = Arc::new(Ids::open(storage.clone()).map_err(StartError::data)?);
    let defaults = Defaults { segment_bytes: default_segment_bytes(&config) };
    let (durability, threads) = (config.durability, runtime.clone());
    let (topics, cut) =
        Topics::open(storage.clone(), durability, threads, defaults).map_err(StartError::data)?;
    let topics = Arc::new(topics);
    let groups_config = GroupsConfig {
        initial_rebalance_delay_ms: millis(config.group_initial_rebalance_delay),
        sync_commits: config.durability == Durability::Power,
        ..GroupsConfig::default()
    };
    let groups = runtime.block_on(async {
        let clock = config.clock.clone();
        let groups = Groups::open(storage, groups_config, clock, topics.clone()).await?;
        for tail in cut {
            groups.clamp(&tail.topic, tail.partition.0, tail.end.value()).await;
        }
        Ok::<_, crate::groups::OpenGroupsError>(groups)
    });
    let groups = groups.map_err(StartError::data)?;
    let advertised = match &config.advertise {
        Some((host, 0)) => (host.clone(), addr.port()),
        Some((host, port)) => (host.clone(), *port),
        None => (reachable_host(addr), addr.port()),
    };
    Ok(Arc::new(Shared {
        clock: config.clock.clone(),
        advertised,
        topics,
        ids,
        groups,
        stats: Counters::new(),
        stop,
        large_frames: LargeFrames::new(),
        memory: MemoryMeter::new(config.memory_limit_bytes / MEMORY_SEGMENTS),
        reserve: Reserve::new(config.data.as_deref()),
        config,
    }))
}

/// Nobody can connect to 0.0.0.0: clients on this machine are told the loopback address, and
/// others need `advertise`.
fn reachable_host(addr: SocketAddr) -> String {
    if !addr.ip().is_unspecified() {
        return addr.ip().to_string();
    }
    tracing::warn!(
        "clients are told 127.0.0.1, because {} is no address to connect to; \
         give an advertised address for clients on other machines",
        addr.ip()
    );
    "127.0.0.1".into()
}

fn spawn_tasks(
    runtime: &Handle,
    shared: &Arc<Shared>,
    listener: TcpListener,
) -> Vec<JoinHandle<()>> {
    vec![
        runtime.spawn(listener::accept(shared.clone(), listener)),
        runtime.spawn(retention::run(shared.clone())),
    ]
}

fn default_segment_bytes(config: &Config) -> u64 {
    if config.data.is_some() || config.storage.is_some() {
        return match config.durability {
            Durability::Power => SEGMENT_BYTES,
            Durability::Process => PROCESS_SEGMENT_BYTES,
        };
    }
    let share = config.memory_limit_bytes / MEMORY_SEGMENTS;
    share.clamp(MIN_SEGMENT_BYTES.unsigned_abs(), SEGMENT_BYTES)
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
