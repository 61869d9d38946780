//! CloudEvents from a JSON-lines file: each line an event, or the reason why it is none, with the
//! line's number. A damaged line never stops the reading of the others.

use std::io::{self, BufRead};

use tidings::cloudevents::CloudEvent;

use crate::limits;

/// The extension attributes that `event tail --json` adds: the place of the record that was read,
/// which is not the place of the one that is to be published.
const PLACE: [&str; 5] =
    ["kafkatopic", "kafkapartition", "kafkaoffset", "kafkakey", "kafkatimestamp"];

/// One line of the file that is not empty.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// The event and its key, or what is wrong with the line.
    pub event: Result<Keyed, String>,
}

/// An event and the key of its record.
#[derive(Debug, PartialEq, Eq)]
pub struct Keyed {
    /// The key: `kafkakey` (from `event tail --json`), else `partitionkey`, else none.
    pub key: Option<String>,
    /// The event, without the place that it was read from.
    pub event: CloudEvent,
}

/// Reads lines until the end.
pub struct Lines<R> {
    input: R,
    number: u64,
    bytes: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Reads from here on.
    pub fn new(input: R) -> Self {
        Self { input, number: 0, bytes: 0, buffer: Vec::new() }
    }

    /// How much has been read so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes
    }

    /// The next line that is not empty; `None` at the end. The error is the file's, not a line's.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            self.buffer.clear();
            let read = read_bounded(&mut self.input, &mut self.buffer)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.bytes += read as u64;
            if read > self.buffer.len() {
                let limit = limits::JSON_LINE_BYTES / 1024 / 1024;
                let reason = format!("it is longer than {limit} MiB");
                return Ok(Some(Line { number: self.number, event: Err(reason) }));
            }
            if self.buffer.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return Ok(Some(Line { number: self.number, event: parse(&self.buffer) }));
        }
    }
}

/// Reads up to the next line feed and returns how many bytes that were; keeps at most the limit.
fn read_bounded(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    let mut read = 0;
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(available.len(), |at| at + 1);
        let room = limits::JSON_LINE_BYTES.saturating_sub(line.len());
        line.extend_from_slice(&available[..taken.min(room)]);
        input.consume(taken);
        read += taken;
        if taken == 0 || end.is_some() {
            return Ok(read);
        }
    }
}

fn parse(line: &[u8]) -> Result<Keyed, String> {
    let text = std::str::from_utf8(line).map_err(|_| "it is no UTF-8 text".to_owned())?;
    let mut event = CloudEvent::from_json(text).map_err(|error| error.to_string())?;
    if event.data.is_none() {
        return Err("it has no data: an event without data would be a tombstone".to_owned());
    }
    let key =
        ["kafkakey", "partitionkey"].iter().find_map(|name| event.extensions.get(*name)).cloned();
    for name in PLACE {
        event.extensions.remove(name);
    }
    Ok(Keyed { key, event })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line numbers with the events' ids and keys, or with what is wrong.
    type Told = Vec<(u64, Result<(String, Option<String>), String>)>;

    fn read(text: &[u8]) -> Told {
        let mut lines = Lines::new(text);
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().expect("memory does not fail") {
            let event = line.event.map(|keyed| (keyed.event.id.as_str().to_owned(), keyed.key));
            all.push((line.number, event));
        }
        all
    }

    #[test]
    fn good_lines_are_events_with_their_keys() {
        let text = concat!(
            r#"{"specversion":"1.0","id":"1","source":"/a","type":"t","data":{}}"#,
            "\r\n\n",
            r#"{"specversion":"1.0","id":"2","source":"/a","type":"t","data":1,"#,
            r#""partitionkey":"p"}"#,
            "\n",
            r#"{"specversion":"1.0","id":"3","source":"/a","type":"t","data":1,"kafkakey":"k","#,
            r#""kafkatopic":"orders","kafkaoffset":"7","partitionkey":"p"}"#,
        );
        assert_eq!(
            read(text.as_bytes()),
            [
                (1, Ok(("1".to_owned(), None))),
                (3, Ok(("2".to_owned(), Some("p".to_owned())))),
                (4, Ok(("3".to_owned(), Some("k".to_owned())))),
            ]
        );
    }

    #[test]
    fn the_place_that_it_was_read_from_does_not_travel() {
        let line = r#"{"specversion":"1.0","id":"3","source":"/a","type":"t","data":1,
            "kafkatopic":"orders","kafkaoffset":"7","other":"stays"}"#;
        let keyed = parse(line.as_bytes()).expect("a good event");
        assert_eq!(keyed.event.extensions.keys().collect::<Vec<_>>(), ["other"]);
    }

    #[test]
    fn bad_lines_have_their_numbers_and_do_not_stop_the_others() {
        let good = r#"{"specversion":"1.0","id":"4","source":"/a","type":"t","data":{}}"#;
        let text = format!("not json\n{{\"id\":\"1\"}}\n\u{1}\n{good}");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(b"\n\xff\xfe\n");
        let all = read(&bytes);
        assert_eq!(all.len(), 5);
        assert!(all[0].1.is_err() && all[1].1.is_err() && all[2].1.is_err());
        assert_eq!(all[3], (4, Ok(("4".to_owned(), None))));
        assert_eq!(all[4], (5, Err("it is no UTF-8 text".to_owned())));
    }

    #[test]
    fn a_line_without_end_is_cut_and_the_next_one_is_read() {
        let mut bytes = vec![b'x'; limits::JSON_LINE_BYTES + 10];
        bytes.extend_from_slice(b"\nshort\n");
        let all = read(&bytes);
        assert_eq!(all[0], (1, Err("it is longer than 8 MiB".to_owned())));
        assert_eq!(all[1].0, 2);
    }

    #[test]
    fn an_event_without_data_would_delete() {
        let line = r#"{"specversion":"1.0","id":"1","source":"/a","type":"t"}"#;
        assert!(parse(line.as_bytes()).expect_err("refused").contains("tombstone"));
    }
}
