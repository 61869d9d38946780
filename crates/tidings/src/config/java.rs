//! Names of Kafka's Java client that people paste: translated where librdkafka has the same thing
//! under another name, answered with a sentence where it has not.

pub(super) enum Java {
    /// The same property under librdkafka's name.
    Is(&'static str),
    /// There is nothing like it; what to do instead.
    Instead(&'static str),
}

const SERDE: &str = "events are read and written by their own types (serde); leave it out";
const TRUST_STORE: &str = "convert the store to PEM and set `ssl.ca.location`";
const KEY_STORE: &str = "set `ssl.certificate.location` and `ssl.key.location` to PEM files, or \
                         `ssl.keystore.location` to a PKCS#12 file";
const JAVA_CLASS: &str = "it names a Java class, and there is no JVM here; leave it out";
const PARTITIONER: &str = "`partitioner` is murmur2_random, which places keys as Java does; \
                           `Draft::no_key` publishes without one";
const TIMEOUT: &str = "no call here blocks without a limit of its own; leave it out";

/// By name, sorted.
#[rustfmt::skip]
const NAMES: &[(&str, Java)] = &[
    ("auto.include.jmx.reporter", Java::Instead("metrics are served at /metrics; leave it out")),
    ("buffer.memory", Java::Instead("set `queue.buffering.max.kbytes`, in KiB")),
    ("default.api.timeout.ms", Java::Instead(TIMEOUT)),
    ("exclude.internal.topics", Java::Instead("they are never subscribed; leave it out")),
    ("fetch.max.wait.ms", Java::Is("fetch.wait.max.ms")),
    ("interceptor.classes", Java::Instead(JAVA_CLASS)),
    ("key.deserializer", Java::Instead(SERDE)),
    ("key.serializer", Java::Instead(SERDE)),
    ("max.block.ms", Java::Instead("publishing waits for room; wrap it in a timeout instead")),
    ("max.poll.records", Java::Instead("events go to their handlers one by one; leave it out")),
    ("max.request.size", Java::Is("message.max.bytes")),
    ("metric.reporters", Java::Instead(JAVA_CLASS)),
    ("metrics.num.samples", Java::Instead("metrics are served at /metrics; leave it out")),
    ("metrics.recording.level", Java::Instead("metrics are served at /metrics; leave it out")),
    ("partition.assignment.strategy.class", Java::Is("partition.assignment.strategy")),
    ("partitioner.class", Java::Instead(PARTITIONER)),
    ("partitioner.ignore.keys", Java::Instead(PARTITIONER)),
    ("receive.buffer.bytes", Java::Is("socket.receive.buffer.bytes")),
    ("sasl.client.callback.handler.class", Java::Instead(JAVA_CLASS)),
    ("sasl.jaas.config", Java::Instead("set `sasl.username` and `sasl.password`")),
    ("sasl.login.callback.handler.class", Java::Instead(JAVA_CLASS)),
    ("sasl.login.class", Java::Instead(JAVA_CLASS)),
    ("security.providers", Java::Instead(JAVA_CLASS)),
    ("send.buffer.bytes", Java::Is("socket.send.buffer.bytes")),
    ("socket.connection.setup.timeout.max.ms", Java::Is("socket.connection.setup.timeout.ms")),
    ("ssl.enabled.protocols", Java::Instead("TLS 1.2 and 1.3 are spoken; leave it out")),
    ("ssl.keymanager.algorithm", Java::Instead(JAVA_CLASS)),
    ("ssl.keystore.certificate.chain", Java::Is("ssl.certificate.pem")),
    ("ssl.keystore.key", Java::Is("ssl.key.pem")),
    ("ssl.keystore.type", Java::Instead(KEY_STORE)),
    ("ssl.protocol", Java::Instead("TLS 1.2 and 1.3 are spoken; leave it out")),
    ("ssl.provider", Java::Instead(JAVA_CLASS)),
    ("ssl.trustmanager.algorithm", Java::Instead(JAVA_CLASS)),
    ("ssl.truststore.certificates", Java::Is("ssl.ca.pem")),
    ("ssl.truststore.location", Java::Instead(TRUST_STORE)),
    ("ssl.truststore.password", Java::Instead(TRUST_STORE)),
    ("ssl.truststore.type", Java::Instead(TRUST_STORE)),
    ("value.deserializer", Java::Instead(SERDE)),
    ("value.serializer", Java::Instead(SERDE)),
];

pub(super) fn find(name: &str) -> Option<&'static Java> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, java)| java)
}

/// For the nearest match.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().filter(|(_, java)| matches!(java, Java::Is(_))).map(|(name, _)| *name)
}
