//! The hand-written encoder must be byte for byte what the generated one writes.

use kafka_protocol::messages::FetchResponse;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::protocol::{Encodable, StrBytes};

use super::*;

fn found(error: i16, start: i64, high_watermark: i64, records: usize) -> Found {
    let bounds = Bounds { start: Offset(start), high_watermark: Offset(high_watermark) };
    Found { error, bounds: Some(bounds), records: vec![7; records].into() }
}

#[test]
fn encodes_as_the_codec_does_in_every_version() {
    let topics = [("orders", vec![0, 1]), ("a.longer-name_of_a_topic", vec![7]), ("none", vec![])];
    let found = [found(0, 3, 9, 5), found(1, 0, 0, 0), found(0, 0, 1 << 40, 100_000)];
    for version in VERSIONS {
        let mut partitions = found.iter();
        let responses = topics.iter().map(|(name, indexes)| {
            let data = indexes.iter().zip(&mut partitions).map(|(index, found)| {
                let bounds = found.bounds.expect("set above");
                PartitionData::default()
                    .with_partition_index(*index)
                    .with_error_code(found.error)
                    .with_high_watermark(bounds.high_watermark.value())
                    .with_last_stable_offset(bounds.high_watermark.value())
                    .with_log_start_offset(bounds.start.value())
                    .with_aborted_transactions(None)
                    .with_records(Some(found.records.clone()))
            });
            FetchableTopicResponse::default()
                .with_topic(StrBytes::from_string((*name).into()).into())
                .with_partitions(data.collect())
        });
        let response = FetchResponse::default().with_responses(responses.collect());
        let header = if version >= FLEXIBLE_FROM { 1 } else { 0 };
        let codec = Response::encode(42, header, |out| response.encode(out, version));
        let codec = codec.expect("encodes").chunks().concat();
        let ours = encode(42, version, 0, &topics, &found);
        assert_eq!(ours.bytes(), codec.len(), "version {version}");
        assert_eq!(ours.chunks().concat(), codec, "version {version}");
        assert!(ours.chunks().len() > 2, "large records travel as a chunk of their own");
    }
}
