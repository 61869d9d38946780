//! The error codes and side effects of the group APIs, step by step, on the bare wire.
//!
//! The same steps run against our broker and against Apache Kafka: what it answers is right. It
//! needs `group.initial.rebalance.delay.ms=0` and `group.min.session.timeout.ms=100`.

use std::net::SocketAddr;

use kafka_protocol::error::ResponseError::{self, *};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::*;

use super::member::until;
use super::wire::{JoinAs, TO_U, Wire, text};
use crate::support::either;
use crate::support::named::differs;

#[tokio::test(flavor = "multi_thread")]
async fn our_answers_are_those_that_kafka_gives() {
    let broker = either().await;
    all(broker.addr());
    broker.shutdown().await;
}

fn all(addr: SocketAddr) {
    let mut wire = Wire::connect(addr);
    create_topics(&mut wire);
    // Being asked for a coordinator makes Kafka create the topic that one needs.
    until("there is a coordinator", || {
        let keys = vec![text("none")];
        let request = FindCoordinatorRequest::default().with_coordinator_keys(keys);
        let found = &wire.0.call(4, &request).coordinators[0];
        found.error_code == 0 && found.port == i32::from(addr.port())
    });
    until("it is loaded", || wire.heartbeat("none", "m", 1) == code(UnknownMemberId));
    joining(&mut wire);
    committing(&mut wire);
    leaving(&mut wire, addr);
    static_members(&mut wire);
    static_member_with_other_topics(&mut wire);
    telling_and_deleting(&mut wire);
}

fn create_topics(wire: &mut Wire) {
    let topics = ["t", "u"].map(|name| {
        let topic = CreatableTopic::default().with_name(TopicName(text(name)));
        topic.with_num_partitions(4).with_replication_factor(1)
    });
    let request =
        CreateTopicsRequest::default().with_topics(topics.to_vec()).with_timeout_ms(10_000);
    for topic in wire.0.call(5, &request).topics {
        let made = [0, code(TopicAlreadyExists)].contains(&topic.error_code);
        assert!(made, "{topic:?}");
    }
}

fn code(error: ResponseError) -> i16 {
    error.code()
}

/// A group name that no other run has used.
fn fresh(name: &str) -> String {
    format!("{name}-{}", uuid())
}

fn uuid() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{:x}", now.as_nanos())
}

fn joining(wire: &mut Wire) {
    let group = &fresh("joining");
    for (how, error) in [
        (JoinAs::new(5, "stranger"), UnknownMemberId),
        (JoinAs { session_ms: 10, ..JoinAs::new(5, "") }, InvalidSessionTimeout),
        (JoinAs { session_ms: 3_600_000, ..JoinAs::new(5, "") }, InvalidSessionTimeout),
        (JoinAs { protocols: &[], ..JoinAs::new(3, "") }, InconsistentGroupProtocol),
        (JoinAs { protocol_type: "", ..JoinAs::new(3, "") }, InconsistentGroupProtocol),
    ] {
        let told = format!("{how:?}");
        assert_eq!(wire.join(group, how).error_code, code(error), "{told}");
    }
    assert_eq!(wire.join("", JoinAs::new(5, "")).error_code, code(InvalidGroupId));
    assert_eq!(wire.sync(group, "m", 1, &[]).0, code(UnknownMemberId));
    assert_eq!(wire.heartbeat(group, "m", 1), code(UnknownMemberId));
    assert_eq!(wire.heartbeat("", "m", 1), code(InvalidGroupId));

    let told = wire.join(group, JoinAs::new(9, ""));
    assert_eq!(told.error_code, code(MemberIdRequired));
    assert_eq!((told.generation_id, told.protocol_name), (-1, None));
    assert_eq!(wire.heartbeat(group, &told.member_id, -1), code(UnknownMemberId));
    let joined = wire.join(group, JoinAs::new(9, &told.member_id));
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    assert_eq!(joined.protocol_type.as_deref(), Some("consumer"));
    assert_eq!(joined.protocol_name.as_deref(), Some("range"));
    assert_eq!((&joined.leader, joined.members.len()), (&told.member_id, 1));
    assert!(!joined.skip_assignment);
    let id = &*told.member_id;
    let other = JoinAs { protocols: &["sticky"], ..JoinAs::new(3, "") };
    assert_eq!(wire.join(group, other).error_code, code(InconsistentGroupProtocol));
    // The answer to the leader's join was lost: the same generation again.
    let again = wire.join(group, JoinAs::new(9, id));
    assert_eq!((again.generation_id, again.members.len()), (1, 1));
    assert_eq!(wire.sync_as(group, id, 1, "consumer", "sticky"), code(InconsistentGroupProtocol));
    assert_eq!(wire.sync_as(group, id, 1, "connect", "range"), code(InconsistentGroupProtocol));
    assert_eq!(wire.sync(group, id, 0, &[]).0, code(IllegalGeneration));
    assert_eq!(wire.sync(group, id, 1, &[(id, "w"), ("ghost", "x")]), (0, "w".into()));
    assert_eq!(wire.sync(group, id, 1, &[]), (0, "w".into()));
    assert_eq!(wire.heartbeat(group, id, 1), 0);
    assert_eq!(wire.heartbeat(group, id, 2), code(IllegalGeneration));
    // A leader that joins a stable group wants a rebalance.
    assert_eq!(wire.join(group, JoinAs::new(9, id)).generation_id, 2);
}

