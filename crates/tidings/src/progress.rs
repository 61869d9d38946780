//! What an instance knows beyond its committed offset: which later offsets are finished already,
//! and for which handlers. It travels as the metadata of Kafka's offset commit, so that an
//! instance that takes a partition over runs nothing again that is known to be finished.
//! The bytes are described in `docs/formats/commit-metadata.md`.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::service::limits::{COMMIT_METADATA_MAX_CHARS, PROGRESS_MAX_CHARS};

mod bytes;
mod outage;
mod store_id;
#[cfg(test)]
mod tests;

use bytes::{Reader, Writer, varint_len};
pub use outage::Outage;
pub use store_id::{InvalidStoreId, StoreId};

/// First byte of every form of this format, so that other tools' metadata is told apart early.
const MAGIC: u8 = b'T';
/// The version that an instance without a store writes. Versions that are not known here are
/// refused, and then nothing counts as finished.
const VERSION: u8 = 1;
/// The version that an instance with a store writes: it names the store.
const VERSION_WITH_STORE: u8 = 2;
/// The version that is written while what a handler depends on is away: it names such handlers, and
/// says itself whether it names a store.
const VERSION_WITH_OUTAGES: u8 = 3;
/// What the store's id takes.
pub(crate) const STORE_BYTES: usize = 16;
/// Bytes besides the body of runs or bits: magic, version, committed offset (a varint of at most
/// 10), number of handlers (1-3), the body's tag and its length (1-3), the checksum (4).
const FRAME_MAX_BYTES: usize = 2 + 10 + 3 + 1 + 3 + 4;

/// The part of a consumer's progress that one number cannot say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The committed offset that this belongs to: the lowest unfinished one. Beside any other
    /// committed offset nothing in here counts.
    pub committed: i64,
    /// The names of the handlers of the group's instance that wrote this, sorted.
    pub handlers: Vec<String>,
    /// The store of that instance, if it had one.
    pub store: Option<StoreId>,
    /// The handlers of that instance that could do nothing, since what they depend on was away.
    pub outages: Vec<Outage>,
    /// Finished offsets beyond the committed one: ascending, disjoint, never empty ranges.
    pub finished: Vec<Range<i64>>,
}

/// Why a commit's metadata says nothing about finished events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotProgress {
    /// Nothing was stored beside the offset.
    #[error("the commit carries no metadata")]
    Empty,
    /// It was written by another tool, or was damaged.
    #[error("the commit's metadata was not written by Tidings, or was damaged: {0}")]
    Foreign(&'static str),
    /// It was written by a newer Tidings.
    #[error("the commit's metadata has version {0}, this program reads 1 to 3")]
    Version(u8),
    /// It belongs to another committed offset, so someone moved the group since.
    #[error("the commit's metadata belongs to offset {written}, the commit is {committed}")]
    OtherOffset {
        /// The offset named inside.
        written: i64,
        /// The offset beside which it was found.
        committed: i64,
    },
}

impl Progress {
    /// The text for the commit. Never longer than 3,072 characters: what does not fit is
    /// left out from the highest offset downwards, and is then run again after a takeover. What is
    /// only for people is left out before.
    pub fn encode(&self) -> String {
        let whole = self.encode_with(&self.finished, &self.outages);
        if whole.len() <= PROGRESS_MAX_CHARS {
            return whole;
        }
        let mut kept = self.finished.as_slice();
        loop {
            let text = self.encode_with(kept, &[]);
            if text.len() <= PROGRESS_MAX_CHARS || kept.is_empty() {
                return text;
            }
            kept = &kept[..kept.len() / 2];
        }
    }

