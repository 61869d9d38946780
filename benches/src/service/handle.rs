//! A service with a handler that does nothing, caught up from the beginning of the topic.

use clap::Args;
use serde_json::Value;
use tidings::config::Settings;
use tidings::{Fail, Service};

use super::{Mark, OrderPlaced, block_on};
use crate::Outcome;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
}

async fn nothing(_: OrderPlaced) -> Result<(), Fail> {
    Ok(())
}

pub(crate) fn run(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    let settings = Settings::new(bootstrap)?;
    // A group of its own, which has no offsets yet.
    let group = format!("service-{}", tidings::EventId::random());
    let service = Service::new(group).settings(settings).on("nothing", nothing);
    let stats = service.stats();
    let (mut began, mut spent) = (None, None);
    block_on(async {
        let done = async {
            while stats.snapshot().handled < arguments.events {
                if began.is_none() && stats.snapshot().received > 0 {
                    began = Some(Mark::now());
                }
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            spent = began.take().map(|began| began.and_then(|began| began.spent(arguments.events)));
        };
        service.run_until(done).await?;
        Ok(())
    })?;
    spent.ok_or("the service ended before it had handled anything")?
}
