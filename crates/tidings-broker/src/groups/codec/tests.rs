//! Round trips, hostile bytes, and the layouts as they are on people's disks.

use proptest::prelude::*;

use super::*;
use crate::groups::group::{Generation, Protocol, SettledMember};
use crate::groups::ids::{InstanceId, MemberId, ProtocolName};

fn change() -> impl Strategy<Value = Change> {
    let name = || "[^\\x00]{0,40}".prop_map(String::into_boxed_str);
    let committed = (any::<i64>(), any::<i32>(), any::<i64>(), name()).prop_map(
        |(offset, leader_epoch, committed_at_ms, metadata)| Committed {
            offset,
            leader_epoch,
            metadata,
            committed_at_ms,
        },
    );
    prop_oneof![
        (name(), name(), any::<i32>(), committed).prop_map(
            |(group, topic, partition, committed)| Change::Commit {
                group,
                topic,
                partition,
                committed
            }
        ),
        (name(), name(), any::<i32>()).prop_map(|(group, topic, partition)| {
            Change::ForgetPartition { group, topic, partition }
        }),
        name().prop_map(|group| Change::ForgetGroup { group }),
        name().prop_map(|topic| Change::ForgetTopic { topic }),
        (name(), generation()).prop_map(|(group, generation)| {
            Change::Settle { group, generation: Arc::new(generation) }
        }),
    ]
}

fn generation() -> impl Strategy<Value = Generation> {
    let text = || "[^\\x00]{0,12}".prop_map(|text: String| text);
    let bytes = || proptest::collection::vec(any::<u8>(), 0..20).prop_map(bytes::Bytes::from);
    let option = |of| proptest::option::of(of);
    let protocol = (text(), bytes())
        .prop_map(|(name, metadata)| Protocol { name: name.as_str().into(), metadata });
    let protocols = proptest::collection::vec(protocol, 0..3);
    let names = (text(), option(text()), text(), text());
    let member = (names, any::<u64>(), any::<u64>(), protocols, bytes()).prop_map(
        |((id, instance, client_id, client_host), session, rebalance, protocols, assignment)| {
            SettledMember {
                id: id.as_str().into(),
                instance: instance.map(|name| InstanceId::from(&*name)),
                client_id,
                client_host,
                session_timeout_ms: session,
                rebalance_timeout_ms: rebalance,
                protocols,
                assignment,
            }
        },
    );
    let members = proptest::collection::vec(member, 0..3);
    (any::<i32>(), option(text()), option(text()), option(text()), members).prop_map(
        |(number, protocol_type, protocol, leader, members)| Generation {
            number,
            protocol_type: protocol_type.map(|name| ProtocolName::from(&*name)),
            protocol: protocol.map(|name| ProtocolName::from(&*name)),
            leader: leader.map(|id| MemberId::from(&*id)),
            members,
        },
    )
}

proptest! {
    #[test]
    fn the_bound_of_a_generation_holds(generation in generation()) {
        let mut out = Vec::new();
        generation::put(&mut out, &generation);
        prop_assert!(out.len() <= size_bound(&generation));
    }

    #[test]
    fn what_is_written_is_read(change in change()) {
        prop_assert_eq!(decode(&encode(&change)), Ok(change));
    }

    #[test]
    fn a_cut_entry_is_an_error_and_garbage_never_panics(
        change in change(),
        garbage in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let whole = encode(&change);
        for cut in 0..whole.len() {
            prop_assert!(decode(&whole[..cut]).is_err());
        }
        let _ = decode(&garbage);
    }
}

/// These bytes are on people's disks: if this test must change, VERSION must too.
#[test]
fn version_1_is_fixed() {
    let committed =
        Committed { offset: 42, leader_epoch: -1, metadata: "m".into(), committed_at_ms: 0x0102 };
    let commit = Change::Commit { group: "g".into(), topic: "ab".into(), partition: 7, committed };
    let bytes: &[u8] = &[
        1, 1, 0, 1, b'g', 0, 2, b'a', b'b', 0, 0, 0, 7, // group, topic, partition
        0, 0, 0, 0, 0, 0, 0, 42, 0xff, 0xff, 0xff, 0xff, // offset, leader epoch
        0, 0, 0, 0, 0, 0, 1, 2, 0, 1, b'm', // time, metadata
    ];
    assert_eq!(encode(&commit), bytes);
    for (bytes, change) in [
        (bytes, Ok(commit)),
        (
            &[1, 2, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 3],
            Ok(Change::ForgetPartition { group: "g".into(), topic: "t".into(), partition: 3 }),
        ),
        (&[1, 3, 0, 1, b'g'], Ok(Change::ForgetGroup { group: "g".into() })),
        (&[1, 4, 0, 1, b't'], Ok(Change::ForgetTopic { topic: "t".into() })),
        (&[3, 3, 0, 1, b'g'], Err(EntryError::Newer(3))),
        (&[1, 5, 0, 1, b'g'], Err(EntryError::Malformed("unknown kind"))),
        (&[0, 3, 0, 1, b'g'], Err(EntryError::Malformed("format version 0"))),
        (&[1, 9], Err(EntryError::Malformed("unknown kind"))),
        (&[1, 4, 0, 1, b't', 0], Err(EntryError::Malformed("too long"))),
        (&[1, 4, 0, 1, 0xff], Err(EntryError::Malformed("not UTF-8"))),
    ] {
        assert_eq!(decode(bytes), change, "{bytes:?}");
    }
}

/// As above, for what version 2 added.
#[test]
fn version_2_is_fixed() {
    let member = SettledMember {
        id: "m-1".into(),
        instance: None,
        client_id: "c".into(),
        client_host: "h".into(),
        session_timeout_ms: 0x0102,
        rebalance_timeout_ms: 3,
        protocols: vec![Protocol { name: "r".into(), metadata: b"xy"[..].into() }],
        assignment: b"z"[..].into(),
    };
    let generation = Generation {
        number: 7,
        protocol_type: Some("consumer".into()),
        protocol: None,
        leader: Some("m-1".into()),
        members: vec![member],
    };
    let settle = Change::Settle { group: "g".into(), generation: Arc::new(generation) };
    let bytes: &[&[u8]] = &[
        &[2, 5, 0, 1, b'g', 0, 0, 0, 7, 0, 0, 0, 8],
        b"consumer",
        &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 3, b'm', b'-', b'1', 0, 0, 0, 1],
        &[0, 0, 0, 3, b'm', b'-', b'1', 0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 1, b'c', 0, 0, 0, 1, b'h'],
        &[0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 3],
        &[0, 0, 0, 1, 0, 0, 0, 1, b'r', 0, 0, 0, 2, b'x', b'y', 0, 0, 0, 1, b'z'],
    ];
    assert_eq!(encode(&settle), bytes.concat());
    assert_eq!(decode(&bytes.concat()), Ok(settle));
}
