//! Why a record is no event: each reason is a sentence that can stand in a dead letter's headers.

/// Why a record is not a CloudEvent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnEvent {
    /// Neither `ce_` headers nor a structured content type.
    #[error(
        "the record has no CloudEvents attributes: no `ce_specversion` header and no \
             `application/cloudevents+json` content type"
    )]
    NoAttributes,
    /// A required attribute is missing.
    #[error("the required attribute `{name}` is missing")]
    Missing {
        /// The attribute.
        name: &'static str,
    },
    /// A required attribute is there, but empty.
    #[error("the required attribute `{name}` is empty")]
    Empty {
        /// The attribute.
        name: &'static str,
    },
    /// A standard attribute is null or not UTF-8.
    #[error("the attribute `{name}` is not UTF-8 text")]
    NotText {
        /// The attribute.
        name: String,
    },
    /// A version of CloudEvents that nobody has specified yet.
    #[error("CloudEvents version `{found}` is unknown here; 1.0 is read")]
    SpecVersion {
        /// What `specversion` says.
        found: String,
    },
    /// The Kafka binding has no batches.
    #[error(
        "a batch of events in one record is not part of CloudEvents on Kafka; write one \
             record per event"
    )]
    Batch,
    /// Structured mode in another format than JSON, without attributes in headers.
    #[error("events in the format `{format}` are not read here; JSON is")]
    UnknownFormat {
        /// The content type.
        format: String,
    },
    /// Structured mode without a value.
    #[error("the record says that it is an event in structured mode, but has no value")]
    NoEnvelope,
    /// Structured mode whose value is not a JSON event.
    #[error("{0}")]
    Json(#[from] super::InvalidJson),
}

impl NotAnEvent {
    /// A short name of the reason for metrics and headers.
    pub fn name(&self) -> &'static str {
        match self {
            NotAnEvent::NoAttributes => "no-attributes",
            NotAnEvent::Missing { .. } => "missing-attribute",
            NotAnEvent::Empty { .. } => "empty-attribute",
            NotAnEvent::NotText { .. } => "attribute-not-text",
            NotAnEvent::SpecVersion { .. } => "unknown-specversion",
            NotAnEvent::Batch => "batch",
            NotAnEvent::UnknownFormat { .. } => "unknown-format",
            NotAnEvent::NoEnvelope => "no-envelope",
            NotAnEvent::Json(_) => "invalid-json",
        }
    }
}
