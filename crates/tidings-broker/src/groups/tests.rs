//! The coordinator as a whole, on a storage in memory: waiting, deadlines, durability of offsets.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError::*;
use tidings_log::storage::faulty::{Fault, Faulty};
use tidings_log::storage::{Memory, Storage};

use super::group::{JoinedMember, Synced};
use super::*;
use crate::clock::SystemClock;

/// Topics with their number of partitions.
#[derive(Default)]
struct Table(Mutex<BTreeMap<String, i32>>);

impl TopicLookup for Table {
    fn partitions(&self, topic: &str) -> Option<i32> {
        self.0.lock().unwrap().get(topic).copied()
    }
}

impl Table {
    fn with(topics: &[(&str, i32)]) -> Arc<Table> {
        let topics = topics.iter().map(|(name, count)| (name.to_string(), *count));
        Arc::new(Table(Mutex::new(topics.collect())))
    }
}

struct Bed<S = Memory> {
    storage: Arc<S>,
    topics: Arc<Table>,
    config: GroupsConfig,
}

impl Bed {
    fn new() -> Bed {
        Bed::on(Memory::new())
    }
}

impl<S: Storage + 'static> Bed<S> {
    fn on(storage: S) -> Bed<S> {
        let config = GroupsConfig { sync_commits: true, ..GroupsConfig::default() };
        let topics = Table::with(&[("t", 2), ("u", 1)]);
        Bed { storage: Arc::new(storage), topics, config }
    }

    async fn open(&self) -> Groups {
        let (storage, topics) = (self.storage.clone(), self.topics.clone());
        Groups::open(storage, self.config.clone(), Arc::new(SystemClock), topics).await.unwrap()
    }
}

fn group(name: &str) -> GroupName {
    name.into()
}

fn join(member: &str, session_timeout_ms: u64) -> JoinRequest {
    JoinRequest {
        member_id: member.into(),
        instance: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout_ms,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![Protocol {
            name: "range".into(),
            metadata: b"\0\0\0\0\0\x01\0\x01t"[..].into(),
        }],
        fetches_id_first: false,
        can_skip_assignment: false,
    }
}

fn caller(member: &MemberId, generation: i32) -> Caller {
    Caller { member_id: member.clone(), instance: None, generation }
}

fn nobody() -> Caller {
    caller(&"".into(), -1)
}

fn position(topic: &str, partition: i32, offset: i64) -> Position {
    let (topic, metadata) = (topic.into(), "note".into());
    Position { topic, partition, offset, leader_epoch: 0, metadata }
}

/// Joins and becomes the leader of a group of its own, with its work.
async fn lead(groups: &Groups, name: &str, session_timeout_ms: u64) -> Joined {
    let joined = groups.join(&group(name), join("", session_timeout_ms)).await.unwrap();
    let work = joined.members.iter();
    let work = work.map(|JoinedMember { id, .. }| (id.clone(), Bytes::from_static(b"work")));
    let request = SyncRequest {
        caller: caller(&joined.member_id, joined.generation),
        protocol_type: None,
        protocol: None,
        assignments: work.collect(),
    };
    let Synced { assignment, .. } = groups.sync(&group(name), request).await.unwrap();
    assert_eq!(assignment, "work");
    joined
}

fn offset(groups: &Groups, name: &str, topic: &str, partition: i32) -> Option<i64> {
    groups.offsets(name, |offsets| Some(offsets?.find(topic, partition)?.offset))
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not within 5 s: {what}");
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let within = tokio::time::timeout(Duration::from_secs(5), future).await;
    within.unwrap_or_else(|_| panic!("not within 5 s: {what}"))
}

#[tokio::test]
async fn a_silent_member_is_evicted_and_the_one_that_waits_gets_in() {
    let groups = Bed::new().open().await;
    let first = lead(&groups, "g", 100).await;
    // A second member waits for the first one, which is never heard of again.
    let second = soon("join", groups.join(&group("g"), join("", 5_000))).await.unwrap();
    assert_eq!((second.generation, &second.leader), (2, &second.member_id));
    let late = groups.heartbeat(&group("g"), &caller(&first.member_id, 1));
    assert_eq!(late, Err(UnknownMemberId));
    groups.close().await;
}

