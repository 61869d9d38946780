//! The vectors of docs/formats/event-ids.md, which were computed with Python's hashlib, and what
//! the ids must have in common.

use proptest::prelude::*;

use super::*;

const V7: &str = "01936f2a-1c00-7abc-8def-0123456789ab";
const TAKEN: &str = "com.example.payment.taken.v1";

#[test]
fn ids_are_those_of_the_documented_vectors() {
    type Row<'a> = (&'a str, &'a str, &'a str, Option<&'a [u8]>, u64, &'a str);
    let rows: [Row<'_>; 8] = [
        ("/payments", "/orders", V7, Some(b"1042"), 0, "01936f2a-1c00-8437-8c4b-0fce442f98b4"),
        ("/payments", "/orders", V7, Some(b"1042"), 1, "01936f2a-1c00-8b5c-aba0-835c3177f6dd"),
        ("/payments", "/orders", V7, Some(b""), 0, "01936f2a-1c00-8089-bdd9-7debf016adf3"),
        ("/payments", "/orders", V7, None, 0, "01936f2a-1c00-8043-8a3f-d0874b53745b"),
        ("/payments", "/python", "a-1", Some(b"1042"), 0, "0cbe9024-878c-8c63-859e-2e446105cbd7"),
        (
            "/payments",
            "/orders",
            "01936f2a-1c00-8abc-8def-0123456789ab",
            Some(b"1042"),
            0,
            "01936f2a-1c00-80ba-b895-2d9792de232c",
        ),
        (
            "/payments",
            "/orders",
            "6fa459ea-ee8a-4ca4-894e-db77e160355e",
            Some(b"1042"),
            0,
            "02ff3289-6d98-8a39-9eb0-221f1071288b",
        ),
        (
            "/zahlungen/ü",
            "/orders",
            "01936F2A-1C00-7ABC-8DEF-0123456789AB",
            Some(b"\x00\xff"),
            1 << 40,
            "01936f2a-1c00-8524-83c4-eda6f9714c84",
        ),
    ];
    for (source, cause_source, cause_id, key, ordinal, expected) in rows {
        let handler = "charge";
        let from = Derivation { source, cause_source, cause_id, handler, ty: TAKEN, key, ordinal };
        assert_eq!(EventId::derive(&from).as_str(), expected, "{from:?}");
    }
}

#[test]
fn random_ids_are_version_7_and_sort_by_time() {
    let ids: Vec<EventId> = (0..1000).map(|_| EventId::random()).collect();
    assert!(ids.is_sorted());
    assert!(ids.iter().all(|id| &id.as_str()[14..15] == "7"));
}

proptest! {
    #[test]
    fn each_input_changes_the_id(
        a in proptest::array::uniform5("[a-z/]{0,6}"),
        b in proptest::array::uniform5("[a-z/]{0,6}"),
        keys in proptest::array::uniform2(proptest::option::of(any::<[u8; 2]>())),
        ordinals in proptest::array::uniform2(0u64..3),
    ) {
        let from = |t: &[String; 5], key: &Option<[u8; 2]>, ordinal| {
            EventId::derive(&Derivation {
                source: &t[0],
                cause_source: &t[1],
                cause_id: &t[2],
                handler: &t[3],
                ty: &t[4],
                key: key.as_ref().map(|k| &k[..]),
                ordinal,
            })
        };
        let same = a == b && keys[0] == keys[1] && ordinals[0] == ordinals[1];
        prop_assert_eq!(from(&a, &keys[0], ordinals[0]) == from(&b, &keys[1], ordinals[1]), same);
    }

    #[test]
    fn a_derived_id_is_a_version_8_that_keeps_its_causes_time(bytes in any::<[u8; 16]>()) {
        let cause = EventId::from(Builder::from_custom_bytes(bytes).into_uuid());
        let from = Derivation {
            source: "/a",
            cause_source: "/b",
            cause_id: cause.as_str(),
            handler: "h",
            ty: "t.v1",
            key: None,
            ordinal: 0,
        };
        let id = Uuid::try_parse(EventId::derive(&from).as_str()).expect("it is a UUID");
        prop_assert_eq!(id.get_version_num(), 8);
        prop_assert_eq!(id.get_variant(), Variant::RFC4122);
        prop_assert_eq!(&id.as_bytes()[..6], &bytes[..6]);
    }
}
