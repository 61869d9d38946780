//! A handler that hangs: what is taken stays bounded, and membership is not lost.

use std::sync::Arc;
use std::time::Duration;

use tidings::Draft;
use tidings::prelude::*;
use tokio::sync::Semaphore;

use super::rig::{Placed, Running, placed, until};
use crate::broker::Broker;

async fn hang(_: Placed, State(gate): State<Arc<Semaphore>>) -> Result<(), Fail> {
    gate.acquire().await?.forget();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_hangs_bounds_what_is_taken() {
    let broker = Broker::start().await;
    let gate = Arc::new(Semaphore::new(0));
    let service = Service::new("payments").state(Arc::clone(&gate)).on("charge", hang);
    let running = Running::start(service, &broker).ready().await;
    let publisher = broker.publisher().await;
    let padding = "x".repeat(500);
    let count = 30_000;
    for n in 0..count {
        let draft = Draft::of(placed(&format!("k{n}"), n)).header("padding", padding.clone());
        drop(publisher.enqueue(draft).await.unwrap());
    }
    publisher.flush().await;
    until("as much as is taken", || running.now().in_work >= 8000).await;
    // Nothing finishes, so nothing more may be taken, however long it lasts.
    for _ in 0..20 {
        assert!(running.now().in_work <= 8192 + 256, "{:?}", running.now());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(running.now().ready, "it is slow, not ill");
    gate.add_permits(count as usize);
    until("all of them", || running.now().handled == u64::from(count)).await;
    until("their reports", || running.now().in_work == 0).await;
    running.stop().await.unwrap();
}
