//! A Kafka client on a bare socket, for what a client library hides: high watermarks, offsets as
//! they were sent, committed positions without a cache.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{
    ApiVersionsRequest, BrokerId, CreateTopicsRequest, FetchRequest, GroupId, ListOffsetsRequest,
    OffsetFetchRequest, RequestHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::RecordBatchDecoder;

use crate::Outcome;

/// No answer takes longer, or the connection is given up.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);
/// A frame that claims more is not from a broker.
const MAX_FRAME_BYTES: usize = 256 << 20;
const FETCH_MAX_BYTES: i32 = 4 << 20;
/// `ListOffsets` for the first and the next offset.
pub(crate) const EARLIEST: i64 = -2;
pub(crate) const LATEST: i64 = -1;

/// One connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    next_id: i32,
}

/// What a fetch found in one partition.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) partition: i32,
    pub(crate) error: i16,
    pub(crate) high_watermark: i64,
    /// Offsets and the bytes of the values.
    pub(crate) records: Vec<(i64, Bytes)>,
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// The socket's.
    pub fn connect(addr: SocketAddr) -> io::Result<Wire> {
        let stream = TcpStream::connect_timeout(&addr, CONNECT_PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Wire { stream, next_id: 1 })
    }

    /// Whether there is a broker that answers.
    pub fn serves(&mut self) -> bool {
        self.call(0, &ApiVersionsRequest::default()).is_ok_and(|answer| answer.error_code == 0)
    }

    /// Sends a request and waits for its answer.
    fn call<R: Request>(&mut self, version: i16, request: &R) -> Outcome<R::Response> {
        let id = self.next_id;
        self.next_id += 1;
        let mut out = BytesMut::zeroed(4);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(id)
            .with_client_id(Some(StrBytes::from_static_str("faults-witness")));
        header.encode(&mut out, R::header_version(version))?;
        request.encode(&mut out, version)?;
        let length = u32::try_from(out.len() - 4)?;
        out[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&out)?;

        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if !(4..=MAX_FRAME_BYTES).contains(&length) {
            return Err(format!("an answer of {length} bytes").into());
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        let mut body = Bytes::from(body);
        let answered = body.get_i32();
        if answered != id {
            return Err(format!("the answer to {answered} came, {id} was asked").into());
        }
        if R::Response::header_version(version) >= 1 {
            body.advance(1);
        }
        Ok(R::Response::decode(&mut body, version)?)
    }

    /// Creates a topic; one that is there already is fine.
    pub(crate) fn create_topic(&mut self, name: &str, partitions: i32) -> Outcome {
        let topic = CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1);
        let request =
            CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
        let answer = self.call(4, &request)?;
        match answer.topics.first().map(|topic| topic.error_code) {
            Some(0 | 36) => Ok(()),
            error => Err(format!("{name} cannot be created: error {error:?}").into()),
        }
    }

    /// The first or the next offset of partitions, by [`EARLIEST`] and [`LATEST`].
    pub(crate) fn offsets(
        &mut self,
        topic: &str,
        partitions: u16,
        which: i64,
    ) -> Outcome<Vec<i64>> {
        let asked = (0..i32::from(partitions)).map(|index| {
            ListOffsetsPartition::default().with_partition_index(index).with_timestamp(which)
        });
        let topic = ListOffsetsTopic::default()
            .with_name(topic_name(topic))
            .with_partitions(asked.collect());
        let request =
            ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
        let answer = self.call(3, &request)?;
        let mut found = vec![-1; usize::from(partitions)];
        for told in answer.topics.iter().flat_map(|topic| &topic.partitions) {
            if told.error_code != 0 {
                return Err(format!("offsets are refused with error {}", told.error_code).into());
            }
            let at = found.get_mut(usize::try_from(told.partition_index)?);
            *at.ok_or("a partition that was not asked for")? = told.offset;
        }
        Ok(found)
    }

    /// Records of one topic's partitions from the given offsets on, waiting `wait` for some.
    pub(crate) fn fetch(
        &mut self,
        topic: &str,
        from: &[i64],
        wait: Duration,
    ) -> Outcome<Vec<Fetched>> {
        let asked = from.iter().enumerate().map(|(index, &offset)| {
            FetchPartition::default()
                .with_partition(index as i32)
                .with_fetch_offset(offset)
                .with_partition_max_bytes(FETCH_MAX_BYTES / 4)
        });
        let topic =
            FetchTopic::default().with_topic(topic_name(topic)).with_partitions(asked.collect());
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(i32::try_from(wait.as_millis())?)
            .with_min_bytes(1)
            .with_max_bytes(FETCH_MAX_BYTES)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let answer = self.call(11, &request)?;
        let mut all = Vec::new();
        for told in answer.responses.into_iter().flat_map(|topic| topic.partitions) {
            let wanted = from.get(usize::try_from(told.partition_index)?);
            let wanted = *wanted.ok_or("a partition that was not asked for")?;
            let mut bytes = told.records.unwrap_or_default();
            bytes.truncate(whole_batches(&bytes));
            let mut records = Vec::new();
            for set in RecordBatchDecoder::decode_all(&mut bytes)? {
                // A batch may begin before the offset that was asked for.
                let wanted = set.records.into_iter().filter(|record| record.offset >= wanted);
                records.extend(wanted.map(|r| (r.offset, r.value.unwrap_or_default())));
            }
            all.push(Fetched {
                partition: told.partition_index,
                error: told.error_code,
                high_watermark: told.high_watermark,
                records,
            });
        }
        Ok(all)
    }

    /// A group's committed positions in one topic; -1 for none.
    pub(crate) fn positions(
        &mut self,
        group: &str,
        topic: &str,
        partitions: u16,
    ) -> Outcome<Vec<i64>> {
        let asked = OffsetFetchRequestTopic::default()
            .with_name(topic_name(topic))
            .with_partition_indexes((0..i32::from(partitions)).collect());
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
            .with_topics(Some(vec![asked]));
        let answer = self.call(5, &request)?;
        let partitions_told = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let error = partitions_told.clone().map(|told| told.error_code).find(|code| *code != 0);
        if let Some(code) = error.or((answer.error_code != 0).then_some(answer.error_code)) {
            return Err(format!("the group's positions are refused with error {code}").into());
        }
        let mut found = vec![-1; usize::from(partitions)];
        for told in partitions_told {
            let at = found.get_mut(usize::try_from(told.partition_index)?);
            *at.ok_or("a partition that was not asked for")? = told.committed_offset;
        }
        Ok(found)
    }
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// Bytes of the whole batches: an answer of Apache Kafka's may end within another one, which the
/// next fetch brings.
fn whole_batches(bytes: &[u8]) -> usize {
    let mut whole = 0;
    // Eight bytes of an offset, four of the length of what follows them.
    while let Some((length, rest)) =
        bytes[whole..].get(8..).and_then(<[u8]>::split_first_chunk::<4>)
    {
        let length = u32::from_be_bytes(*length) as usize;
        if length > rest.len() {
            break;
        }
        whole += 12 + length;
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_left_to_the_next_fetch() {
        let batch = [&[0; 8][..], &[0, 0, 0, 5], b"bytes"].concat();
        let two = [&batch[..], &batch].concat();
        for end in 0..=two.len() {
            assert_eq!(whole_batches(&two[..end]), end / batch.len() * batch.len(), "{end}");
        }
    }
}
