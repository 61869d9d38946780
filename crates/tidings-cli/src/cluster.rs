//! The Kafka cluster that a command talks to: settings put together, reached before anything else
//! is tried, and asked for its topics and offsets. An unreachable broker is said within seconds.

use std::collections::BTreeMap;
use std::net::{TcpStream, ToSocketAddrs};

use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;
use tidings::config::Settings;

use crate::cli::Global;
use crate::failure::Failure;
use crate::{limits, settings};

/// The group of readers that never join and never commit: librdkafka wants a name to assign.
const READER_GROUP: &str = "tidings-cli";

/// One partition of one topic.
pub type TopicPartition = (String, i32);

/// A cluster that answered.
pub struct Cluster {
    settings: Settings,
    bootstrap: String,
    topics: BTreeMap<String, i32>,
}

impl Cluster {
    /// Puts the settings together, connects, and reads the list of topics.
    pub fn connect(global: &Global) -> Result<Self, Failure> {
        let settings = settings::load(global)?;
        let bootstrap = settings.bootstrap().to_owned();
        reach(&bootstrap)?;
        let mut cluster = Self { settings, bootstrap, topics: BTreeMap::new() };
        cluster.refresh()?;
        Ok(cluster)
    }

    /// Reads the list of topics again.
    pub fn refresh(&mut self) -> Result<(), Failure> {
        let reader = self.reader()?;
        let metadata = reader
            .fetch_metadata(None, limits::REQUEST_TIMEOUT)
            .map_err(|error| self.no_answer(&error))?;
        self.topics = metadata
            .topics()
            .iter()
            .filter(|topic| topic.error().is_none())
            .map(|topic| (topic.name().to_owned(), topic.partitions().len() as i32))
            .collect();
        Ok(())
    }

    /// The address that was used.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The topics by name with their number of partitions.
    pub fn topics(&self) -> &BTreeMap<String, i32> {
        &self.topics
    }

    /// The number of partitions of a topic, or an error that names the nearest one.
    pub fn partitions(&self, topic: &str) -> Result<i32, Failure> {
        self.topics.get(topic).copied().ok_or_else(|| self.unknown_topic(topic))
    }

    /// Says that a topic does not exist, and which one may have been meant.
    pub fn unknown_topic(&self, topic: &str) -> Failure {
        let failure = Failure::not_found(format!("no topic `{topic}` at {}", self.bootstrap));
        match nearest(topic, self.topics.keys().map(String::as_str)) {
            Some(near) => failure.help(format!("did you mean `{near}`?  tidings topic ls")),
            None => failure
                .help("see those that exist:  tidings topic ls")
                .help(format!("make it:  tidings topic create {topic}")),
        }
    }

    /// A client's settings, for the kinds of client that have no function here.
    pub fn client(&self) -> ClientConfig {
        settings::client(&self.settings)
    }

    /// A consumer that reads assigned partitions and never joins a group or commits.
    pub fn reader(&self) -> Result<BaseConsumer, Failure> {
        self.member_of(READER_GROUP)
    }

    /// A consumer in the name of a group, to read or to change what the group has committed.
    pub fn member_of(&self, group: &str) -> Result<BaseConsumer, Failure> {
        let mut config = self.client();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false")
            // librdkafka's default of 1 s pauses the fetcher whenever its queue was full once.
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.wait.max.ms", "100")
            .set("queued.max.messages.kbytes", "32768");
        config
            .create()
            .map_err(|error| Failure::new(format!("cannot make a Kafka client: {error}")))
    }

    /// The client for topics and their settings.
    pub fn admin(&self) -> Result<AdminClient<DefaultClientContext>, Failure> {
        self.client()
            .create()
            .map_err(|error| Failure::new(format!("cannot make a Kafka client: {error}")))
    }

