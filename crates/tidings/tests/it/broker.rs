//! The broker that a test talks to: an embedded one of its own or, if `TIDINGS_TEST_BOOTSTRAP`
//! names one, Apache Kafka, emptied and to itself. Tests are the same on both.

use tidings::Publisher;
use tidings::admin::Admin;
use tidings::config::{Origin, Settings};

use crate::named::Turn;

pub enum Broker {
    Embedded(tidings::test::Broker),
    Named(Turn),
}

impl Broker {
    pub async fn start() -> Broker {
        match Turn::wait().await {
            Some(turn) => Broker::Named(turn),
            None => Broker::Embedded(tidings::test::Broker::start().await),
        }
    }

    pub fn bootstrap(&self) -> String {
        match self {
            Broker::Embedded(broker) => broker.bootstrap(),
            Broker::Named(turn) => turn.bootstrap(),
        }
    }

    /// Settings for its clients: missing topics are created.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::new(self.bootstrap()).expect("a good address");
        settings.set("create_topics", "true", Origin::Code).expect("a good setting");
        settings
    }

    pub async fn publisher(&self) -> Publisher {
        let publisher = Publisher::with(&self.settings()).await.expect("the broker answers");
        publisher.source("/test")
    }

    pub fn admin(&self) -> tidings::Result<Admin> {
        Ok(Admin::new(&self.settings())?)
    }

    /// Stops an embedded one; others stay.
    pub async fn stop(self) {
        if let Broker::Embedded(broker) = self {
            broker.stop().await;
        }
    }
}
