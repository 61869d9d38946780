//! Records that say who they are, and what became of each: compared one by one with what the broker
//! serves.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use kafka_protocol::records::RecordBatchDecoder;
use tidings_log::testing::BatchBuilder;

use crate::support::{Produced, Wire, fetch, now_ms, produce};

/// What was acknowledged in one partition: offset and value.
pub type Acknowledged = BTreeMap<i64, String>;

/// One writer of one partition.
#[derive(Debug)]
pub struct Writer {
    topic: String,
    partition: i32,
    written: u64,
    value_bytes: usize,
    pub acknowledged: Acknowledged,
}

impl Writer {
    pub fn new(topic: &str, partition: i32, value_bytes: usize) -> Writer {
        let acknowledged = Acknowledged::new();
        Writer { topic: topic.into(), partition, written: 0, value_bytes, acknowledged }
    }

    /// Produces one record with a value that no other has.
    pub fn write(&mut self, wire: &mut Wire) -> Produced {
        let mut value = format!("{}[{}] {} ", self.topic, self.partition, self.written);
        self.written += 1;
        value.push_str(&".".repeat(self.value_bytes.saturating_sub(value.len())));
        let batch = BatchBuilder::new().record(now_ms(), Some(b"k"), Some(value.as_bytes()));
        let produced = produce(wire, &self.topic, self.partition, batch.build().freeze());
        if produced.error == 0 {
            let before = self.acknowledged.insert(produced.offset, value);
            assert_eq!(before, None, "offset {} was given twice", produced.offset);
        }
        produced
    }

    /// Reads the partition and compares: every acknowledged record at its offset with its value,
    /// no offset twice, none left out. Returns how many records more than acknowledged there are.
    pub fn verify(&self, wire: &mut Wire) -> usize {
        let served = read_all(wire, &self.topic, self.partition);
        for (offset, value) in &self.acknowledged {
            let found = served.get(offset);
            assert_eq!(found, Some(value), "{}[{}]@{offset}", self.topic, self.partition);
        }
        if let (Some((first, _)), Some((last, _))) =
            (served.first_key_value(), served.last_key_value())
        {
            assert_eq!(served.len() as i64, last - first + 1, "no offset is left out");
        }
        served.len() - self.acknowledged.len()
    }
}

/// Everything that a reader is served, by offset.
pub fn read_all(wire: &mut Wire, topic: &str, partition: i32) -> BTreeMap<i64, String> {
    let mut served = BTreeMap::new();
    let mut next = 0;
    loop {
        let data = fetch(wire, topic, partition, next, 0);
        assert_eq!(data.error_code, 0, "{topic}[{partition}]@{next}");
        let mut records = data.records.unwrap_or_default();
        if records.is_empty() {
            assert_eq!(next, data.high_watermark, "{topic}[{partition}] is read to its end");
            return served;
        }
        for (offset, value) in decode(&mut records) {
            if offset < next {
                continue;
            }
            assert_eq!(offset, next, "{topic}[{partition}]: no gap");
            next = offset + 1;
            served.insert(offset, value);
        }
    }
}

/// Offsets and values of whole batches.
pub fn decode(records: &mut Bytes) -> Vec<(i64, String)> {
    let mut out = Vec::new();
    while records.has_remaining() {
        // The last batch may be cut off by the size of the answer.
        let Ok(set) = RecordBatchDecoder::decode(records) else { break };
        for record in set.records {
            let value = record.value.unwrap_or_default();
            out.push((record.offset, String::from_utf8_lossy(&value).into_owned()));
        }
    }
    out
}