fn committing(wire: &mut Wire) {
    let group = &fresh("committing");
    assert_eq!(wire.fetch(group), -1, "no group, no error");
    assert_eq!(wire.commit(group, "", -1, 7), 0, "nobody needs to be a member");
    assert_eq!(wire.fetch(group), 7);
    assert_eq!(wire.commit(group, "m", 1, 8), code(UnknownMemberId));
    assert_eq!(wire.commit(&fresh("absent"), "m", 1, 8), code(IllegalGeneration));
    assert_eq!(wire.commit_at(group, "t", 4, ""), code(UnknownTopicOrPartition));
    assert_eq!(wire.commit_at(group, "nowhere", 0, ""), code(UnknownTopicOrPartition));
    assert_eq!(wire.commit_at(group, "t", 0, &"m".repeat(4_096)), 0);
    assert_eq!(wire.commit_at(group, "t", 0, &"m".repeat(4_097)), code(OffsetMetadataTooLarge));

    let joined = wire.join(group, JoinAs::new(3, ""));
    let (id, generation) = (&*joined.member_id, joined.generation_id);
    assert_eq!(wire.commit(group, id, generation, 9), code(RebalanceInProgress));
    assert_eq!(wire.sync(group, id, generation, &[(id, "w")]).0, 0);
    assert_eq!(wire.commit(group, id, generation, 9), 0);
    assert_eq!(wire.commit(group, id, generation + 1, 9), code(IllegalGeneration));
    assert_eq!(wire.commit(group, "m", generation, 9), code(UnknownMemberId));
    assert_eq!(wire.commit(group, "", -1, 9), code(UnknownMemberId));
    assert_eq!(wire.fetch(group), 9);

    // Version 8 asks for several groups at once; all topics if none are named.
    let named = OffsetFetchRequestTopics::default()
        .with_name(TopicName(text("t")))
        .with_partition_indexes(vec![0, 1]);
    let groups = [(group.clone(), None), (fresh("other"), Some(vec![named]))];
    let groups = groups.into_iter().map(|(name, topics)| {
        OffsetFetchRequestGroup::default().with_group_id(GroupId(text(&name))).with_topics(topics)
    });
    let request = OffsetFetchRequest::default().with_groups(groups.collect());
    let found = wire.0.call(8, &request).groups;
    let offsets = |n: usize| {
        let topics = found[n].topics.iter();
        let partitions = topics.flat_map(|topic| &topic.partitions);
        partitions
            .map(|p| (p.partition_index, p.committed_offset, p.error_code))
            .collect::<Vec<_>>()
    };
    assert_eq!(offsets(0), Vec::from([(0, 9, 0)]));
    assert_eq!(offsets(1), Vec::from([(0, -1, 0), (1, -1, 0)]));
}

