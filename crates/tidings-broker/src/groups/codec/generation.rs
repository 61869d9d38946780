//! The bytes of a settled generation within an entry. Texts here have lengths of 32 bits: what
//! members say of themselves is bounded as a whole (`MAX_GENERATION_BYTES`), not each part of it.

use super::{EntryError, Reader};
use crate::groups::group::{Generation, Protocol, SettledMember};
use crate::groups::ids::ProtocolName;

/// Length of a text or of bytes that are not there, as in Kafka's own formats.
const ABSENT: u32 = u32::MAX;

/// About how many bytes [`put`] writes: never fewer.
pub(crate) fn size_bound(generation: &Generation) -> usize {
    let optional = |name: &Option<ProtocolName>| name.as_ref().map_or(0, |n| n.as_str().len());
    let members = generation.members.iter().map(|member| {
        let protocols = member.protocols.iter();
        let protocols = protocols.map(|p| 8 + p.name.as_str().len() + p.metadata.len());
        let instance = member.instance.as_ref().map_or(0, |name| name.as_str().len());
        let texts = member.id.as_str().len() + member.client_id.len() + member.client_host.len();
        40 + texts + instance + member.assignment.len() + protocols.sum::<usize>()
    });
    let leader = generation.leader.as_ref().map_or(0, |leader| leader.as_str().len());
    let names = optional(&generation.protocol_type) + optional(&generation.protocol) + leader;
    20 + names + members.sum::<usize>()
}

pub(super) fn put(out: &mut Vec<u8>, generation: &Generation) {
    out.extend(generation.number.to_be_bytes());
    put_optional(out, generation.protocol_type.as_ref().map(ProtocolName::as_str));
    put_optional(out, generation.protocol.as_ref().map(ProtocolName::as_str));
    put_optional(out, generation.leader.as_ref().map(|leader| leader.as_str()));
    put_count(out, generation.members.len());
    for member in &generation.members {
        put_bytes(out, member.id.as_str().as_bytes());
        put_optional(out, member.instance.as_ref().map(|instance| instance.as_str()));
        put_bytes(out, member.client_id.as_bytes());
        put_bytes(out, member.client_host.as_bytes());
        out.extend(member.session_timeout_ms.to_be_bytes());
        out.extend(member.rebalance_timeout_ms.to_be_bytes());
        put_count(out, member.protocols.len());
        for protocol in &member.protocols {
            put_bytes(out, protocol.name.as_str().as_bytes());
            put_bytes(out, &protocol.metadata);
        }
        put_bytes(out, &member.assignment);
    }
}

pub(super) fn take(rest: &mut Reader<'_>) -> Result<Generation, EntryError> {
    let number = i32::from_be_bytes(rest.bytes()?);
    let protocol_type = rest.optional()?.map(ProtocolName::from);
    let protocol = rest.optional()?.map(ProtocolName::from);
    let leader = rest.optional()?.map(Into::into);
    let mut members = Vec::new();
    for _ in 0..rest.count()? {
        members.push(member(rest)?);
    }
    Ok(Generation { number, protocol_type, protocol, leader, members })
}

fn member(rest: &mut Reader<'_>) -> Result<SettledMember, EntryError> {
    let mut member = SettledMember {
        id: rest.long_text()?.into(),
        instance: rest.optional()?.map(Into::into),
        client_id: rest.long_text()?.to_owned(),
        client_host: rest.long_text()?.to_owned(),
        session_timeout_ms: u64::from_be_bytes(rest.bytes()?),
        rebalance_timeout_ms: u64::from_be_bytes(rest.bytes()?),
        protocols: Vec::new(),
        assignment: Default::default(),
    };
    for _ in 0..rest.count()? {
        let name = rest.long_text()?.into();
        let metadata = rest.long_bytes()?.to_vec().into();
        member.protocols.push(Protocol { name, metadata });
    }
    member.assignment = rest.long_bytes()?.to_vec().into();
    Ok(member)
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).expect("a generation is bounded by MAX_GENERATION_BYTES");
    out.extend(count.to_be_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend(bytes);
}

fn put_optional(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => put_bytes(out, text.as_bytes()),
        None => out.extend(ABSENT.to_be_bytes()),
    }
}

impl<'a> Reader<'a> {
    /// A number of things that follow, each of at least a byte; nothing is reserved for it.
    fn count(&mut self) -> Result<u32, EntryError> {
        Ok(u32::from_be_bytes(self.bytes()?))
    }

    fn long_bytes(&mut self) -> Result<&'a [u8], EntryError> {
        let length = u32::from_be_bytes(self.bytes()?);
        self.slice(length as usize)
    }

    fn long_text(&mut self) -> Result<&'a str, EntryError> {
        std::str::from_utf8(self.long_bytes()?).map_err(|_| EntryError::Malformed("not UTF-8"))
    }

    fn optional(&mut self) -> Result<Option<&'a str>, EntryError> {
        match self.rest.split_first_chunk() {
            Some((length, rest)) if u32::from_be_bytes(*length) == ABSENT => {
                self.rest = rest;
                Ok(None)
            }
            _ => self.long_text().map(Some),
        }
    }
}