#[tokio::test]
async fn one_that_hung_up_while_it_waited_leaves_nothing_behind() {
    let groups = Bed::new().open().await;
    let first = lead(&groups, "g", 10_000).await;
    // A connection that closes drops the request that waits on it.
    let name = group("g");
    let waits = groups.join(&name, join("", 100));
    assert!(tokio::time::timeout(Duration::from_millis(20), waits).await.is_err());
    assert_eq!(groups.lock().coordinator.waiting(), 1);
    let again = groups.join(&group("g"), join(first.member_id.as_str(), 10_000)).await.unwrap();
    assert_eq!((again.generation, again.members.len()), (2, 2), "nobody knows yet that it is gone");
    assert_eq!(groups.lock().coordinator.waiting(), 0);
    until("it is evicted", || groups.describe("g").unwrap().members.len() == 1).await;
    groups.close().await;
}

#[tokio::test]
async fn offsets_and_members_survive_a_restart() {
    let bed = Bed::new();
    let groups = bed.open().await;
    let member = lead(&groups, "g", 10_000).await;
    let who = caller(&member.member_id, member.generation);
    let positions = vec![position("t", 0, 5), position("t", 1, 7), position("u", 0, 9)];
    assert_eq!(groups.commit(&group("g"), &who, positions).await, [Ok(()); 3]);
    assert_eq!(groups.commit(&group("g"), &who, vec![position("t", 0, 6)]).await, [Ok(())]);
    let described = groups.describe("g").unwrap();
    // Not closed: as after kill -9.
    drop(groups);

    let groups = bed.open().await;
    assert_eq!(groups.describe("g").unwrap(), described);
    assert_eq!(groups.heartbeat(&group("g"), &who), Ok(()));
    assert_eq!(groups.commit(&group("g"), &who, vec![position("t", 0, 8)]).await, [Ok(())]);
    let stranger = caller(&"client-of-nowhere".into(), member.generation);
    let refused = groups.commit(&group("g"), &stranger, vec![position("t", 0, 1)]).await;
    assert_eq!(refused, [Err(UnknownMemberId)]);
    let found: Vec<_> = groups.offsets("g", |offsets| {
        let offsets = offsets.unwrap().iter();
        offsets.map(|(t, p, c)| (t.to_string(), p, c.offset, c.metadata.to_string())).collect()
    });
    let note = || "note".to_string();
    let expected = [
        ("t".to_string(), 0, 8, note()),
        ("t".to_string(), 1, 7, note()),
        ("u".to_string(), 0, 9, note()),
    ];
    assert_eq!(found, expected);
    assert_eq!(groups.list().len(), 1);
    groups.close().await;
}

/// One that was killed together with the broker has a whole session to come back, not more; and a
/// generation's number is not given out twice.
#[tokio::test]
async fn a_member_that_does_not_come_back_is_evicted_and_its_generation_is_over() {
    let bed = Bed::new();
    let groups = bed.open().await;
    let first = lead(&groups, "g", 100).await;
    // An orderly end of the broker is no reason to forget its groups either.
    groups.close().await;
    let groups = bed.open().await;
    let second = soon("join", groups.join(&group("g"), join("", 5_000))).await.unwrap();
    assert_eq!((second.generation, &second.leader), (2, &second.member_id));
    let late = caller(&first.member_id, first.generation);
    assert_eq!(groups.heartbeat(&group("g"), &late), Err(UnknownMemberId));
    groups.leave(&group("g"), &second.member_id, None).unwrap();
    until("nobody is left", || groups.describe("g").unwrap().state == State::Empty).await;
    groups.close().await;
    let groups = bed.open().await;
    assert_eq!(lead(&groups, "g", 5_000).await.generation, 4, "2, then 3 without members");
    groups.close().await;
}

/// The answer waits for the journal: a member that knows its part is in a generation that lasts.
#[tokio::test]
async fn nobody_gets_a_part_of_a_generation_that_could_not_be_kept() {
    let bed = Bed::on(Faulty::new());
    let groups = bed.open().await;
    let joined = groups.join(&group("g"), join("", 5_000)).await.unwrap();
    bed.storage.script(Fault::Sync(1));
    let request = SyncRequest {
        caller: caller(&joined.member_id, joined.generation),
        protocol_type: None,
        protocol: None,
        assignments: vec![(joined.member_id.clone(), Bytes::from_static(b"work"))],
    };
    let synced = soon("sync", groups.sync(&group("g"), request)).await;
    assert_eq!(synced, Err(CoordinatorNotAvailable));
    assert_eq!(groups.lock().coordinator.waiting(), 0);
    groups.close().await;
}

