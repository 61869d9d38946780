//! A member that the group has given up: what it held belongs to somebody else already, so it
//! neither finishes nor commits, but stops at once and begins anew.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tidings::Publisher;
use tidings::config::{Origin, Settings};
use tidings::prelude::*;
use tidings_broker::{Broker, Config};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::rig::{Placed, Seen, placed, until};

/// Far above the session's second, and below the ten that a revocation would wait for handlers.
const AT_ONCE: Duration = Duration::from_secs(8);

/// A line to the broker that can be held: what is sent meanwhile arrives later.
struct Line {
    addr: SocketAddr,
    open: watch::Sender<bool>,
}

impl Line {
    async fn lay() -> (Line, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        (Line { addr, open: watch::Sender::new(true) }, listener)
    }

    fn serve(&self, listener: TcpListener, broker: SocketAddr) {
        let open = self.open.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(broker).await else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(carry(from_client, to_server, open.clone()));
                tokio::spawn(carry(from_server, to_client, open.clone()));
            }
        });
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut open: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if open.wait_for(|open| *open).await.is_err() || to.write_all(&bytes[..read]).await.is_err()
        {
            return;
        }
    }
}

/// Events beside the one that hangs; one finishes each tenth of a second, so that there is always
/// something to commit.
const OTHERS: u32 = 20;

/// What the handlers did.
#[derive(Clone, Default)]
struct Did {
    begun: Arc<AtomicUsize>,
    hung: Arc<AtomicUsize>,
    cancelled: Arc<AtomicUsize>,
    finished: Seen,
}

/// Counts the end of a handler that did not come to its own.
struct Cancelled(Arc<AtomicUsize>);

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The first attempt at event 0 never ends by itself.
async fn charge(order: Placed, State(did): State<Did>) -> Result<(), Fail> {
    did.begun.fetch_add(1, Ordering::SeqCst);
    if order.n == 0 && did.hung.fetch_add(1, Ordering::SeqCst) == 0 {
        let _counts = Cancelled(did.cancelled);
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(Duration::from_millis(100) * order.n).await;
    did.finished.add(&order.key, order.n);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_lost_its_partitions_cancels_without_a_commit_and_begins_anew() {
    let (line, listener) = Line::lay().await;
    let advertise = Some((line.addr.ip().to_string(), line.addr.port()));
    let broker = Broker::start(Config { advertise, ..Config::memory() }).await.unwrap();
    line.serve(listener, broker.addr());

    let mut settings = Settings::new(line.addr.to_string()).unwrap();
    for (name, value) in [
        ("create_topics", "true"),
        ("session.timeout.ms", "1000"),
        ("heartbeat.interval.ms", "200"),
    ] {
        settings.set(name, value, Origin::Code).unwrap();
    }
    let did = Did::default();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let service = Service::new("payments").settings(settings.clone()).state(did.clone());
    let running = tokio::spawn(service.on("charge", charge).run_until(async {
        let _ = stopped.await;
    }));
    let publisher = Publisher::with(&settings).await.unwrap().source("/test");
    for n in 0..=OTHERS {
        drop(publisher.enqueue(placed(&format!("k{n}"), n)).await.unwrap());
    }
    publisher.flush().await;
    let all = OTHERS as usize + 1;
    until("the handlers", || did.begun.load(Ordering::SeqCst) == all).await;

    line.open.send_replace(false);
    let held = Instant::now();
    until("its end", || did.cancelled.load(Ordering::SeqCst) == 1).await;
    // While the line is held there is no answer to a commit: whoever waited for one, or for the
    // handler as a revocation does, would still be waiting.
    assert!(held.elapsed() < AT_ONCE, "cancelled after {:?}", held.elapsed());
    assert_eq!(did.finished.count("k0", 0), 0);

    line.open.send_replace(true);
    until("each event", || (0..=OTHERS).all(|n| did.finished.count(&format!("k{n}"), n) > 0)).await;
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    broker.shutdown().await.unwrap();
}