fn leaving(wire: &mut Wire, addr: SocketAddr) {
    let group = &fresh("leaving");
    let leave = |wire: &mut Wire, version: i16, members: &[(&str, Option<&str>)]| {
        let identities = members.iter().map(|(id, instance)| {
            MemberIdentity::default()
                .with_member_id(text(id))
                .with_group_instance_id(instance.map(text))
        });
        let request = LeaveGroupRequest::default().with_group_id(GroupId(text(group)));
        let request = if version < 3 {
            request.with_member_id(text(members[0].0))
        } else {
            request.with_members(identities.collect())
        };
        let response = wire.0.call(version, &request);
        let each = response.members.iter().map(|member| member.error_code);
        (response.error_code, each.collect::<Vec<_>>())
    };
    assert_eq!(leave(wire, 1, &[("m", None)]), (code(UnknownMemberId), vec![]));
    assert_eq!(leave(wire, 3, &[("m", None)]), (0, vec![code(UnknownMemberId)]));

    // A static member and one that was told to come back with its id.
    let joined = wire.join(group, JoinAs { instance: Some("s"), ..JoinAs::new(5, "") });
    let id = &*joined.member_id;
    wire.sync(group, id, 1, &[(id, "w")]);
    let told = Wire::connect(addr).join(group, JoinAs::new(5, ""));
    let leavers = [(&*told.member_id, None), ("", Some("nobody")), ("x", Some("s"))];
    let outcome = vec![0, code(UnknownMemberId), code(FencedInstanceId)];
    assert_eq!(leave(wire, 5, &leavers), (0, outcome));
    assert_eq!(leave(wire, 5, &[("", Some("s"))]), (0, vec![0]));
    assert_eq!(wire.heartbeat(group, id, 1), code(UnknownMemberId));
}

fn static_members(wire: &mut Wire) {
    let group = &fresh("static");
    let as_s = |version| JoinAs { instance: Some("s"), ..JoinAs::new(version, "") };
    let first = wire.join(group, as_s(5));
    assert_eq!((first.error_code, first.generation_id), (0, 1), "no id is asked for");
    let old = &*first.member_id;
    assert!(old.starts_with("s-"), "{old}");
    wire.sync(group, old, 1, &[(old, "w")]);
    // Started again, it is not told that it leads, so that it hands out no work.
    let second = wire.join(group, as_s(8));
    assert_eq!((second.generation_id, &*second.leader), (1, old));
    assert_ne!(&*second.member_id, old);
    assert_eq!(second.members, []);
    assert_eq!(wire.sync(group, &second.member_id, 1, &[]), (0, "w".into()));
    assert_eq!(wire.heartbeat_as(group, old, "s", 1), code(FencedInstanceId));
    assert_eq!(wire.heartbeat(group, old, 1), code(UnknownMemberId));
    assert_eq!(wire.heartbeat_as(group, &second.member_id, "other", 1), code(UnknownMemberId));
    let fenced = wire.join(group, JoinAs { instance: Some("s"), ..JoinAs::new(5, old) });
    assert_eq!(fenced.error_code, code(FencedInstanceId));
    // From version 9 it leads, and is told that the work stands.
    let third = wire.join(group, as_s(9));
    assert_eq!((third.generation_id, &third.leader), (1, &third.member_id));
    assert_eq!((third.skip_assignment, third.members.len()), (true, 1));
    assert_eq!(wire.sync(group, &third.member_id, 1, &[]), (0, "w".into()));
    let id = &*third.member_id;
    let again = wire.join(group, JoinAs { instance: Some("s"), ..JoinAs::new(9, id) });
    assert_eq!((again.generation_id, again.skip_assignment), (2, false));
    // In the middle of handing out the work, all are called again.
    assert_eq!(wire.join(group, as_s(9)).generation_id, 3);
}

