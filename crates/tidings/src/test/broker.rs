//! A broker in this process for integration tests: a Kafka node like any other, on a port of its
//! own, in memory, ready in milliseconds.

use tidings_broker::Config;

use crate::Publisher;
use crate::admin::Admin;
use crate::config::Settings;

/// A broker of this test's own. Dropping it ends it.
///
/// ```
/// # #[tokio::main] async fn main() -> tidings::Result<()> {
/// # use serde::{Deserialize, Serialize};
/// # use tidings::Event;
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order_id)]
/// # struct OrderPlaced { order_id: String }
/// let broker = tidings::test::Broker::start().await;
/// let publisher = broker.publisher().await;
/// let receipt = publisher.publish(OrderPlaced { order_id: "1042".into() }).await?;
/// assert_eq!(receipt.offset.0, 0);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Broker {
    inner: tidings_broker::Broker,
}

impl Broker {
    /// Starts a broker in memory on a free port of the loopback address; topics are created on
    /// first use.
    ///
    /// # Panics
    ///
    /// If no port can be bound: a test cannot go on then.
    pub async fn start() -> Broker {
        match tidings_broker::Broker::start(Config::memory()).await {
            Ok(inner) => Broker { inner },
            Err(error) => panic!("the test's broker cannot start: {error}"),
        }
    }

    /// Its address, as `bootstrap.servers` takes it.
    pub fn bootstrap(&self) -> String {
        self.inner.bootstrap()
    }

    /// Settings for clients of this broker: missing topics are created.
    pub fn settings(&self) -> Settings {
        let code = [("bootstrap", self.bootstrap()), ("create_topics", "true".to_owned())];
        let mut settings = Settings::defaults();
        for (name, value) in code {
            settings
                .set(name, value, crate::config::Origin::Code)
                .expect("these two settings take these values");
        }
        settings
    }

    /// A publisher that is connected to it.
    ///
    /// # Panics
    ///
    /// If the broker does not answer.
    pub async fn publisher(&self) -> Publisher {
        match Publisher::with(&self.settings()).await {
            Ok(publisher) => publisher.source("/test"),
            Err(error) => panic!("the test's broker does not answer: {error}"),
        }
    }

    /// Its topics.
    pub fn admin(&self) -> crate::Result<Admin> {
        Ok(Admin::new(&self.settings())?)
    }

    /// Stops it, waiting for what it does.
    ///
    /// # Panics
    ///
    /// If it cannot stop.
    pub async fn stop(self) {
        if let Err(error) = self.inner.shutdown().await {
            panic!("the test's broker cannot stop: {error}");
        }
    }
}