#[tokio::test]
async fn what_may_be_committed() {
    let groups = Bed::new().open().await;
    let member = lead(&groups, "members", 10_000).await;
    let (id, nobody) = (&member.member_id, nobody());
    let longest = "x".repeat(limits::MAX_COMMIT_METADATA_BYTES);
    let too_long = format!("{longest}x");
    let note = |text: &str| Position { metadata: text.into(), ..position("t", 0, 1) };
    for (name, who, position, outcome) in [
        ("simple", &nobody, position("t", 1, 1), Ok(())),
        ("simple", &nobody, position("t", 2, 1), Err(UnknownTopicOrPartition)),
        ("simple", &nobody, position("t", -1, 1), Err(UnknownTopicOrPartition)),
        ("simple", &nobody, position("nowhere", 0, 1), Err(UnknownTopicOrPartition)),
        ("simple", &nobody, note(&longest), Ok(())),
        ("simple", &nobody, note(&too_long), Err(OffsetMetadataTooLarge)),
        ("", &nobody, position("t", 0, 1), Ok(())),
        (&*"g".repeat(limits::MAX_ID_BYTES + 1), &nobody, position("t", 0, 1), Err(InvalidGroupId)),
        ("simple", &caller(id, 1), position("t", 0, 1), Err(UnknownMemberId)),
        ("absent", &caller(id, 1), position("t", 0, 1), Err(IllegalGeneration)),
        ("members", &caller(id, 1), position("t", 0, 1), Ok(())),
        ("members", &caller(id, 2), position("t", 0, 1), Err(IllegalGeneration)),
        ("members", &nobody, position("t", 0, 1), Err(UnknownMemberId)),
        ("members", &nobody, position("nowhere", 0, 1), Err(UnknownTopicOrPartition)),
    ] {
        let told = format!("{name:.9} {who:?} {}[{}]", position.topic, position.partition);
        assert_eq!(groups.commit(&group(name), who, vec![position]).await, [outcome], "{told}");
    }
    groups.close().await;
}

#[tokio::test]
async fn a_deleted_topic_takes_its_commits_along() {
    let bed = Bed::new();
    let groups = bed.open().await;
    for name in ["g", "h"] {
        let positions = vec![position("t", 0, 5), position("u", 0, 9)];
        groups.commit(&group(name), &nobody(), positions).await;
    }
    groups.topic_deleted("t").await;
    let look = |groups: &Groups| {
        ["g", "h"].map(|name| (offset(groups, name, "t", 0), offset(groups, name, "u", 0)))
    };
    assert_eq!(look(&groups), [(None, Some(9)); 2]);
    groups.close().await;
    assert_eq!(look(&bed.open().await), [(None, Some(9)); 2], "after a restart too");
    // The broker was killed between the deletion of a topic and the coordinator's hearing of it.
    bed.topics.0.lock().unwrap().remove("u");
    assert_eq!(look(&bed.open().await), [(None, None); 2]);
}

#[tokio::test]
async fn commits_beyond_a_cut_tail_are_lowered_to_the_end() {
    let bed = Bed::new();
    let groups = bed.open().await;
    groups.commit(&group("g"), &nobody(), vec![position("t", 0, 50), position("t", 1, 50)]).await;
    groups.commit(&group("h"), &nobody(), vec![position("t", 0, 20)]).await;
    groups.clamp("t", 0, 30).await;
    for groups in [groups, bed.open().await] {
        assert_eq!(offset(&groups, "g", "t", 0), Some(30));
        assert_eq!(offset(&groups, "g", "t", 1), Some(50));
        assert_eq!(offset(&groups, "h", "t", 0), Some(20));
        let note = groups.offsets("g", |o| o.unwrap().find("t", 0).unwrap().metadata.clone());
        assert_eq!(&*note, "note");
    }
}

