//! What librdkafka is told: our defaults with their reasons, then what the settings say.

use rdkafka::ClientConfig;

use super::properties::{self, Scope};
use super::security::{self, needs_tls};
use super::{ConfigError, Name, Settings, names};

/// Defaults for every kind of client.
const EVERY: &[(&str, &str)] = &[
    // A broker that was restarted is met again within a second, not after up to ten.
    ("reconnect.backoff.max.ms", "1000"),
    // KIP-714: nothing is reported to the broker's operator unless somebody wants it.
    ("enable.metrics.push", "false"),
    // A closed connection is no news, but the only sign of a wrong `security.protocol`: it is told
    // to our own callback (link.rs), which keeps it as a reason and prints none.
    ("log.connection.close", "true"),
    // Small requests must not wait for Nagle's algorithm.
    ("socket.nagle.disable", "true"),
];

/// Defaults for publishing.
const PRODUCER: &[(&str, &str)] = &[
    ("acks", "all"),
    ("enable.idempotence", "true"),
    // `enable.gapless.guarantee` stays off: each publish has its own answer, so a gap is known to
    // the one who must act on it, while the guarantee would end the producer for everyone.
    // The same partitions as Java's clients: murmur2 of the key, random without one.
    ("partitioner", "murmur2_random"),
    // A lone event goes out at once; under load batches form by themselves, since what comes
    // while five requests are in flight waits for the next.
    ("linger.ms", "0"),
    ("batch.size", "1000000"),
    ("batch.num.messages", "10000"),
    // The publisher's own queue pushes back (publisher/limits.rs); the client's must never be
    // the smaller one, or publishing would fail instead of wait.
    ("queue.buffering.max.messages", "0"),
    ("queue.buffering.max.kbytes", "1048576"),
    // Kafka's default for a topic is 1 MiB and some bytes of its own; asking for more here would
    // only move the refusal to the broker.
    ("message.max.bytes", "1048588"),
    // A broker that restarts (Kafka needs 13 s after a crash) is bridged; one that stays away is
    // reported before callers lose patience. The retries in between are idempotent.
    ("message.timeout.ms", "60000"),
    // A topic that nobody creates is reported after 5 s, not 30.
    ("topic.metadata.propagation.max.ms", "5000"),
    // Events without a key change partition with each batch: fewer, fuller batches.
    ("sticky.partitioning.linger.ms", "10"),
];

/// Defaults for consuming.
const CONSUMER: &[(&str, &str)] = &[
    // Offsets are committed by the service, when everything below them has had its effect.
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // A committed offset that is gone must stop the partition, not skip events silently.
    ("auto.offset.reset", "error"),
    // A partition moves without stopping the others (KIP-429).
    ("partition.assignment.strategy", "cooperative-sticky"),
    // With the client's default of 1,000 ms a consumer whose queue was full for a moment sleeps a
    // second: three to four times slower when it catches up on many partitions.
    ("fetch.queue.backoff.ms", "5"),
    // 1 MiB per partition and fetch keeps twelve partitions below the queue's size, so that none
    // starves the others: another third when catching up.
    ("fetch.message.max.bytes", "1048576"),
    // What is prefetched is bounded to 64 MiB or 100,000 records per partition queue.
    ("queued.min.messages", "100000"),
    ("queued.max.messages.kbytes", "65536"),
    // A fetch that failed (a leader moved) is tried again soon.
    ("fetch.error.backoff.ms", "100"),
];

pub(super) fn defaults() -> impl Iterator<Item = (Name, &'static str)> {
    let all = EVERY.iter().chain(PRODUCER).chain(CONSUMER);
    all.map(|(name, value)| (Name::Client(name), *value))
}

impl Settings {
    /// What every client needs: addresses, security, names.
    pub fn client(&self) -> ClientConfig {
        self.config(EVERY, |scope| scope == Scope::Any)
    }

    /// A producer's configuration.
    pub fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        let more = self.config(PRODUCER, |scope| scope == Scope::Producer);
        merge(&mut config, &more);
        config
    }

    /// The configuration of a consumer in this group.
    pub fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        let more = self.config(CONSUMER, |scope| scope == Scope::Consumer);
        merge(&mut config, &more);
        config.set("group.id", group);
        if let Some(instance) = self.instance() {
            config.set("group.instance.id", instance);
        }
        config
    }

    /// A client property as the settings or our defaults have it.
    pub fn client_property(&self, name: &str) -> Option<&str> {
        let (name, _) = properties::find(name)?;
        let set = self.values.get(&Name::Client(name)).map(|v| v.text.as_str());
        set.or_else(|| defaults().find(|(n, _)| *n == Name::Client(name)).map(|(_, v)| v))
    }

    /// Lets librdkafka check every value, so that a wrong one is reported with its origin.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (name, value) in &self.values {
            let Name::Client(property) = *name else { continue };
            let wrong = |reason: String| ConfigError::Value {
                name: property.to_owned(),
                value: names::masked(*name, &value.text).to_owned(),
                origin: value.origin.clone(),
                reason,
            };
            if let Some(reason) = needs_tls(property, &value.text) {
                return Err(wrong(reason.to_owned()));
            }
            let mut alone = ClientConfig::new();
            alone.set(property, &value.text);
            if let Err(error) = alone.create_native_config() {
                return Err(wrong(reason_of(error)));
            }
        }
        security::check(self)
    }

    fn config(
        &self,
        defaults: &[(&'static str, &'static str)],
        wanted: impl Fn(Scope) -> bool,
    ) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in defaults {
            config.set(*name, *value);
        }
        config.set("bootstrap.servers", self.bootstrap());
        for (name, value) in &self.values {
            let Name::Client(name) = name else { continue };
            if properties::find(name).is_some_and(|(_, scope)| wanted(scope)) {
                config.set(*name, &value.text);
            }
        }
        config
    }
}

fn merge(config: &mut ClientConfig, more: &ClientConfig) {
    for (name, value) in more.config_map() {
        config.set(name, value);
    }
}

fn reason_of(error: rdkafka::error::KafkaError) -> String {
    match error {
        rdkafka::error::KafkaError::ClientConfig(_, reason, _, _) => reason,
        other => other.to_string(),
    }
}