    fn encode_with(&self, finished: &[Range<i64>], outages: &[Outage]) -> String {
        let mut out = Writer::default();
        out.byte(MAGIC);
        out.byte(match (outages, &self.store) {
            ([_, ..], _) => VERSION_WITH_OUTAGES,
            ([], Some(_)) => VERSION_WITH_STORE,
            ([], None) => VERSION,
        });
        out.varint(self.committed.max(0) as u64);
        out.varint(self.handlers.len() as u64);
        for name in &self.handlers {
            out.varint(name.len() as u64);
            out.bytes(name.as_bytes());
        }
        if !outages.is_empty() {
            outage::write(&mut out, outages, &self.handlers);
            out.byte(u8::from(self.store.is_some()));
        }
        if let Some(store) = self.store {
            out.bytes(&store.0);
        }
        let runs = runs_of(self.committed, finished);
        let span = finished.last().map_or(0, |last| last.end - self.committed - 1);
        if runs.len() <= usize::try_from(span).unwrap_or(usize::MAX).div_ceil(8) {
            out.byte(Body::Runs as u8);
            out.varint(runs.len() as u64);
            out.bytes(&runs);
        } else {
            let bits = bits_of(self.committed, span as usize, finished);
            out.byte(Body::Bits as u8);
            out.varint(bits.len() as u64);
            out.bytes(&bits);
        }
        let sum = crc32c::crc32c(out.as_slice());
        out.bytes(&sum.to_le_bytes());
        URL_SAFE_NO_PAD.encode(out.as_slice())
    }

    /// Reads the metadata found beside the offset `committed`.
    ///
    /// # Errors
    /// Whatever is wrong with it, the right answer is the same: nothing beyond the committed
    /// offset counts as finished. The error only says what to tell people.
    pub fn decode(metadata: &str, committed: i64) -> Result<Progress, NotProgress> {
        if metadata.is_empty() {
            return Err(NotProgress::Empty);
        }
        if metadata.len() > COMMIT_METADATA_MAX_CHARS {
            return Err(NotProgress::Foreign("it is too long"));
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(metadata)
            .map_err(|_| NotProgress::Foreign("it is no base64url"))?;
        let progress = decode_bytes(&bytes)?;
        if progress.committed != committed {
            return Err(NotProgress::OtherOffset { written: progress.committed, committed });
        }
        Ok(progress)
    }

    /// Whether this offset is known to be finished.
    pub fn is_finished(&self, offset: i64) -> bool {
        if offset < self.committed {
            return true;
        }
        let after = self.finished.partition_point(|run| run.end <= offset);
        self.finished.get(after).is_some_and(|run| run.contains(&offset))
    }

    /// How many offsets beyond the committed one are finished.
    pub fn finished_beyond(&self) -> u64 {
        self.finished.iter().map(|run| run.end.abs_diff(run.start)).sum()
    }
}

/// How the finished offsets are written: whichever is shorter.
enum Body {
    /// Varints in turn: how many offsets are unfinished, how many are finished, and so on.
    Runs = 0,
    /// One bit per offset from the one after the committed on, lowest bit of each byte first.
    Bits = 1,
}

/// The most characters that a commit may need as long as `unfinished` records are unfinished and
/// the offsets fetched so far span `span` beyond the committed one. Whatever subset of the
/// unfinished ones finishes next, and in which order, needs no more than this.
pub(crate) fn worst_case_chars(names_bytes: usize, span: u64, unfinished: usize) -> usize {
    // k unfinished records leave at most k + 1 finished runs, thus 2k + 2 numbers below the span.
    let runs = (2 * unfinished + 2).saturating_mul(varint_len(span));
    let bits = usize::try_from(span.div_ceil(8)).unwrap_or(usize::MAX);
    let bytes = FRAME_MAX_BYTES.saturating_add(names_bytes).saturating_add(runs.min(bits));
    bytes.saturating_mul(4).div_ceil(3)
}

/// What the handlers' names take in the metadata.
pub(crate) fn names_bytes<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| varint_len(name.len() as u64) + name.len()).sum()
}

fn runs_of(committed: i64, finished: &[Range<i64>]) -> Vec<u8> {
    let mut out = Writer::default();
    let mut at = committed;
    for run in finished {
        out.varint(run.start.abs_diff(at));
        out.varint(run.end.abs_diff(run.start));
        at = run.end;
    }
    out.into_vec()
}

