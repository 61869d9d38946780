//! A service that reacts to events, in the order in which they were published.
//!
//! Run `tidings dev` in one terminal, and in another:
//!
//! `cargo run -p tidings --example 02_consume`
//!
//! On a fresh broker it prints what stands in `02_consume.out`.

use serde::{Deserialize, Serialize};
use tidings::config::Settings;
use tidings::prelude::*;
use tokio::sync::mpsc;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.account.credited", version = 1, topic = "accounts", key = account)]
struct AccountCredited {
    account: String,
    cents: i64,
}

/// The type of the first argument says what is consumed.
async fn print(event: AccountCredited, State(lines): State<Lines>) -> Result<(), Fail> {
    lines.send(format!("{} got {} cents", event.account, event.cents)).or_retry()
}

type Lines = mpsc::UnboundedSender<String>;

#[tokio::main]
async fn main() -> tidings::Result<()> {
    let publisher = Publisher::with(&Settings::from_env()?).await?;
    for cents in [100, 250, 30] {
        publisher.publish(AccountCredited { account: "Ada".into(), cents }).await?;
    }

    let (lines, mut printed): (Lines, _) = mpsc::unbounded_channel();
    // A service of your own says `.run()`, which ends at SIGTERM. This one ends after three lines.
    let three_lines = async move {
        for _ in 0..3 {
            println!("{}", printed.recv().await.expect("the service holds the other end"));
        }
    };
    Service::new("printer").state(lines).on("print", print).run_until(three_lines).await
}
