//! The plain sender: answers fetches out of memory, with bytes that it has read from a real
//! broker before. It looks at nothing and reads no disk: what a client takes from it is the
//! client's limit.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::wire::{FETCH, LIST_OFFSETS, PRODUCE, Reader, Wire, put, text};
use crate::{Outcome, batch, topic, wire};

const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const API_VERSIONS: i16 = 18;
/// What it speaks: key, lowest and highest version. Produce is listed so that clients believe in
/// record batches, and is never answered.
const SPOKEN: [(i16, i16, i16); 6] = [
    (PRODUCE, 3, 7),
    (FETCH, 4, 4),
    (LIST_OFFSETS, 1, 1),
    (METADATA, 1, 1),
    (FIND_COORDINATOR, 0, 0),
    (API_VERSIONS, 0, 0),
];
const UNSUPPORTED_VERSION: i16 = 35;
/// What a client asks one partition for by default.
const CHUNK_BYTES: i32 = 1024 * 1024;
/// No request of a consumer is longer.
const LONGEST_REQUEST: usize = 1024 * 1024;
/// At the end of all records nothing more will come: the client shall not spin.
const SILENCE: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The topic that is read from the broker first
    #[arg(long)]
    topic: String,
}

/// One partition's records, by the offset at which a fetch asks for them.
#[derive(Debug, Default)]
struct Part {
    chunks: BTreeMap<i64, Vec<u8>>,
    end: i64,
}

#[derive(Debug)]
struct Sender {
    address: SocketAddr,
    topic: String,
    parts: Vec<Part>,
}

/// Reads the topic, prints `listening HOST:PORT`, serves until standard input ends.
pub(crate) fn run(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    let mut parts = Vec::new();
    for partition in 0..topic::partitions(bootstrap, &arguments.topic)?.len() {
        parts.push(record(bootstrap, &arguments.topic, partition as i32)?);
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let sender = Arc::new(Sender { address, topic: arguments.topic.clone(), parts });
    println!("listening {address}");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || sender.serve(stream));
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(json!({}))
}

fn record(bootstrap: &str, topic: &str, partition: i32) -> Outcome<Part> {
    let mut wire = Wire::connect(bootstrap)?;
    let mut end = wire::list_offsets(topic, partition, -1);
    let end = wire::listed(topic, wire.call(&mut end)?)?.1;
    let mut part = Part { chunks: BTreeMap::new(), end };
    let mut offset = 0;
    while offset < end {
        let mut fetch = wire::fetch(topic, partition, offset, CHUNK_BYTES);
        let records = wire::fetched(topic, wire.call(&mut fetch)?)?;
        let (length, next) = batch::whole(records)?;
        let next = next.ok_or("a fetch below the end came back empty")?;
        part.chunks.insert(offset, records[..length].to_vec());
        offset = next;
    }
    Ok(part)
}