#[tokio::test]
async fn groups_are_listed_described_and_deleted() {
    let bed = Bed::new();
    let groups = bed.open().await;
    let member = lead(&groups, "g", 10_000).await;
    groups.commit(&group("simple"), &nobody(), vec![position("t", 0, 1)]).await;
    let listed = groups.list();
    let listed: Vec<_> =
        listed.iter().map(|g| (g.group.as_str(), &*g.protocol_type, g.state)).collect();
    assert_eq!(listed, [("g", "consumer", State::Stable), ("simple", "", State::Empty)]);

    let described = groups.describe("g").unwrap();
    assert_eq!((&*described.protocol_type, &*described.protocol), ("consumer", "range"));
    assert_eq!(described.members[0].id, member.member_id);
    assert_eq!(described.members[0].assignment, "work");
    assert!(member.member_id.as_str().starts_with("client-"));
    assert_eq!(groups.describe("absent"), None);

    assert_eq!(groups.delete(&group("g")).await, Err(NonEmptyGroup));
    assert_eq!(groups.delete(&group("absent")).await, Err(GroupIdNotFound));
    assert_eq!(groups.delete(&group("simple")).await, Ok(()));
    assert_eq!(groups.delete(&group("simple")).await, Err(GroupIdNotFound));
    assert_eq!(groups.leave(&group("g"), &member.member_id, None), Ok(()));
    assert_eq!(groups.delete(&group("g")).await, Ok(()));
    groups.close().await;
    assert_eq!(bed.open().await.list(), []);
}

#[tokio::test]
async fn positions_are_deleted_unless_members_read_the_topic() {
    let groups = Bed::new().open().await;
    let member = lead(&groups, "g", 10_000).await;
    let who = caller(&member.member_id, 1);
    groups.commit(&group("g"), &who, vec![position("t", 0, 1), position("u", 0, 2)]).await;
    let asked = || vec![("t".into(), 0), ("u".into(), 0), ("u".into(), 7)];
    let unknown = Err(UnknownTopicOrPartition);
    let outcomes = groups.delete_offsets(&group("g"), asked()).await.unwrap();
    assert_eq!(outcomes, [Err(GroupSubscribedToTopic), Ok(()), unknown]);
    assert_eq!((offset(&groups, "g", "t", 0), offset(&groups, "g", "u", 0)), (Some(1), None));
    groups.leave(&group("g"), &member.member_id, None).unwrap();
    let outcomes = groups.delete_offsets(&group("g"), asked()).await.unwrap();
    assert_eq!(outcomes, [Ok(()), Ok(()), unknown]);
    assert_eq!(offset(&groups, "g", "t", 0), None);
    let absent = groups.delete_offsets(&group("absent"), asked()).await;
    assert_eq!(absent, Err(GroupIdNotFound));
    groups.close().await;
}

#[tokio::test]
async fn offsets_of_a_group_that_is_empty_for_too_long_are_forgotten() {
    let mut bed = Bed::new();
    bed.config.offsets_retention_ms = 100;
    bed.config.retention_check_interval_ms = 10;
    let groups = bed.open().await;
    let member = lead(&groups, "lives", 10_000).await;
    let who = caller(&member.member_id, 1);
    groups.commit(&group("lives"), &who, vec![position("t", 0, 1)]).await;
    groups.commit(&group("gone"), &nobody(), vec![position("t", 0, 1)]).await;
    until("retention", || offset(&groups, "gone", "t", 0).is_none()).await;
    until("the group goes too", || groups.describe("gone").is_none()).await;
    assert_eq!(offset(&groups, "lives", "t", 0), Some(1));
    groups.close().await;
    // After a restart the time counts anew: a service that comes back soon finds its place.
    bed.config.offsets_retention_ms = 60_000;
    assert_eq!(offset(&bed.open().await, "lives", "t", 0), Some(1));
}

#[tokio::test]
async fn the_journal_is_rewritten_when_it_has_grown() {
    let bed = Bed::new();
    let groups = bed.open().await;
    let note = "n".repeat(limits::MAX_COMMIT_METADATA_BYTES);
    for round in 0..400 {
        let positions = vec![
            Position { metadata: note.as_str().into(), ..position("t", 0, round) },
            Position { metadata: note.as_str().into(), ..position("t", 1, round) },
        ];
        assert_eq!(groups.commit(&group("g"), &nobody(), positions).await, [Ok(()); 2]);
    }
    groups.close().await;
    let size = bed.storage.content(journal::FILE).unwrap().len();
    assert!(size < 2 << 20, "3.2 MB were committed and {size} bytes kept");
    let groups = bed.open().await;
    assert_eq!(offset(&groups, "g", "t", 0), Some(399));
    assert_eq!(offset(&groups, "g", "t", 1), Some(399));
}

