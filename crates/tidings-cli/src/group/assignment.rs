//! Which partitions a member has: the assignment that its group's leader gave it, in the consumer
//! protocol's own encoding (Apache Kafka, `ConsumerProtocolAssignment.json`): version, then an
//! array of (topic, array of partitions), then user data. Other protocols' bytes read as nothing.

/// Reads the partitions; `None` when the bytes are no assignment of consumers.
pub fn parse(bytes: &[u8]) -> Option<Vec<(String, i32)>> {
    let mut input = Input(bytes);
    let _version = input.i16()?;
    let mut partitions = Vec::new();
    for _ in 0..input.count()? {
        let length = usize::try_from(input.i16()?).ok()?;
        let topic = std::str::from_utf8(input.take(length)?).ok()?.to_owned();
        for _ in 0..input.count()? {
            partitions.push((topic.clone(), input.i32()?));
        }
    }
    partitions.sort();
    Some(partitions)
}

/// The bytes that are left. Nothing is allocated by a length that was only read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take(2)?.try_into().ok().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take(4)?.try_into().ok().map(i32::from_be_bytes)
    }

    fn count(&mut self) -> Option<i32> {
        self.i32().filter(|count| *count >= 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 0; `orders` with partitions 1 and 0; no user data.
    const ORDERS: &[u8] = b"\0\0\0\0\0\x01\0\x06orders\0\0\0\x02\0\0\0\x01\0\0\0\0\xff\xff\xff\xff";

    #[test]
    fn an_assignment_is_read() {
        let expected = vec![("orders".to_owned(), 0), ("orders".to_owned(), 1)];
        assert_eq!(parse(ORDERS), Some(expected));
    }

    #[test]
    fn what_is_cut_or_hostile_is_no_assignment() {
        for end in 0..ORDERS.len() - 4 {
            assert_eq!(parse(&ORDERS[..end]), None, "cut at {end}");
        }
        assert_eq!(parse(b"\0\0\x7f\xff\xff\xff"), None);
        assert_eq!(parse(b"\0\0\xff\xff\xff\xff"), None);
    }
}
