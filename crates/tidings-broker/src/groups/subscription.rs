//! What consumers say about the topics that they read, inside of the group protocol's opaque
//! metadata: enough of it to tell whether a topic is in use and whether a subscription changed.
//!
//! The layout is Kafka's `ConsumerProtocolSubscription`: version (int16), topics (array of
//! strings), then user data, owned partitions and more, by version, which nobody here needs.

use std::collections::BTreeSet;

use super::group::Protocol;

/// The topics of a consumer's subscription; `None` if these bytes are no such thing.
pub(crate) fn topics(metadata: &[u8]) -> Option<Vec<&str>> {
    let mut rest = metadata;
    let _version = i16::from_be_bytes(take(&mut rest)?);
    let count = usize::try_from(i32::from_be_bytes(take(&mut rest)?)).ok()?;
    // Each name takes two bytes at least: a larger count is a lie, and would size the list.
    if count > rest.len() / 2 {
        return None;
    }
    let mut topics = Vec::with_capacity(count);
    for _ in 0..count {
        let length = usize::try_from(i16::from_be_bytes(take(&mut rest)?)).ok()?;
        let (name, after) = rest.split_at_checked(length)?;
        topics.push(std::str::from_utf8(name).ok()?);
        rest = after;
    }
    Some(topics)
}

/// Whether a member that comes back with `new` can go on with the work that it was given when it
/// came with `old`. For consumers that is so if the topics are the same: the rest (the partitions
/// that it owned, the generation) differs after a restart without meaning anything.
pub(crate) fn same_work(protocol_type: &str, old: &[Protocol], new: &[Protocol]) -> bool {
    let names = |protocols: &[Protocol]| -> Vec<_> {
        protocols.iter().map(|protocol| protocol.name.clone()).collect()
    };
    names(old) == names(new)
        && old.iter().zip(new).all(|(old, new)| {
            old.metadata == new.metadata
                || (protocol_type == "consumer" && same_topics(&old.metadata, &new.metadata))
        })
}

fn same_topics(old: &[u8], new: &[u8]) -> bool {
    let set = |metadata| topics(metadata).map(|names| names.into_iter().collect::<BTreeSet<_>>());
    matches!((set(old), set(new)), (Some(old), Some(new)) if old == new)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(names: &[&str], tail: &[u8]) -> bytes::Bytes {
        let mut out = vec![0, 1];
        out.extend((names.len() as i32).to_be_bytes());
        for name in names {
            out.extend((name.len() as i16).to_be_bytes());
            out.extend(name.as_bytes());
        }
        out.extend(tail);
        out.into()
    }

    #[test]
    fn reads_topics_and_survives_lies() {
        assert_eq!(topics(&metadata(&["a", "bc"], b"rest")), Some(vec!["a", "bc"]));
        assert_eq!(topics(&metadata(&[], b"")), Some(vec![]));
        let whole = metadata(&["orders"], b"");
        for cut in 0..whole.len() {
            assert_eq!(topics(&whole[..cut]), None, "cut at {cut}");
        }
        assert_eq!(topics(&[0, 1, 0x7f, 0xff, 0xff, 0xff, 0, 0]), None);
        assert_eq!(topics(&[0, 1, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(topics(&[0, 1, 0, 0, 0, 1, 0, 1, 0xff]), None, "not UTF-8");
    }

    #[test]
    fn owned_partitions_do_not_change_the_work_but_topics_do() {
        let one = |metadata| vec![Protocol { name: "range".into(), metadata }];
        let old = one(metadata(&["a", "b"], b"owned"));
        for (kind, new, same) in [
            ("consumer", one(metadata(&["b", "a"], b"")), true),
            ("consumer", one(metadata(&["a"], b"owned")), false),
            ("connect", one(metadata(&["a", "b"], b"")), false),
            ("connect", old.clone(), true),
            ("consumer", Vec::new(), false),
        ] {
            assert_eq!(same_work(kind, &old, &new), same, "{kind} {new:?}");
        }
    }
}
