//! A handler of which a commit's metadata says that what it depends on is away. For people: who
//! takes a partition over finds out by himself.

use super::NotProgress;
use super::bytes::{Reader, Writer};
use crate::time::Timestamp;

/// What a handler depends on was away when the commit was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outage {
    /// The handler's name; one of [`Progress::handlers`](super::Progress::handlers).
    pub handler: String,
    /// Since when, in whole seconds.
    pub since: Timestamp,
}

impl Outage {
    /// Since then, cut to seconds as the metadata has it; none for a time that it cannot write.
    pub fn new(handler: impl Into<String>, since: Timestamp) -> Option<Outage> {
        let seconds = since.as_millis().div_euclid(1000);
        let since = Timestamp::from_millis(seconds.checked_mul(1000)?)?;
        (seconds >= 0).then(|| Outage { handler: handler.into(), since })
    }

    fn seconds(&self) -> u64 {
        (self.since.as_millis() / 1000).unsigned_abs()
    }
}

/// Each as the place of its handler among the names, and its time. Whoever is not among them is
/// left out.
pub(super) fn write(out: &mut Writer, outages: &[Outage], handlers: &[String]) {
    let place = |outage: &Outage| handlers.iter().position(|name| *name == outage.handler);
    let known: Vec<(usize, &Outage)> =
        outages.iter().filter_map(|outage| Some((place(outage)?, outage))).collect();
    out.varint(known.len() as u64);
    for (place, outage) in known {
        out.varint(place as u64);
        out.varint(outage.seconds());
    }
}

pub(super) fn read(
    input: &mut Reader<'_>,
    handlers: &[String],
) -> Result<Vec<Outage>, NotProgress> {
    const SHORT: NotProgress = NotProgress::Foreign("it ends early");
    let count = input.varint().ok_or(SHORT)?;
    let mut outages = Vec::new();
    for _ in 0..count {
        let (place, seconds) = (input.varint().ok_or(SHORT)?, input.varint().ok_or(SHORT)?);
        let handler = usize::try_from(place).ok().and_then(|place| handlers.get(place));
        let handler = handler.ok_or(NotProgress::Foreign("an outage is of no handler"))?;
        let millis = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1000));
        let since = millis.and_then(Timestamp::from_millis);
        let since = since.ok_or(NotProgress::Foreign("an outage is of no time"))?;
        outages.push(Outage { handler: handler.clone(), since });
    }
    Ok(outages)
}