#[tokio::test]
async fn an_acknowledged_commit_survives_a_power_cut() {
    let bed = Bed::on(Faulty::new());
    let groups = bed.open().await;
    let commits = (0..20).map(|n| {
        let groups = groups.clone();
        tokio::spawn(async move {
            let name = group(&format!("g{n}"));
            groups.commit(&name, &nobody(), vec![position("t", 0, n)]).await
        })
    });
    for commit in commits.collect::<Vec<_>>() {
        assert_eq!(commit.await.unwrap(), [Ok(())]);
    }
    let syncs = bed.storage.counts().syncs;
    let groups = Bed::on(bed.storage.after_power_cut()).open().await;
    for n in 0..20 {
        assert_eq!(offset(&groups, &format!("g{n}"), "t", 0), Some(n));
    }
    assert!(syncs < 20, "those that wait share a sync: {syncs}");
}

#[tokio::test]
async fn a_commit_whose_sync_failed_is_never_acknowledged_and_nothing_more_is_taken() {
    let bed = Bed::on(Faulty::new());
    let groups = bed.open().await;
    let commit =
        async |offset| groups.commit(&group("g"), &nobody(), vec![position("t", 0, offset)]).await;
    assert_eq!(commit(1).await, [Ok(())]);
    bed.storage.script(Fault::Sync(1));
    assert_eq!(commit(2).await, [Err(CoordinatorNotAvailable)]);
    bed.storage.heal();
    assert_eq!(commit(3).await, [Err(CoordinatorNotAvailable)], "until the next start");
    assert_eq!(offset(&groups, "g", "t", 0), Some(1), "fetches go on");
    assert_eq!(groups.delete(&group("g")).await, Err(CoordinatorNotAvailable));
}

#[tokio::test]
async fn a_full_disk_refuses_commits_until_there_is_space() {
    let bed = Bed::on(Faulty::new());
    let groups = bed.open().await;
    let commit =
        async |offset| groups.commit(&group("g"), &nobody(), vec![position("t", 0, offset)]).await;
    assert_eq!(commit(1).await, [Ok(())]);
    bed.storage.script(Fault::FullFrom(1));
    assert_eq!(commit(2).await, [Err(CoordinatorNotAvailable)]);
    assert_eq!(offset(&groups, "g", "t", 0), Some(1));
    bed.storage.heal();
    assert_eq!(commit(3).await, [Ok(())]);
    drop(groups);
    assert_eq!(offset(&bed.open().await, "g", "t", 0), Some(3));
}

#[tokio::test]
async fn requests_that_cannot_be_served_are_told_so() {
    let mut bed = Bed::new();
    bed.config.max_groups = 1;
    let groups = bed.open().await;
    let refused = async |name: &str, request: JoinRequest| {
        groups.join(&group(name), request).await.unwrap_err().error
    };
    let huge = Bytes::from(vec![0; limits::MAX_MEMBER_METADATA_BYTES]);
    let huge = vec![Protocol { name: "range".into(), metadata: huge }];
    for (name, request, error) in [
        ("", join("", 1_000), InvalidGroupId),
        ("g", join("", 99), InvalidSessionTimeout),
        ("g", join("", 1_800_001), InvalidSessionTimeout),
        ("g", join("stranger", 1_000), UnknownMemberId),
        ("g", JoinRequest { protocols: huge, ..join("", 1_000) }, InvalidRequest),
    ] {
        assert_eq!(refused(name, request).await, error);
    }
    lead(&groups, "g", 10_000).await;
    assert_eq!(refused("one-too-many", join("", 1_000)).await, PolicyViolation);
    assert_eq!(groups.heartbeat(&group(""), &nobody()), Err(InvalidGroupId));
    assert_eq!(groups.heartbeat(&group("absent"), &nobody()), Err(UnknownMemberId));
    assert_eq!(groups.leave(&group("absent"), &"m".into(), None), Err(UnknownMemberId));
    groups.close().await;
}

#[tokio::test]
async fn closing_answers_everybody_and_takes_no_more() {
    let groups = Bed::new().open().await;
    lead(&groups, "g", 10_000).await;
    let waiting = tokio::spawn({
        let groups = groups.clone();
        async move { groups.join(&group("g"), join("", 10_000)).await }
    });
    let preparing = || groups.describe("g").unwrap().state == State::PreparingRebalance;
    until("the second member waits", preparing).await;
    soon("close", groups.close()).await;
    let refused = soon("the waiting join", waiting).await.unwrap().unwrap_err();
    assert_eq!(refused.error, CoordinatorNotAvailable);
    let late = groups.join(&group("g"), join("", 10_000)).await.unwrap_err();
    assert_eq!(late.error, CoordinatorNotAvailable);
    let late = groups.commit(&group("h"), &nobody(), vec![position("t", 0, 1)]).await;
    assert_eq!(late, [Err(CoordinatorNotAvailable)]);
}