fn static_member_with_other_topics(wire: &mut Wire) {
    let group = &fresh("other-topics");
    let as_s = || JoinAs { instance: Some("s"), ..JoinAs::new(9, "") };
    let first = wire.join(group, as_s());
    let id = &*first.member_id;
    assert_eq!(wire.sync(group, id, 1, &[(id, "w")]).0, 0);
    let again = wire.join(group, JoinAs { subscription: TO_U, ..as_s() });
    let what = if again.generation_id == 1 { "the generation stays" } else { "a rebalance" };
    differs("static-member-with-other-topics", what, "a rebalance", "the generation stays");
}

fn telling_and_deleting(wire: &mut Wire) {
    let group = &fresh("telling");
    let absent = wire.describe(group);
    assert_eq!((absent.error_code, absent.group_state.as_str()), (0, "Dead"));
    let joined = wire.join(group, JoinAs::new(3, ""));
    let id = &*joined.member_id;
    assert_eq!(wire.describe(group).group_state.as_str(), "CompletingRebalance");
    wire.sync(group, id, 1, &[(id, "w")]);
    for topic in ["t", "u"] {
        assert_eq!(wire.commit_by(group, id, 1, topic), 0);
    }
    let stable = wire.describe(group);
    assert_eq!(stable.group_state.as_str(), "Stable");
    assert_eq!(
        (stable.protocol_type.as_str(), stable.protocol_data.as_str()),
        ("consumer", "range")
    );
    let member = &stable.members[0];
    assert_eq!((member.member_id.as_str(), &*member.member_assignment), (id, &b"w"[..]));
    assert_eq!((member.client_id.as_str(), member.client_host.as_str()), ("test", "/127.0.0.1"));

    let listed = |wire: &mut Wire, states: &[&str]| {
        let states = states.iter().map(|state| text(state)).collect();
        let found = wire.0.call(4, &ListGroupsRequest::default().with_states_filter(states));
        let ours = found.groups.into_iter().find(|g| g.group_id.as_str() == group);
        ours.map(|g| (g.protocol_type.to_string(), g.group_state.to_string()))
    };
    let found = Some(("consumer".to_string(), "Stable".to_string()));
    assert_eq!(listed(wire, &[]), found);
    assert_eq!(listed(wire, &["Empty", "Stable"]), found);
    assert_eq!(listed(wire, &["Empty"]), None);

    let forget = |wire: &mut Wire, group: &str| {
        let partitions = vec![OffsetDeleteRequestPartition::default()];
        let topics = ["t", "u", "nowhere"].map(|name| {
            OffsetDeleteRequestTopic::default()
                .with_name(TopicName(text(name)))
                .with_partitions(partitions.clone())
        });
        let request = OffsetDeleteRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_topics(topics.to_vec());
        let response = wire.0.call(0, &request);
        let each = |name: &str| {
            let topic = response.topics.iter().find(|topic| topic.name.as_str() == name);
            topic.map(|topic| topic.partitions[0].error_code)
        };
        (response.error_code, ["t", "u", "nowhere"].map(each))
    };
    let unknown = Some(code(UnknownTopicOrPartition));
    let in_use = Some(code(GroupSubscribedToTopic));
    assert_eq!(forget(wire, group), (0, [in_use, Some(0), unknown]));
    assert_eq!(forget(wire, &fresh("absent")), (code(GroupIdNotFound), [None; 3]));

    let delete = |wire: &mut Wire, group: &str| {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(group))]);
        wire.0.call(2, &request).results[0].error_code
    };
    assert_eq!(delete(wire, group), code(NonEmptyGroup));
    let leave =
        LeaveGroupRequest::default().with_group_id(GroupId(text(group))).with_member_id(text(id));
    assert_eq!(wire.0.call(1, &leave).error_code, 0);
    assert_eq!(wire.describe(group).group_state.as_str(), "Empty");
    assert_eq!(forget(wire, group), (0, [Some(0), Some(0), unknown]));
    assert_eq!(wire.fetch(group), -1);
    assert_eq!(delete(wire, group), 0);
    assert_eq!(delete(wire, group), code(GroupIdNotFound));
}
