//! Consumer groups, with librdkafka as the client: sharing, leaving, dying, coming back; and what
//! the protocol promises, asked on the bare wire.

mod conformance;
mod member;
mod wire;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::Offset;
use tidings_broker::{Broker, Config};

use self::member::{Member, until};
use self::wire::{JoinAs, Wire};
use crate::support::named::only_embedded;
use crate::support::{Either, either};

/// The partitions of every topic here.
const ALL: [i32; 4] = [0, 1, 2, 3];

/// A broker with the topic `t`.
async fn broker_with_t() -> Either {
    let broker = either().await;
    create(&broker.bootstrap(), "t").await;
    broker
}

fn admin(bootstrap: &str) -> AdminClient<DefaultClientContext> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).create().expect("an admin client")
}

async fn create(bootstrap: &str, topic: &str) {
    let topic = NewTopic::new(topic, ALL.len() as i32, TopicReplication::Fixed(1));
    let made = admin(bootstrap).create_topics([&topic], &AdminOptions::new()).await;
    made.expect("an answer")[0].as_ref().expect("the topic is created");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_share_the_work_and_a_leaver_hands_it_over() {
    let broker = broker_with_t().await;
    let first = Member::start(&broker.bootstrap(), "g", &[]);
    until("the first has all", || first.owns() == BTreeSet::from(ALL));
    let second = Member::start(&broker.bootstrap(), "g", &[]);
    until("each has half", || first.owns().len() == 2 && second.owns().len() == 2);
    assert!(first.owns().is_disjoint(&second.owns()));
    let left = Instant::now();
    second.stop();
    until("the first has all again", || first.owns() == BTreeSet::from(ALL));
    let took = left.elapsed();
    assert!(took < Duration::from_millis(900), "not by its session's end, but at once: {took:?}");
    first.stop();
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_member_is_evicted_after_its_session_and_not_before() {
    let broker = broker_with_t().await;
    let survivor = Member::start(&broker.bootstrap(), "g", &[]);
    let mut doomed = member::start_process(&broker.bootstrap(), "g");
    until("each has half", || survivor.owns().len() == 2);
    doomed.kill().expect("kill -9");
    let killed = Instant::now();
    doomed.wait().expect("it is dead");
    until("the survivor has all", || survivor.owns() == BTreeSet::from(ALL));
    let took = killed.elapsed();
    let session = member::SESSION - member::HEARTBEAT - Duration::from_millis(100);
    assert!(took > session, "its last heartbeat keeps it in for a session: {took:?}");
    assert!(took < member::SESSION + Duration::from_secs(3), "{took:?}");
    survivor.stop();
    broker.shutdown().await;
}

/// The member process of the test above; alone it does nothing.
#[test]
fn member_process() {
    member::run_if_process();
}

#[tokio::test(flavor = "multi_thread")]
async fn cooperative_members_keep_what_they_may_keep() {
    let broker = broker_with_t().await;
    let cooperative = [("partition.assignment.strategy", "cooperative-sticky")];
    let first = Member::start(&broker.bootstrap(), "g", &cooperative);
    until("the first has all", || first.owns() == BTreeSet::from(ALL));
    let second = Member::start(&broker.bootstrap(), "g", &cooperative);
    until("each has half", || first.owns().len() == 2 && second.owns().len() == 2);
    assert!(first.owns().is_disjoint(&second.owns()));
    let fewest = first.fewest_since_first();
    assert_eq!(fewest, 2, "an eager member would have had none for a moment");
    first.stop();
    second.stop();
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_member_that_restarts_keeps_its_work_without_a_rebalance() {
    for strategy in ["range", "cooperative-sticky"] {
        let broker = broker_with_t().await;
        let settings = |name| {
            let long = ("session.timeout.ms", "30000");
            [("group.instance.id", name), ("partition.assignment.strategy", strategy), long]
        };
        let first = Member::start(&broker.bootstrap(), "g", &settings("a"));
        let second = Member::start(&broker.bootstrap(), "g", &settings("b"));
        until("each has half", || first.owns().len() == 2 && second.owns().len() == 2);
        let (work, rebalances) = (second.owns(), first.rebalances());
        // A static member does not leave the group when it stops.
        second.stop();
        let again = Member::start(&broker.bootstrap(), "g", &settings("b"));
        until("it is back", || again.owns() == work);
        assert_eq!(first.rebalances(), rebalances, "{strategy}: nobody else noticed");
        // The leader, too.
        let work = first.owns();
        let rebalances = again.rebalances();
        first.stop();
        let first = Member::start(&broker.bootstrap(), "g", &settings("a"));
        until("the leader is back", || first.owns() == work);
        assert_eq!(again.rebalances(), rebalances, "{strategy}: nobody else noticed");
        first.stop();
        again.stop();
        broker.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_and_their_metadata_survive_a_restart_of_the_broker() {
    if only_embedded("it starts the broker again") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(Config::at(dir.path())).await.unwrap();
    create(&broker.bootstrap(), "t").await;
    let metadata = "m".repeat(4_096);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Offset(0)).unwrap();
    list.find_partition("t", 0).unwrap().set_metadata(&metadata);
    list.add_partition_offset("t", 3, Offset::Offset(0)).unwrap();
    consumer(&broker, "g").commit(&list, CommitMode::Sync).unwrap();
    broker.shutdown().await.unwrap();

    let broker = Broker::start(Config::at(dir.path())).await.unwrap();
    let mut asked = TopicPartitionList::new();
    asked.add_partition_range("t", 0, 3);
    let found = consumer(&broker, "g").committed_offsets(asked, Duration::from_secs(5)).unwrap();
    let offset = |partition| found.find_partition("t", partition).unwrap().offset();
    assert_eq!(offset(0), Offset::Offset(0));
    assert_eq!(offset(1), Offset::Invalid);
    assert_eq!(offset(3), Offset::Offset(0));
    assert_eq!(found.find_partition("t", 0).unwrap().metadata(), metadata);
    broker.shutdown().await.unwrap();
}

fn consumer(broker: &Broker, group: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap()).set("group.id", group);
    config.create().expect("a consumer")
}

/// Groups: no initial delay, session timers, MEMBER_ID_REQUIRED on v4+, pending sync, generation
/// checks on commit, leader first come; offsets and members survive; deleting a topic deletes
/// its commits. (Static members and cooperative protocols are the tests above.)
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_11_groups_keep_the_small_print_of_the_protocol() {
    if only_embedded("it starts the broker again; its steps are those of `conformance`") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(Config::at(dir.path())).await.unwrap();
    create(&broker.bootstrap(), "t").await;
    let mut a = Wire::connect(broker.addr());
    let mut b = Wire::connect(broker.addr());

    let told = a.join("g", JoinAs::new(4, ""));
    assert_eq!(told.error_code, ResponseError::MemberIdRequired.code());
    let began = Instant::now();
    let first = a.join("g", JoinAs::new(4, &told.member_id));
    assert!(began.elapsed() < Duration::from_millis(500), "no delay for the first of a group");
    assert_eq!((first.error_code, first.generation_id), (0, 1));
    assert_eq!(first.leader, first.member_id);
    let id = first.member_id.to_string();
    assert_eq!(a.commit("g", &id, 1, 5), ResponseError::RebalanceInProgress.code());
    assert_eq!(a.sync("g", &id, 1, &[(&id, "all")]), (0, "all".into()));
    for (member, generation, expected) in [
        (&*id, 1, 0),
        (&*id, 0, ResponseError::IllegalGeneration.code()),
        (&*id, 2, ResponseError::IllegalGeneration.code()),
        ("stranger", 1, ResponseError::UnknownMemberId.code()),
        ("", -1, ResponseError::UnknownMemberId.code()),
    ] {
        assert_eq!(a.commit("g", member, generation, 5), expected, "{member} {generation}");
    }

    // A second one sets off a rebalance; the first learns of it by its heartbeat and stays leader.
    let joining = std::thread::spawn(move || {
        let joined = b.join("g", JoinAs::new(3, ""));
        (b, joined)
    });
    let mut beat = || a.heartbeat("g", &id, 1);
    until("a rebalance is called", || beat() == ResponseError::RebalanceInProgress.code());
    let again = a.join("g", JoinAs::new(5, &id));
    let (mut b, second) = joining.join().unwrap();
    assert_eq!((again.generation_id, second.generation_id), (2, 2));
    assert_eq!(second.leader.as_str(), id);
    assert_eq!((again.members.len(), second.members.len()), (2, 0));

    // The second waits for its work until the first brings it.
    let other = second.member_id.to_string();
    let syncing = std::thread::spawn({
        let other = other.clone();
        move || b.sync("g", &other, 2, &[])
    });
    assert_eq!(a.heartbeat("g", &id, 2), 0);
    assert_eq!(a.sync("g", &id, 2, &[(&id, "half"), (&other, "rest")]), (0, "half".into()));
    assert_eq!(syncing.join().unwrap(), (0, "rest".into()));

    // Nobody hears of the second any more.
    until("its session ends", || {
        a.heartbeat("g", &id, 2) == ResponseError::RebalanceInProgress.code()
    });
    let third = a.join("g", JoinAs::new(5, &id));
    assert_eq!((third.generation_id, third.members.len()), (3, 1));
    assert_eq!(a.sync("g", &id, 3, &[(&id, "all")]), (0, "all".into()));

    broker.shutdown().await.unwrap();
    let broker = Broker::start(Config::at(dir.path())).await.unwrap();
    let mut a = Wire::connect(broker.addr());
    assert_eq!(a.heartbeat("g", &id, 2), ResponseError::IllegalGeneration.code());
    assert_eq!(a.heartbeat("g", &id, 3), 0, "members survive");
    assert_eq!(a.sync("g", &id, 3, &[]), (0, "all".into()), "with their work");
    assert_eq!(a.fetch("g"), 5, "offsets survive");
    admin(&broker.bootstrap()).delete_topics(&["t"], &AdminOptions::new()).await.unwrap()[0]
        .as_ref()
        .unwrap();
    create(&broker.bootstrap(), "t").await;
    assert_eq!(a.fetch("g"), -1, "a new topic of the same name starts without commits");
    broker.shutdown().await.unwrap();
}
