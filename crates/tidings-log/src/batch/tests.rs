//! The batch codec: round trips, patches, and everything that must be refused.

use proptest::prelude::*;

use super::*;
use crate::testing::BatchBuilder;

fn sample() -> Vec<u8> {
    BatchBuilder::new()
        .record(1_000, Some(b"k"), Some(b"value"))
        .record(3_000, None, None)
        .record(2_000, None, Some(b"x"))
        .producer(77, 3, i32::MAX - 1)
        .build()
        .to_vec()
}

/// Writes `bytes` at `at` and makes the checksum fit again.
fn altered(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut batch = sample();
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    let crc = crc32c::crc32c(&batch[CRC_STARTS_AT..]);
    batch[17..CRC_STARTS_AT].copy_from_slice(&crc.to_be_bytes());
    batch
}

const LIMIT: usize = 1 << 20;

#[test]
fn a_header_has_its_fields() {
    let header = BatchHeader::parse(&sample()).expect("built");
    assert_eq!(header.size(), sample().len());
    assert_eq!((header.base_timestamp, header.max_timestamp), (1_000, 3_000));
    assert_eq!((header.producer_id, header.producer_epoch), (77, 3));
    assert_eq!((header.base_sequence, header.last_sequence()), (i32::MAX - 1, 0));
    assert_eq!((header.record_count, header.last_offset()), (3, Offset(2)));
    let summed = validate(&[sample(), sample()].concat(), LIMIT).expect("built");
    assert_eq!((summed.batches, summed.records, summed.max_timestamp), (2, 6, 3_000));
}

#[test]
fn what_must_be_refused_is_refused() {
    let batch = sample();
    let size = batch.len();
    let count = |records, last_delta| BatchError::Count { records, last_delta };
    let cases: Vec<(&str, Vec<u8>, BatchError)> = vec![
        ("nothing", vec![], BatchError::Empty),
        ("old format", altered(16, &[1]), BatchError::Magic(1)),
        ("negative length", altered(8, &[0xff; 4]), BatchError::Length(-1)),
        ("short length", altered(8, &48i32.to_be_bytes()), BatchError::Length(48)),
        ("no records", altered(57, &0i32.to_be_bytes()), count(0, 2)),
        ("negative count", altered(57, &(-5i32).to_be_bytes()), count(-5, 2)),
        ("count and delta", altered(23, &7i32.to_be_bytes()), count(3, 7)),
        ("compression", altered(21, &5i16.to_be_bytes()), BatchError::Compression(5)),
        ("control", altered(21, &0x20i16.to_be_bytes()), BatchError::Control),
        ("a tail", [&batch[..], &[0]].concat(), BatchError::Truncated { need: 61, have: 1 }),
        ("no epoch", altered(51, &(-1i16).to_be_bytes()), {
            BatchError::Producer { producer_id: 77, epoch: -1, sequence: i32::MAX - 1 }
        }),
        ("no sequence", altered(53, &(-1i32).to_be_bytes()), {
            BatchError::Producer { producer_id: 77, epoch: 3, sequence: -1 }
        }),
    ];
    for (name, bytes, error) in cases {
        assert_eq!(validate(&bytes, LIMIT), Err(error), "{name}");
    }
    let too_large = BatchError::TooLarge { size, limit: size - 1 };
    assert_eq!(validate(&batch, size - 1), Err(too_large));
    for end in 1..size {
        let error = validate(&batch[..end], LIMIT);
        assert!(matches!(error, Err(BatchError::Truncated { .. })), "cut at {end}");
    }
}

#[test]
fn every_flipped_bit_that_the_checksum_covers_is_found() {
    let batch = sample();
    for bit in 17 * 8..batch.len() * 8 {
        let mut damaged = batch.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = validate(&damaged, LIMIT);
        assert!(matches!(error, Err(BatchError::Crc { .. })), "bit {bit}: {error:?}");
    }
}

#[test]
fn patches_outside_the_checksum_keep_it_and_the_append_time_renews_it() {
    let mut batch = sample();
    patch_base_offset(&mut batch, Offset(1 << 40));
    patch_leader_epoch(&mut batch, 9);
    let header = BatchHeader::parse(&batch).expect("patched");
    assert_eq!((header.base_offset, header.leader_epoch), (Offset(1 << 40), 9));
    assert!(validate(&batch, LIMIT).is_ok());
    assert_eq!(header.crc, BatchHeader::parse(&sample()).expect("built").crc);
    let (head, behind) = batch.split_first_chunk_mut().unwrap();
    patch_log_append_time(head, behind, 5_000);
    let header = BatchHeader::parse(&batch).expect("patched");
    assert!(header.is_log_append_time() && header.max_timestamp == 5_000);
    assert!(validate(&batch, LIMIT).is_ok());
}

proptest! {
    #[test]
    fn batches_of_any_content_are_read_back(
        records in prop::collection::vec(
            (0..1i64 << 45, any::<Option<Vec<u8>>>(), any::<Option<Vec<u8>>>()), 1..20),
        producer in any::<Option<(u32, u8, u16)>>(),
        base in 0..i64::MAX / 2,
    ) {
        let mut builder = BatchBuilder::new();
        for (timestamp, key, value) in &records {
            builder = builder.record(*timestamp, key.as_deref(), value.as_deref());
        }
        if let Some((id, epoch, sequence)) = producer {
            builder = builder.producer(id.into(), epoch.into(), sequence.into());
        }
        let mut bytes = builder.build();
        patch_base_offset(&mut bytes, Offset(base));
        let found = validate(&bytes, LIMIT).expect("built");
        prop_assert_eq!(found.records, records.len() as i64);
        prop_assert_eq!(found.max_timestamp, records.iter().map(|r| r.0).max().expect("some"));
        prop_assert_eq!(found.first.next_offset(), Offset(base).plus(records.len() as i64));
        prop_assert_eq!(found.first.is_idempotent(), producer.is_some());
    }

    #[test]
    fn random_bytes_are_never_taken_for_a_batch(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        prop_assert!(validate(&bytes, LIMIT).is_err());
        let mut walk = batches(&bytes);
        while walk.next().is_some() {}
        prop_assert!(walk.position() <= bytes.len());
    }
}