    /// Asks for one kind of offset (first, end, or at a time) of many partitions at once.
    ///
    /// A partition without a record at or after the time answers with [`Offset::End`].
    pub fn offsets(
        &self,
        reader: &BaseConsumer,
        partitions: &[TopicPartition],
        which: Offset,
    ) -> Result<BTreeMap<TopicPartition, Offset>, Failure> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut query = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            query
                .add_partition_offset(topic, *partition, which)
                .map_err(|error| Failure::new(format!("cannot ask for offsets: {error}")))?;
        }
        let answer = reader
            .offsets_for_times(query, limits::REQUEST_TIMEOUT)
            .map_err(|error| self.no_answer(&error))?;
        answer
            .elements()
            .iter()
            .map(|element| {
                let name = (element.topic().to_owned(), element.partition());
                element.error().map_err(|error| {
                    Failure::new(format!("cannot read the offsets of {}[{}]", name.0, name.1))
                        .because(error)
                })?;
                Ok((name, element.offset()))
            })
            .collect()
    }

    /// The first offset and the end of each partition.
    pub fn bounds(
        &self,
        reader: &BaseConsumer,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, (i64, i64)>, Failure> {
        let starts = self.offsets(reader, partitions, Offset::Beginning)?;
        let ends = self.offsets(reader, partitions, Offset::End)?;
        Ok(starts
            .into_iter()
            .map(|(name, start)| {
                let end = ends.get(&name).map_or(0, |end| number(*end));
                (name, (number(start).min(end), end))
            })
            .collect())
    }

    /// All partitions of these topics.
    pub fn partitions_of<'a>(
        &self,
        topics: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<TopicPartition>, Failure> {
        let mut all = Vec::new();
        for topic in topics {
            let count = self.partitions(topic)?;
            all.extend((0..count).map(|partition| (topic.to_owned(), partition)));
        }
        Ok(all)
    }

    /// The broker took the connection and then did not answer a request.
    pub fn no_answer(&self, error: &KafkaError) -> Failure {
        let failure = Failure::new(format!("{} did not answer", self.bootstrap)).because(error);
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::OperationTimedOut,
            ) => failure
                .help("is it a Kafka broker? one with TLS or SASL takes -X security.protocol=..."),
            _ => failure,
        }
    }
}

/// The raw number of an offset that a broker answered with.
pub fn number(offset: Offset) -> i64 {
    match offset {
        Offset::Offset(number) => number,
        _ => 0,
    }
}

/// The name among `known` that a person most likely meant.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let close = |other: &str| strsim::damerau_levenshtein(name, other);
    known.filter(|other| close(other) <= 1 + other.len() / 5).min_by_key(|other| close(other))
}

/// Connects to one of the addresses, so that "nobody listens there" is said at once and plainly:
/// librdkafka itself goes on trying and reports a time-out.
fn reach(bootstrap: &str) -> Result<(), Failure> {
    let mut reasons = Vec::new();
    for address in bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        let address = address.rsplit_once("://").map_or(address, |(_, rest)| rest);
        let with_port =
            if address.contains(':') { address.to_owned() } else { format!("{address}:9092") };
        match with_port.to_socket_addrs() {
            Ok(resolved) => {
                for socket in resolved {
                    match TcpStream::connect_timeout(&socket, limits::CONNECT_TIMEOUT) {
                        Ok(_) => return Ok(()),
                        Err(error) => reasons.push(format!("{socket}: {}", plain(&error))),
                    }
                }
            }
            Err(error) => reasons.push(format!("{address}: {}", plain(&error))),
        }
    }
    let mut failure = Failure::new(format!("no broker at {bootstrap}"));
    for reason in reasons {
        failure = failure.because(reason);
    }
    Err(failure
        .help("start one:  tidings dev")
        .help("or name another:  --bootstrap HOST:PORT  or TIDINGS_BOOTSTRAP"))
}

/// An I/O error without the operating system's number.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_ascii_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_one_that_a_finger_slip_explains() {
        let known = ["orders", "payments", "parcels"];
        for (typed, meant) in
            [("ordrs", Some("orders")), ("payment", Some("payments")), ("loyalty", None)]
        {
            assert_eq!(nearest(typed, known.into_iter()), meant, "{typed}");
        }
    }
}
