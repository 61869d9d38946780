//! Reads a service's `/metrics` and `/readyz`: one small request over a connection of its own, with
//! a limit on time and size; and the little of Prometheus' text format (version 0.0.4) that our own
//! metrics use.

use std::collections::HashMap;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::limits;

/// The sums of a service's metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// Events handled.
    pub handled: u64,
    /// Events in a handler or waiting for one.
    pub in_flight: u64,
    /// Attempts that failed and were tried again.
    pub retried: u64,
    /// Events given up, or parked until a person sees to them; counted when it happened.
    pub dead: u64,
    /// Events that are parked now.
    pub parked: u64,
}

/// Asks a service for its metrics; `None` when it does not answer.
pub async fn sample(address: SocketAddr) -> Option<Sample> {
    Some(Sample::of(&fetch(address, "/metrics").await?))
}

/// Whether the service says that it is ready: connected, and a member of its group.
pub async fn is_ready(address: SocketAddr) -> bool {
    fetch(address, "/readyz").await.is_some()
}

/// The body of an answer with status 200.
async fn fetch(address: SocketAddr, path: &str) -> Option<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        let limit = limits::METRICS_BYTES as u64;
        stream.take(limit).read_to_end(&mut answer).await.ok()?;
        let text = String::from_utf8(answer).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let is_ok = head.split_whitespace().nth(1) == Some("200");
        is_ok.then(|| body.to_owned())
    };
    timeout(limits::SCRAPE_TIMEOUT, exchange).await.ok().flatten()
}

impl Sample {
    fn of(text: &str) -> Self {
        let mut sums: HashMap<&str, f64> = HashMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = parse(line) else { continue };
            *sums.entry(name).or_default() += value;
        }
        let sum = |name| sums.get(name).copied().unwrap_or(0.0).max(0.0) as u64;
        Self {
            handled: sum("tidings_events_handled_total"),
            in_flight: sum("tidings_handler_inflight"),
            retried: sum("tidings_retries_total"),
            dead: sum("tidings_dead_letters_total"),
            parked: sum("tidings_dlq_depth"),
        }
    }
}

/// `name{labels} value` or `name value`. Labels' values may hold spaces and braces, so the value is
/// what follows the last space.
fn parse(line: &str) -> Option<(&str, f64)> {
    let (series, value) = line.trim().rsplit_once(' ')?;
    let name = series.split('{').next()?.trim();
    Some((name, value.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_over_their_labels() {
        let text = r#"# HELP tidings_events_handled_total events
# TYPE tidings_events_handled_total counter
tidings_events_handled_total{handler="charge",type="a b}",outcome="done"} 1200
tidings_events_handled_total{handler="refund",type="c",outcome="done"} 3
tidings_handler_inflight{handler="charge"} 2
tidings_retries_total{handler="charge",reason="x"} 14
tidings_dlq_depth{topic="orders.payments.dlq"} 3
tidings_handler_duration_seconds_sum 0.5
nonsense
"#;
        let sample = Sample { handled: 1203, in_flight: 2, retried: 14, dead: 0, parked: 3 };
        assert_eq!(Sample::of(text), sample);
    }
}
