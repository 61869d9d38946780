//! Starting and stopping: what is promised, and what is said when it cannot be.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tidings_broker::{Broker, Config, StartError};

use crate::support::{Wire, batch, fetch, memory, produce, topic};

#[tokio::test]
async fn a_broker_in_memory_starts_in_milliseconds_and_reports_its_port() {
    let best = {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let began = Instant::now();
            let broker = memory().await;
            best = best.min(began.elapsed());
            assert_ne!(broker.addr().port(), 0);
            assert_eq!(broker.bootstrap(), broker.addr().to_string());
            broker.shutdown().await.expect("stops");
        }
        best
    };
    assert!(best < Duration::from_millis(20), "took {best:?}");
}

#[tokio::test]
async fn a_port_in_use_names_the_process() {
    let first = memory().await;
    let config = Config { listen: first.addr(), ..Config::memory() };
    let error = Broker::start(config).await.expect_err("the port is taken");
    assert!(matches!(error, StartError::AddressInUse { .. }));
    let text = error.to_string();
    assert!(text.starts_with(&format!("{} is in use by ", first.addr())), "{text}");
    assert!(text.contains(&format!("(pid {})", std::process::id())), "{text}");
    assert!(text.ends_with("; stop it, or choose another port (0 picks a free one)"), "{text}");
}

#[tokio::test]
async fn a_data_directory_in_use_names_its_holder() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = Broker::start(Config::at(dir.path())).await.expect("starts");
    let error = Broker::start(Config::at(dir.path())).await.expect_err("the directory is taken");
    let text = error.to_string();
    assert!(text.contains("is in use by"), "{text}");
    assert!(text.contains(&std::process::id().to_string()), "{text}");
    first.shutdown().await.expect("stops");
    let again = Broker::start(Config::at(dir.path())).await.expect("shutdown gave it back");
    drop(again);
    Broker::start(Config::at(dir.path())).await.expect("so did dropping");
}

#[tokio::test]
async fn an_open_address_takes_the_dangerous_setting() {
    let open: SocketAddr = "0.0.0.0:0".parse().expect("an address");
    let config = Config { listen: open, ..Config::memory() };
    let error = Broker::start(config.clone()).await.expect_err("refused");
    assert!(error.to_string().contains("no access control"), "{error}");
    let config = Config { danger_open_listener: true, ..config };
    let broker = Broker::start(config).await.expect("asked for");
    assert_eq!(broker.bootstrap(), format!("127.0.0.1:{}", broker.addr().port()));
}

#[tokio::test]
async fn a_clean_stop_and_start_keeps_everything() {
    let dir = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(Config::at(dir.path())).await.expect("starts");
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "orders", 2, &[("retention.ms", "-1")]);
    assert_eq!(produce(&mut wire, "orders", 1, batch(3)).offset, 0);
    broker.shutdown().await.expect("stops");
    assert!(wire.is_closed());
    let broker = Broker::start(Config::at(dir.path())).await.expect("starts again");
    let mut wire = Wire::connect(broker.addr());
    let found = fetch(&mut wire, "orders", 1, 0, 0);
    assert_eq!((found.error_code, found.high_watermark), (0, 3));
    assert_eq!(produce(&mut wire, "orders", 1, batch(1)).offset, 3);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_long_poll() {
    let broker = memory().await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    wire.send(11, &crate::support::fetch_request("t", 0, 0, 60_000));
    let began = Instant::now();
    broker.shutdown().await.expect("stops");
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(wire.is_closed());
}
