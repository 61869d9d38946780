//! The Kafka cluster that a command talks to: settings put together, reached before anything else
//! is tried, and asked for its topics and offsets. An unreachable broker is said within seconds.

use std::collections::BTreeMap;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;
use tidings::config::Settings;
use tidings::link::{Act, CALLBACKS, Link, Trouble};

use crate::cli::Global;
use crate::failure::{Exit, Failure};
use crate::{limits, settings};

/// The group of readers that never join and never commit: librdkafka wants a name to assign.
const READER_GROUP: &str = "tidings-cli";

/// One partition of one topic.
pub type TopicPartition = (String, i32);

/// A client that reads; what happens on its way is kept for the sentence of a failure.
pub type Reader = BaseConsumer<Link>;

/// A cluster that answered.
pub struct Cluster {
    settings: Settings,
    link: Link,
    bootstrap: String,
    topics: BTreeMap<String, i32>,
}

impl Cluster {
    /// Puts the settings together, connects, and reads the list of topics.
    pub fn connect(global: &Global) -> Result<Self, Failure> {
        let settings = settings::load(global)?;
        let bootstrap = settings.bootstrap().to_owned();
        reach(&bootstrap)?;
        let link = Link::quiet(&settings);
        let mut cluster = Self { settings, link, bootstrap, topics: BTreeMap::new() };
        cluster.refresh()?;
        Ok(cluster)
    }

    /// Reads the list of topics again.
    pub fn refresh(&mut self) -> Result<(), Failure> {
        let reader = self.reader()?;
        let answer = self.ask(&reader, |wait| reader.fetch_metadata(None, wait));
        let metadata = answer.map_err(|error| self.no_answer(&error))?;
        self.topics = metadata
            .topics()
            .iter()
            .filter(|topic| topic.error().is_none())
            .map(|topic| (topic.name().to_owned(), topic.partitions().len() as i32))
            .collect();
        Ok(())
    }

    /// Asks until there is an answer or it is clear that there will be none.
    pub fn ask<T>(
        &self,
        reader: &Reader,
        mut ask: impl FnMut(Duration) -> KafkaResult<T>,
    ) -> KafkaResult<T> {
        let answer = self.link.ask(limits::REQUEST_TIMEOUT, |wait| {
            let answer = ask(wait);
            // The callbacks say why there was none; no partition is assigned, so no record comes.
            (0..CALLBACKS).for_each(|_| drop(reader.poll(Duration::ZERO)));
            answer
        });
        answer.map_err(|unanswered| unanswered.error)
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

    /// Says that a topic does not exist, and which one may have been meant; or that this user may
    /// not know whether it does.
    pub fn unknown_topic(&self, topic: &str) -> Failure {
        if self.is_hidden(topic) {
            return self.not_allowed(Act::Describe(topic));
        }
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
    pub fn reader(&self) -> Result<Reader, Failure> {
        self.member_of(READER_GROUP)
    }

    /// A consumer in the name of a group, to read or to change what the group has committed.
    pub fn member_of(&self, group: &str) -> Result<Reader, Failure> {
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
        Link::tell_all(&mut config);
        config
            .create_with_context(self.link.clone())
            .map_err(|error| Failure::new(format!("cannot make a Kafka client: {error}")))
    }

    /// The client for topics and their settings.
    pub fn admin(&self) -> Result<AdminClient<Link>, Failure> {
        self.client()
            .create_with_context(self.link.clone())
            .map_err(|error| Failure::new(format!("cannot make a Kafka client: {error}")))
    }

    /// Asks for one kind of offset (first, end, or at a time) of many partitions at once.
    ///
    /// A partition without a record at or after the time answers with [`Offset::End`].
    pub fn offsets(
        &self,
        reader: &Reader,
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
                    if let Some(failure) = self.refused(&error, Act::Describe(&name.0)) {
                        return failure;
                    }
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
        reader: &Reader,
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

    /// The broker took the connection and then did not answer a request, or refused it.
    pub fn no_answer(&self, error: &KafkaError) -> Failure {
        if let Some(failure) = self.refused(error, Act::DescribeCluster) {
            return failure;
        }
        let Some(trouble) = self.link.examined() else {
            return Failure::new(format!("{} did not answer", self.bootstrap)).because(error);
        };
        let exit = if trouble.is_refusal() { Exit::NotAllowed } else { Exit::Failed };
        Failure::new(trouble.to_string()).because(words(&trouble)).exit(exit)
    }

    /// As [`no_answer`](Self::no_answer), where it is known what was asked for.
    pub fn no_answer_to(&self, error: &KafkaError, act: Act<'_>) -> Failure {
        self.refused(error, act).unwrap_or_else(|| self.no_answer(error))
    }

    /// What an authorizer does not allow, with the line that would; exit code 4.
    pub fn not_allowed(&self, act: Act<'_>) -> Failure {
        not_allowed(&self.link, act)
    }

    /// A failure that says which right is missing, if that is what the error means.
    pub fn refused(&self, error: &KafkaError, act: Act<'_>) -> Option<Failure> {
        error.rdkafka_error_code().and_then(|code| self.refused_code(code, act))
    }

    /// As [`refused`](Self::refused), for an answer's code.
    pub fn refused_code(&self, code: RDKafkaErrorCode, act: Act<'_>) -> Option<Failure> {
        use RDKafkaErrorCode as Code;
        let is_refusal = matches!(
            code,
            Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
        );
        is_refusal.then(|| self.not_allowed(act))
    }

    /// Asked for by name, a topic that this user may not see is said to be one.
    fn is_hidden(&self, topic: &str) -> bool {
        let Ok(reader) = self.reader() else { return false };
        let Ok(answer) = reader.fetch_metadata(Some(topic), limits::REQUEST_TIMEOUT) else {
            return false;
        };
        let codes = answer.topics().iter().filter_map(|topic| topic.error());
        codes
            .map(RDKafkaErrorCode::from)
            .any(|code| code == RDKafkaErrorCode::TopicAuthorizationFailed)
    }
}

/// A failure that says that topics may not be read, if that is what a reader's error means.
pub fn refused_to(reader: &Reader, error: &KafkaError, topics: &[&str]) -> Option<Failure> {
    let mut topics = topics.to_vec();
    topics.sort_unstable();
    topics.dedup();
    let is_refused = error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed);
    let act = match topics.as_slice() {
        [topic] => Act::Read(topic),
        several => Act::ReadOneOf(several),
    };
    is_refused.then(|| not_allowed(reader.client().context(), act))
}

fn not_allowed(link: &Link, act: Act<'_>) -> Failure {
    let refused = link.not_allowed(act);
    let line = format!("kafka-acls --bootstrap-server ADMIN:PORT {}", refused.acl);
    Failure::new(refused.what)
        .help(format!("an administrator allows it:  {line}"))
        .exit(Exit::NotAllowed)
}

/// The client's own words, without how long it was in which state.
fn words(trouble: &Trouble) -> String {
    let reason = trouble.reason();
    reason.split(" (after ").next().unwrap_or(reason).to_owned()
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
