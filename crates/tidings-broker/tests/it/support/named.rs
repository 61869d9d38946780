//! The broker that `TIDINGS_TEST_BOOTSTRAP` names, Apache Kafka as a rule: the same tests run on it
//! that otherwise have an embedded broker each.
//!
//! All tests of a program share it, so each takes its turn and finds it empty: topics and groups of
//! the one before are deleted. What a test did there is noted in the file that
//! `TIDINGS_TEST_REPORT` names; `cargo xtask oracle` reads it, so that a test which never asked the
//! broker is not counted as one that passed on it. The library's tests include this file too.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::groups::GroupInfo;
use tokio::sync::{Mutex, MutexGuard};

/// Tests run beside each other, and there is one broker: a lock that a panic does not poison.
static TURN: Mutex<()> = Mutex::const_new(());

const PATIENCE: Duration = Duration::from_secs(30);

/// The named broker, for one test alone until this is dropped.
pub struct Turn {
    bootstrap: String,
    _alone: MutexGuard<'static, ()>,
}

/// The broker's address, if one is named.
fn named() -> Option<String> {
    std::env::var("TIDINGS_TEST_BOOTSTRAP").ok().filter(|name| !name.is_empty())
}

/// Whether this test has nothing to do on a named broker, and why; that is noted, not hidden.
pub fn only_embedded(reason: &str) -> bool {
    let here = named().is_some();
    if here {
        note("embedded", reason);
    }
    here
}

/// An answer that is not the same on both: what it has to be on each is told here, why it stays so
/// in `clients/differences.toml`. Both answers end up in docs/compatibility.md.
#[track_caller]
#[allow(dead_code, reason = "the library's tests have no such answer yet")]
pub fn differs(id: &str, got: &str, embedded: &str, kafka: &str) {
    let (broker, expected) =
        if named().is_some() { ("kafka", kafka) } else { ("embedded", embedded) };
    assert_eq!(got, expected, "{id} on {broker}");
    note("differs", &format!("{id}\t{broker}\t{got}"));
}

/// One line, written at once, so that tests of several processes may write beside each other.
fn note(what: &str, more: &str) {
    let Ok(path) = std::env::var("TIDINGS_TEST_REPORT") else { return };
    let thread = std::thread::current();
    let line = format!("{what}\t{}\t{more}\n", thread.name().unwrap_or("?"));
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the report is written");
}

impl Turn {
    /// Waits for its turn and empties the broker; `None` without one.
    pub async fn wait() -> Option<Turn> {
        let bootstrap = named()?;
        let alone = TURN.lock().await;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &bootstrap);
        let admin: AdminClient<DefaultClientContext> = config.create().expect("an admin client");
        delete_groups(&admin, &bootstrap).await;
        delete_topics(&admin).await;
        note("asked", "");
        Some(Turn { bootstrap, _alone: alone })
    }

    pub fn bootstrap(&self) -> String {
        self.bootstrap.clone()
    }
}

async fn delete_topics(admin: &AdminClient<DefaultClientContext>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let metadata = admin.inner().fetch_metadata(None, PATIENCE).expect("metadata");
        let names = metadata.topics().iter().map(rdkafka::metadata::MetadataTopic::name);
        let topics: Vec<&str> = names.filter(|name| !name.starts_with("__")).collect();
        if topics.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "these topics stay: {topics:?}");
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        // Each may be gone already: the next look at the metadata tells.
        admin.delete_topics(&topics, &options).await.expect("an answer");
    }
}

async fn delete_groups(admin: &AdminClient<DefaultClientContext>, bootstrap: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let list = admin.inner().fetch_group_list(None, PATIENCE).expect("a list of groups");
        if list.groups().is_empty() {
            return;
        }
        let names: Vec<&str> = list.groups().iter().map(GroupInfo::name).collect();
        assert!(Instant::now() < deadline, "these groups stay: {names:?}");
        for group in list.groups() {
            // Members that were killed, or are static, would stay for their session's 45 s.
            for member in group.members() {
                leave(bootstrap, group.name(), member.id()).expect("an answer to LeaveGroup");
            }
        }
        admin.delete_groups(&names, &AdminOptions::new()).await.expect("an answer");
    }
}

/// LeaveGroup v3 for somebody else, which librdkafka does not offer.
fn leave(bootstrap: &str, group: &str, member: &str) -> io::Result<()> {
    let mut body = vec![0, 13, 0, 3, 0, 0, 0, 1, 0xff, 0xff];
    let text = |body: &mut Vec<u8>, text: &str| {
        let length = u16::try_from(text.len()).expect("a short name");
        body.extend(length.to_be_bytes());
        body.extend(text.as_bytes());
    };
    text(&mut body, group);
    body.extend(1_u32.to_be_bytes());
    text(&mut body, member);
    body.extend([0xff, 0xff]);
    let mut stream = TcpStream::connect(bootstrap)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = u32::try_from(body.len()).expect("a short request");
    stream.write_all(&[&length.to_be_bytes()[..], &body].concat())?;
    // Whatever it says: the next list of groups tells whether the member is gone.
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    io::copy(&mut stream.take(u64::from(u32::from_be_bytes(length))), &mut io::sink())?;
    Ok(())
}