fn bits_of(committed: i64, span: usize, finished: &[Range<i64>]) -> Vec<u8> {
    let mut bits = vec![0u8; span.div_ceil(8)];
    for offset in finished.iter().flat_map(Clone::clone) {
        let index = (offset - committed - 1) as usize;
        bits[index / 8] |= 1 << (index % 8);
    }
    bits
}

fn decode_bytes(bytes: &[u8]) -> Result<Progress, NotProgress> {
    const SHORT: NotProgress = NotProgress::Foreign("it ends early");
    let (content, sum) = bytes.split_last_chunk::<4>().ok_or(SHORT)?;
    if content.first() != Some(&MAGIC) {
        return Err(NotProgress::Foreign("it begins with another byte"));
    }
    // The version comes before the checksum, which a later version may compute differently.
    let version = match content.get(1) {
        Some(&known @ VERSION..=VERSION_WITH_OUTAGES) => known,
        Some(&other) => return Err(NotProgress::Version(other)),
        None => return Err(SHORT),
    };
    if crc32c::crc32c(content) != u32::from_le_bytes(*sum) {
        return Err(NotProgress::Foreign("its checksum is wrong"));
    }
    let mut input = Reader::new(&content[2..]);
    let committed = input.offset().ok_or(SHORT)?;
    let names = input.varint().ok_or(SHORT)?;
    let mut handlers = Vec::new();
    for _ in 0..names {
        let name = input.counted().ok_or(SHORT)?;
        let name =
            std::str::from_utf8(name).map_err(|_| NotProgress::Foreign("a name is no UTF-8"))?;
        handlers.push(name.to_owned());
    }
    let mut outages = Vec::new();
    let has_store = match version {
        VERSION_WITH_OUTAGES => {
            outages = outage::read(&mut input, &handlers)?;
            match input.byte().ok_or(SHORT)? {
                flag @ 0..=1 => flag == 1,
                _ => return Err(NotProgress::Foreign("it neither has a store nor has none")),
            }
        }
        version => version == VERSION_WITH_STORE,
    };
    let store = match has_store {
        true => Some(StoreId(input.array().ok_or(SHORT)?)),
        false => None,
    };
    let tag = input.byte().ok_or(SHORT)?;
    let body = input.counted().ok_or(SHORT)?;
    if !input.is_empty() {
        return Err(NotProgress::Foreign("something follows its end"));
    }
    let finished = match tag {
        tag if tag == Body::Runs as u8 => read_runs(committed, body),
        tag if tag == Body::Bits as u8 => read_bits(committed, body),
        _ => return Err(NotProgress::Foreign("its body has an unknown form")),
    };
    let finished = finished.ok_or(NotProgress::Foreign("its offsets are out of range"))?;
    Ok(Progress { committed, handlers, store, outages, finished })
}

fn read_runs(committed: i64, body: &[u8]) -> Option<Vec<Range<i64>>> {
    let mut input = Reader::new(body);
    let mut finished = Vec::new();
    let mut at = committed;
    while !input.is_empty() {
        let start = at.checked_add(input.offset()?)?;
        let end = start.checked_add(input.offset()?)?;
        // The committed offset is unfinished, and runs that touch or are empty are never written.
        if end == start || start == at {
            return None;
        }
        finished.push(start..end);
        at = end;
    }
    Some(finished)
}

fn read_bits(committed: i64, body: &[u8]) -> Option<Vec<Range<i64>>> {
    let first = committed.checked_add(1)?;
    first.checked_add(i64::try_from(body.len()).ok()?.checked_mul(8)?)?;
    let mut finished: Vec<Range<i64>> = Vec::new();
    for (index, byte) in body.iter().enumerate() {
        for bit in (0..8).filter(|bit| byte & (1 << bit) != 0) {
            let offset = first + (index * 8 + bit) as i64;
            match finished.last_mut() {
                Some(run) if run.end == offset => run.end += 1,
                _ => finished.push(offset..offset + 1),
            }
        }
    }
    Some(finished)
}
