//! Where the lengths are in each request: the least that must be known to check them before the
//! codec trusts them.
//!
//! Written after Kafka's message definitions (clients/src/main/resources/common/message in Apache
//! Kafka), for the versions in the table of `api.rs`. A layout says nothing about meaning: only
//! how many bytes a field takes, or where its length stands. A test builds random requests from
//! these layouts and has the codec read them to the last byte, so that the two cannot differ.

use kafka_protocol::messages::ApiKey;

/// How many bytes a field takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// So many bytes, whatever they mean.
    Fixed(usize),
    /// A string, nullable or not.
    Text,
    /// A byte string, nullable or not; record batches too.
    Bytes,
    /// An array of elements of a fixed size.
    Fixeds(usize),
    /// An array of strings.
    Texts,
    /// An array of structures.
    Each(&'static [Field]),
}

/// A field and the versions that have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) kind: Kind,
    pub(crate) since: i16,
    pub(crate) until: i16,
}

impl Field {
    /// Only since this version.
    const fn since(self, version: i16) -> Field {
        Field { since: version, ..self }
    }

    /// Only until this version, inclusive.
    const fn until(self, version: i16) -> Field {
        Field { until: version, ..self }
    }
}

/// One request's fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// The first version with compact lengths and tagged fields (KIP-482).
    pub(crate) flexible_from: i16,
    pub(crate) fields: &'static [Field],
}

const fn field(kind: Kind) -> Field {
    Field { kind, since: 0, until: i16::MAX }
}

const BYTE: Field = field(Kind::Fixed(1));
const I16: Field = field(Kind::Fixed(2));
const I32: Field = field(Kind::Fixed(4));
const I64: Field = field(Kind::Fixed(8));
const UUID: Field = field(Kind::Fixed(16));
const TEXT: Field = field(Kind::Text);
const BYTES: Field = field(Kind::Bytes);
const TEXTS: Field = field(Kind::Texts);
const I32S: Field = field(Kind::Fixeds(4));

const fn each(fields: &'static [Field]) -> Field {
    field(Kind::Each(fields))
}

/// The layout of the request with this key, if it is one that may be served.
pub(crate) fn layout(key: i16) -> Option<Layout> {
    let find = |table: &[Line]| table.iter().find(|line| line.0 as i16 == key).copied();
    let (_, flexible_from, fields) = find(DATA).or_else(|| find(GROUPS)).or_else(|| find(ADMIN))?;
    Some(Layout { flexible_from, fields })
}

/// Key, first flexible version, fields.
type Line = (ApiKey, i16, &'static [Field]);

/// Records, and what clients need to find and read them.
const DATA: &[Line] = &[
    (ApiKey::Produce, 9, &[TEXT, I16, I32, each(&[TEXT, each(&[I32, BYTES])])]),
    (ApiKey::Fetch, 12, FETCH),
    (ApiKey::Metadata, 9, METADATA),
    (ApiKey::ListOffsets, 6, &[I32, BYTE.since(2), each(&[TEXT, each(LIST_OFFSETS_PARTITION)])]),
    (ApiKey::OffsetForLeaderEpoch, 4, &[I32.since(3), each(&[TEXT, each(&[I32, I32, I32])])]),
    (ApiKey::InitProducerId, 2, &[TEXT, I32, I64.since(3), I16.since(3)]),
    (ApiKey::ApiVersions, 3, &[TEXT.since(3), TEXT.since(3)]),
];

const FETCH: &[Field] = &[
    I32,
    I32,
    I32,
    I32,
    BYTE,
    I32.since(7),
    I32.since(7),
    each(&[TEXT, each(&[I32, I32.since(9), I64, I32.since(12), I64.since(5), I32])]),
    each(&[TEXT, I32S]).since(7),
    TEXT.since(11),
];

const METADATA: &[Field] =
    &[each(&[UUID.since(10), TEXT]), BYTE.since(4), BYTE.since(8).until(10), BYTE.since(8)];

const LIST_OFFSETS_PARTITION: &[Field] = &[I32, I32.since(4), I64];

/// Consumer groups.
const GROUPS: &[Line] = &[
    (ApiKey::FindCoordinator, 3, &[TEXT.until(3), BYTE.since(1), TEXTS.since(4)]),
    (ApiKey::JoinGroup, 6, JOIN_GROUP),
    (ApiKey::SyncGroup, 4, SYNC_GROUP),
    (ApiKey::Heartbeat, 4, &[TEXT, I32, TEXT, TEXT.since(3)]),
    (ApiKey::LeaveGroup, 4, &[TEXT, TEXT.until(2), each(LEAVING_MEMBER).since(3)]),
    (ApiKey::OffsetCommit, 8, OFFSET_COMMIT),
    (ApiKey::OffsetFetch, 6, OFFSET_FETCH),
    (ApiKey::DescribeGroups, 5, &[TEXTS, BYTE.since(3)]),
    (ApiKey::ListGroups, 3, &[TEXTS.since(4)]),
    (ApiKey::DeleteGroups, 2, &[TEXTS]),
    (ApiKey::OffsetDelete, i16::MAX, &[TEXT, each(&[TEXT, each(&[I32])])]),
];

const JOIN_GROUP: &[Field] =
    &[TEXT, I32, I32.since(1), TEXT, TEXT.since(5), TEXT, each(&[TEXT, BYTES]), TEXT.since(8)];

const SYNC_GROUP: &[Field] =
    &[TEXT, I32, TEXT, TEXT.since(3), TEXT.since(5), TEXT.since(5), each(&[TEXT, BYTES])];

const LEAVING_MEMBER: &[Field] = &[TEXT, TEXT, TEXT.since(5)];

const OFFSET_COMMIT: &[Field] = &[
    TEXT,
    I32,
    TEXT,
    TEXT.since(7),
    I64.until(4),
    each(&[TEXT, each(&[I32, I64, I32.since(6), TEXT])]),
];

const OFFSET_FETCH: &[Field] = &[
    TEXT.until(7),
    each(&[TEXT, I32S]).until(7),
    each(&[TEXT, each(&[TEXT, I32S])]).since(8),
    BYTE.since(7),
];

/// Topics, configurations and the cluster.
const ADMIN: &[Line] = &[
    (ApiKey::CreateTopics, 5, &[each(CREATABLE_TOPIC), I32, BYTE]),
    (ApiKey::DeleteTopics, 4, &[TEXTS, I32]),
    (ApiKey::CreatePartitions, 2, &[each(&[TEXT, I32, each(&[I32S])]), I32, BYTE]),
    (ApiKey::DescribeConfigs, 4, &[each(&[BYTE, TEXT, TEXTS]), BYTE, BYTE.since(3)]),
    (ApiKey::AlterConfigs, 2, &[each(&[BYTE, TEXT, each(&[TEXT, TEXT])]), BYTE]),
    (ApiKey::IncrementalAlterConfigs, 1, &[each(&[BYTE, TEXT, each(&[TEXT, BYTE, TEXT])]), BYTE]),
    (ApiKey::DeleteRecords, 2, &[each(&[TEXT, each(&[I32, I64])]), I32]),
    (ApiKey::DescribeCluster, 0, &[BYTE, BYTE.since(1), BYTE.since(2)]),
];

const CREATABLE_TOPIC: &[Field] = &[TEXT, I32, I16, each(&[I32, I32S]), each(&[TEXT, TEXT])];
