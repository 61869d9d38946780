//! Reading: planned under the owner's lock, done outside of it with one read in the common case.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::{Log, ReadError};
use crate::batch::{BatchHeader, batches};
use crate::limits::BATCH_HEADER_BYTES;
use crate::offset::Offset;
use crate::segment::{LazyFile, Lookup, SEGMENT_HEADER_BYTES, Target};

/// A read that was planned under the log's lock and runs outside of it.
#[derive(Debug)]
pub struct ReadPlan {
    /// `None`: there is nothing to read.
    source: Option<Source>,
    from: Offset,
    up_to: Offset,
    max_bytes: usize,
    /// How far behind the looked-up position the wanted batch may lie.
    slack: usize,
}

#[derive(Debug)]
struct Source {
    file: Arc<LazyFile>,
    lookup: Lookup,
    /// End of the segment's whole batches.
    end: u64,
}

impl Log {
    /// Plans a read at `from` of up to `max_bytes`, with no record at or beyond `up_to`.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] below the start or beyond the end; the end itself is fine.
    pub fn plan_read(
        &self,
        from: Offset,
        max_bytes: usize,
        up_to: Offset,
    ) -> Result<ReadPlan, ReadError> {
        let (start, end) = (self.start, self.end);
        if from < start || from > end {
            return Err(ReadError::OutOfRange { start, end });
        }
        // The first segment that reaches beyond `from`: between two there may be a gap.
        let at = self.segments.partition_point(|segment| segment.next <= from);
        let source = self.segments.get(at).filter(|_| from < up_to).map(|segment| Source {
            file: Arc::clone(&segment.file),
            lookup: segment.lookup(Target::Offset(from)),
            end: segment.size,
        });
        let slack = usize::try_from(self.config.index_interval_bytes).unwrap_or(usize::MAX);
        Ok(ReadPlan { source, from, up_to, max_bytes, slack })
    }
}

impl ReadPlan {
    /// Reads whole batches: the one that holds the planned offset first, even if it alone is
    /// larger than `max_bytes`; none that reaches `up_to`. Empty at the end of the log.
    ///
    /// # Errors
    /// What the disk says; [`io::ErrorKind::NotFound`] when retention removed the segment in
    /// between (plan again: the start has moved); [`io::ErrorKind::InvalidData`] for damage.
    pub fn read(self) -> io::Result<Bytes> {
        let Some(source) = &self.source else { return Ok(Bytes::new()) };
        let position = source.lookup.resolve(Target::Offset(self.from));
        match self.read_from(source, position) {
            // The index may point to the wrong place; the segment itself knows better.
            Err(error)
                if error.kind() == io::ErrorKind::InvalidData
                    && matches!(source.lookup, Lookup::Saved(..)) =>
            {
                tracing::warn!(path = source.file.path(), %error, "walking the segment instead");
                self.read_from(source, SEGMENT_HEADER_BYTES)
            }
            result => result,
        }
    }

    fn read_from(&self, source: &Source, mut position: u64) -> io::Result<Bytes> {
        let file = source.file.open()?;
        let want = self.max_bytes.saturating_add(self.slack).max(BATCH_HEADER_BYTES);
        while position < source.end {
            let left = usize::try_from(source.end - position).unwrap_or(usize::MAX);
            let want = want.min(left);
            let data = file.read_new(position, want)?;
            if data.len() < want {
                let end = position + data.len() as u64;
                return Err(self.damage(source, end, "it ends too early"));
            }
            let (skipped, first) = self.skip(source, position, &data)?;
            position += skipped as u64;
            let Some(first) = first else { continue };
            if first.next_offset() > self.up_to {
                return Ok(Bytes::new());
            }
            if skipped + first.size() <= data.len() {
                let whole = self.whole_batches(&data[skipped..]);
                return Ok(Bytes::from(data).slice(skipped..skipped + whole));
            }
            if first.size() as u64 > source.end - position {
                return Err(self.damage(source, position, "a batch reaches beyond the end"));
            }
            let data = file.read_new(position, first.size())?;
            if data.len() < first.size() {
                let end = position + data.len() as u64;
                return Err(self.damage(source, end, "it ends too early"));
            }
            return Ok(Bytes::from(data));
        }
        Ok(Bytes::new())
    }

    /// How many bytes to skip to the batch that holds the wanted offset, and its header if that
    /// much was read.
    fn skip(
        &self,
        source: &Source,
        position: u64,
        data: &[u8],
    ) -> io::Result<(usize, Option<BatchHeader>)> {
        let mut at = 0;
        while at + BATCH_HEADER_BYTES <= data.len() {
            let header = BatchHeader::parse(&data[at..])
                .map_err(|error| self.damage(source, position + at as u64, &error.to_string()))?;
            if header.next_offset() > self.from {
                return Ok((at, Some(header)));
            }
            at += header.size();
        }
        if at == 0 {
            return Err(self.damage(source, position, "it ends within a batch"));
        }
        Ok((at, None))
    }

    /// Length of the whole batches at the start of `data` that fit the limits, at least one.
    /// Offsets only grow, even in a damaged segment that is trusted unread: readers get ahead.
    fn whole_batches(&self, data: &[u8]) -> usize {
        let (mut length, mut next) = (0, Offset::ZERO);
        for found in batches(data) {
            // Behind the last whole batch stands the beginning of another: that is no error.
            let Ok((header, range)) = found else { break };
            let ahead = header.base_offset >= next && header.next_offset() > next;
            let back = length > 0 && !ahead;
            let full = length > 0 && range.end > self.max_bytes;
            if header.next_offset() > self.up_to || back || full {
                break;
            }
            (length, next) = (range.end, header.next_offset());
        }
        length
    }

    fn damage(&self, source: &Source, position: u64, what: &str) -> io::Error {
        let (path, from) = (source.file.path(), self.from);
        let text = format!("{path} is damaged at byte {position}: {what} (reading offset {from})");
        io::Error::new(io::ErrorKind::InvalidData, text)
    }
}