impl Sender {
    fn serve(&self, mut stream: TcpStream) -> Outcome {
        stream.set_nodelay(true)?;
        let mut request = Vec::new();
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            let length = u32::from_be_bytes(length) as usize;
            if length > LONGEST_REQUEST {
                return Err("a request that no consumer sends".into());
            }
            request.resize(length, 0);
            stream.read_exact(&mut request)?;
            let mut at = Reader::new(&request);
            let (key, version, correlation) = (at.i16()?, at.i16()?, at.i32()?);
            if key == API_VERSIONS {
                self.answer(&mut stream, correlation, &[&api_versions(version)])?;
                continue;
            }
            at.text()?; // client id
            match key {
                METADATA => self.answer(&mut stream, correlation, &[&self.metadata()])?,
                FIND_COORDINATOR => {
                    self.answer(&mut stream, correlation, &[&self.coordinator()])?;
                }
                LIST_OFFSETS => {
                    let body = self.list_offsets(&mut at)?;
                    self.answer(&mut stream, correlation, &[&body])?;
                }
                FETCH => self.fetch(&mut stream, correlation, &mut at)?,
                other => return Err(format!("the plain sender does not speak {other}").into()),
            }
        }
    }

    fn answer(&self, stream: &mut TcpStream, correlation: i32, parts: &[&[u8]]) -> Outcome {
        let length = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
        let mut head = Vec::with_capacity(64);
        put(&mut head, (length as u32).to_be_bytes());
        put(&mut head, correlation.to_be_bytes());
        let mut parts = parts.iter();
        // The head and the first part go together: two small packets would be two wake-ups.
        head.extend_from_slice(parts.next().ok_or("an answer has a body")?);
        stream.write_all(&head)?;
        parts.try_for_each(|part| stream.write_all(part))?;
        Ok(())
    }

    fn metadata(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put(&mut body, 1i32.to_be_bytes());
        put(&mut body, 1i32.to_be_bytes());
        self.place(&mut body);
        put(&mut body, (-1i16).to_be_bytes()); // no rack
        put(&mut body, 1i32.to_be_bytes());
        put(&mut body, 1i32.to_be_bytes());
        put(&mut body, 0i16.to_be_bytes());
        text(&mut body, &self.topic);
        body.push(0);
        put(&mut body, (self.parts.len() as u32).to_be_bytes());
        for partition in 0..self.parts.len() as u32 {
            put(&mut body, 0i16.to_be_bytes());
            put(&mut body, partition.to_be_bytes());
            // Leader, and one replica and one in sync, all this node.
            for number in [1i32, 1, 1, 1, 1] {
                put(&mut body, number.to_be_bytes());
            }
        }
        body
    }

    fn coordinator(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put(&mut body, 0i16.to_be_bytes());
        put(&mut body, 1i32.to_be_bytes());
        self.place(&mut body);
        body
    }

    fn place(&self, body: &mut Vec<u8>) {
        text(body, &self.address.ip().to_string());
        put(body, i32::from(self.address.port()).to_be_bytes());
    }

    fn list_offsets(&self, at: &mut Reader<'_>) -> Outcome<Vec<u8>> {
        at.skip(4)?;
        let mut body = Vec::new();
        let topics = at.i32()?;
        put(&mut body, topics.to_be_bytes());
        for _ in 0..topics {
            text(&mut body, at.text()?);
            let partitions = at.i32()?;
            put(&mut body, partitions.to_be_bytes());
            for _ in 0..partitions {
                let (partition, time) = (at.i32()?, at.i64()?);
                let part = self.part(partition)?;
                put(&mut body, partition.to_be_bytes());
                put(&mut body, 0i16.to_be_bytes());
                put(&mut body, (-1i64).to_be_bytes());
                put(&mut body, if time == -2 { 0 } else { part.end }.to_be_bytes());
            }
        }
        Ok(body)
    }

    fn fetch(&self, stream: &mut TcpStream, correlation: i32, at: &mut Reader<'_>) -> Outcome {
        at.skip(4 + 4 + 4 + 4 + 1)?;
        let topics = at.i32()?;
        let mut head = vec![0; 4];
        put(&mut head, topics.to_be_bytes());
        let (mut heads, mut bodies): (Vec<Vec<u8>>, Vec<&[u8]>) = (Vec::new(), Vec::new());
        for _ in 0..topics {
            text(&mut head, at.text()?);
            let partitions = at.i32()?;
            put(&mut head, partitions.to_be_bytes());
            for _ in 0..partitions {
                let (partition, offset, _max) = (at.i32()?, at.i64()?, at.i32()?);
                let part = self.part(partition)?;
                let records = part.chunks.get(&offset).map_or(&[][..], Vec::as_slice);
                put(&mut head, partition.to_be_bytes());
                put(&mut head, 0i16.to_be_bytes());
                put(&mut head, part.end.to_be_bytes());
                put(&mut head, part.end.to_be_bytes());
                put(&mut head, 0i32.to_be_bytes());
                put(&mut head, (records.len() as u32).to_be_bytes());
                heads.push(std::mem::take(&mut head));
                bodies.push(records);
            }
        }
        heads.push(head);
        if bodies.iter().all(|records| records.is_empty()) {
            thread::sleep(SILENCE);
        }
        let mut parts: Vec<&[u8]> = Vec::with_capacity(heads.len() * 2);
        for (n, head) in heads.iter().enumerate() {
            parts.push(head);
            parts.extend(bodies.get(n));
        }
        self.answer(stream, correlation, &parts)
    }

    fn part(&self, partition: i32) -> Outcome<&Part> {
        let part = usize::try_from(partition).ok().and_then(|at| self.parts.get(at));
        part.ok_or_else(|| format!("there is no partition {partition}").into())
    }
}

/// To a version that it does not speak it answers with those that it does, as Kafka does.
fn api_versions(version: i16) -> Vec<u8> {
    let mut body = Vec::new();
    let error = if version == 0 { 0 } else { UNSUPPORTED_VERSION };
    put(&mut body, error.to_be_bytes());
    put(&mut body, (SPOKEN.len() as u32).to_be_bytes());
    for (key, lowest, highest) in SPOKEN {
        for number in [key, lowest, highest] {
            put(&mut body, number.to_be_bytes());
        }
    }
    body
}
