//! The refusals at a service's start: what its types could not express.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Service;
use super::limits::HANDLER_NAMES_MAX_BYTES;
use crate::progress::names_bytes;

#[cfg(test)]
mod tests;

/// All that is wrong with a service, one sentence each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckError {
    service: String,
    findings: Vec<String>,
}

impl CheckError {
    /// The sentences.
    pub fn findings(&self) -> &[String] {
        &self.findings
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the service `{}` cannot run", self.service)?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n  {finding}"))
    }
}

impl std::error::Error for CheckError {}

pub(super) fn check(service: &Service) -> Result<(), CheckError> {
    let mut findings = service.misuse.clone();
    if !is_name(&service.name) {
        findings.push(name_sentence("the service's name", &service.name));
    }
    if service.handlers.is_empty() {
        findings.push(
            "it has no handler: add one by `.on(\"name\", handler)`, or use a `Publisher` if it \
             only publishes"
                .to_owned(),
        );
    }
    check_source(service, &mut findings);
    check_names(service, &mut findings);
    check_groups(service, &mut findings);
    for handler in &service.handlers {
        if handler.topic.is_empty() {
            findings.push(format!(
                "handler `{}` takes {}, which has no topic: add `topic = \"...\"` to its \
                 #[event(..)]",
                handler.name, handler.wire_type
            ));
        }
        findings.extend(handler.needs.unfit(handler.name, service.stored.as_ref()));
        for state in handler.needs.missing(&service.states) {
            findings.push(format!(
                "handler `{}` takes State<{state}>, which the service was not given: add \
                 `.state(..)` with a value of that type",
                handler.name
            ));
        }
    }
    if findings.is_empty() {
        return Ok(());
    }
    Err(CheckError { service: service.name.clone(), findings })
}

fn check_source(service: &Service, findings: &mut Vec<String>) {
    let source = service.source_uri();
    if source.is_empty() || source.chars().any(|c| c.is_whitespace() || c.is_control()) {
        findings.push(format!(
            "the source `{source}` is no URI reference: write it like `/team/service`"
        ));
    }
}

fn check_names(service: &Service, findings: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for handler in &service.handlers {
        if !is_name(handler.name) {
            findings.push(name_sentence("a handler's name", handler.name));
        }
        if !seen.insert(handler.name) {
            findings.push(format!(
                "two handlers are named `{}`: offsets, ids and dead letters hang on the name, so \
                 each needs one of its own",
                handler.name
            ));
        }
    }
}

fn check_groups(service: &Service, findings: &mut Vec<String>) {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for handler in &service.handlers {
        if let Some(group) = handler.group.as_deref().filter(|group| !is_name(group)) {
            findings.push(name_sentence("a group's name", group));
        }
        groups.entry(service.group_of(handler)).or_default().push(handler.name);
    }
    for (group, names) in groups {
        let bytes = names_bytes(names.iter().copied());
        if bytes > HANDLER_NAMES_MAX_BYTES {
            findings.push(format!(
                "the names of the {} handlers in group `{group}` take {bytes} bytes, and \
                 {HANDLER_NAMES_MAX_BYTES} fit beside a commit: give some a `.group(..)` of their \
                 own, or shorter names",
                names.len()
            ));
        }
    }
}

/// Names become parts of topics, so they keep to what a topic may be called.
fn is_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=100).contains(&name.len()) && !matches!(name, "." | "..") && name.bytes().all(legal)
}

fn name_sentence(what: &str, name: &str) -> String {
    format!("{what} cannot be `{name}`: use 1 to 100 letters, digits, `.`, `_` and `-`")
}
