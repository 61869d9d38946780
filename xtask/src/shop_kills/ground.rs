//! The broker that the shop stands on: killed, and started again on its port with its data.

use std::path::{Path, PathBuf};

use super::audit::Row;
use crate::kafka::{self, Kafka};
use crate::tidings::Broker;
use crate::{Outcome, load};

/// A registration of a dead node is waited for; nine seconds is Kafka's default.
const KAFKA_SETTINGS: [&str; 2] =
    ["broker.session.timeout.ms=2000", "broker.heartbeat.interval.ms=500"];

pub(super) enum Ground {
    Embedded { binary: PathBuf, data: PathBuf, broker: Option<Broker>, bootstrap: String },
    Kafka { kafka: Box<Kafka>, bootstrap: String },
}

impl Ground {
    pub(super) fn start(binary: &Path, dir: &Path, kafka: bool) -> Outcome<Self> {
        if kafka {
            let settings = KAFKA_SETTINGS.map(str::to_owned).to_vec();
            let kafka =
                Kafka::start(&kafka::Options { heap_mb: 512, settings, ..Default::default() })?;
            let bootstrap = kafka.bootstrap();
            return Ok(Self::Kafka { kafka: Box::new(kafka), bootstrap });
        }
        let data = dir.join("broker");
        let listen = format!("127.0.0.1:{}", kafka::lasting_port()?);
        let broker = Broker::start(binary, &data, &["--listen", &listen])?;
        let (binary, bootstrap) = (binary.to_owned(), broker.bootstrap().to_owned());
        Ok(Self::Embedded { binary, data, broker: Some(broker), bootstrap })
    }

    pub(super) fn bootstrap(&self) -> &str {
        match self {
            Self::Embedded { bootstrap, .. } | Self::Kafka { bootstrap, .. } => bootstrap,
        }
    }

    /// kill -9.
    pub(super) fn kill(&mut self) -> Outcome {
        match self {
            Self::Embedded { broker, .. } => match broker.take() {
                Some(broker) => broker.kill(),
                None => Err("the broker is dead already".into()),
            },
            Self::Kafka { kafka, .. } => kafka.kill(),
        }
    }

    /// The same port, the same data.
    pub(super) fn restart(&mut self) -> Outcome {
        match self {
            Self::Embedded { binary, data, broker, bootstrap } => {
                *broker = Some(Broker::start(binary, data, &["--listen", bootstrap])?);
                Ok(())
            }
            Self::Kafka { kafka, .. } => kafka.restart(),
        }
    }

    /// Stops it, and says what `tidings broker check` finds in its files.
    pub(super) fn end(self, binary: &Path) -> Outcome<Row> {
        match self {
            Self::Kafka { mut kafka, .. } => {
                kafka.stop()?;
                Ok(Row::told("`broker check`", "is for the embedded broker's files".to_owned()))
            }
            Self::Embedded { data, broker, .. } => {
                broker.ok_or("the broker is dead")?.stop()?;
                let output = std::process::Command::new(binary)
                    .args(["broker", "check", "--json", "--data"])
                    .arg(&data)
                    .output()?;
                let said = load::json(&output.stdout)?;
                let clean = output.status.success() && said["ok"] == true;
                let found = if clean { "clean".to_owned() } else { said.to_string() };
                Ok(Row::must("`broker check`", found, "clean", clean))
            }
        }
    }
}
