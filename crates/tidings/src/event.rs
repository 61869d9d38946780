//! What makes a type an event: its name on the wire, its version, its topic, its key, its bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A fact that services tell each other: past tense, immutable.
///
/// Derive it; the macro takes everything from one line. Order is kept among events of one key
/// within one topic, and among no others.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tidings::Event;
///
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order_id)]
/// pub struct OrderPlaced {
///     pub order_id: String,
///     pub total_cents: i64,
/// }
///
/// assert_eq!(OrderPlaced::WIRE_TYPE, "com.example.order.placed.v1");
/// let event = OrderPlaced { order_id: "1042".into(), total_cents: 4990 };
/// assert_eq!(event.key().as_deref(), Some("1042"));
/// ```
///
/// `key` is what stands after `self.`: a field, `tenant.id`, `0`, `key()`; it must implement
/// `Display`. On an enum it is a field of every variant. An event whose order does not matter says
/// `no_key`. `subject = "order"` sets the CloudEvents subject to `order/<key>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "this type is no event",
    note = "add `#[derive(Event, Serialize, Deserialize)]` and `#[event(type = \"...\", version = \
            1, topic = \"...\", key = ...)]` to it"
)]
pub trait Event: Sized + Send + 'static {
    /// The type without its version: reverse DNS, past tense.
    const TYPE: &'static str;
    /// The version, which grows with each change that a reader of the last one cannot read.
    const VERSION: u32;
    /// `<type>.v<version>`, as it stands in `ce_type`.
    const WIRE_TYPE: &'static str;
    /// The topic that carries it.
    const TOPIC: &'static str;

    /// The record's key; events without one spread over the partitions and have no order.
    fn key(&self) -> Option<String>;

    /// The CloudEvents subject: what the event is about, within its source.
    fn subject(&self) -> Option<String> {
        None
    }

    /// The data as JSON.
    fn encode(&self) -> Result<Vec<u8>, EncodeError>;

    /// Reads what [`encode`](Event::encode) wrote.
    fn decode(data: &[u8]) -> Result<Self, DecodeError>;
}

/// An event whose data cannot be written; it says which type, and serde's reason.
#[derive(Debug, thiserror::Error)]
#[error("{ty} cannot be written as JSON: {reason}")]
pub struct EncodeError {
    ty: &'static str,
    reason: String,
}

/// Data that is not what a type expects; it says what is wrong and where.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct DecodeError {
    reason: String,
}

impl EncodeError {
    /// For events whose encoding is written by hand.
    pub fn new(ty: &'static str, reason: impl ToString) -> EncodeError {
        EncodeError { ty, reason: reason.to_string() }
    }
}

impl DecodeError {
    /// For events whose decoding is written by hand.
    pub fn new(reason: impl ToString) -> DecodeError {
        DecodeError { reason: reason.to_string() }
    }
}

/// What the derive macro calls. Not part of the interface.
#[doc(hidden)]
pub mod private {
    use super::{DecodeError, DeserializeOwned, EncodeError, Event, Serialize};

    /// What a generic event's data must be able to do.
    pub trait Payload: Serialize + DeserializeOwned + Send + 'static {}

    impl<T: Serialize + DeserializeOwned + Send + 'static> Payload for T {}

    /// `Serialize` by another name, so that a missing derive is one sentence.
    #[diagnostic::on_unimplemented(
        message = "the data of the event `{Self}` cannot be written",
        label = "`Serialize` is missing",
        note = "add `Serialize` of the crate `serde` to its derives"
    )]
    pub trait Writable: Serialize {}

    #[diagnostic::do_not_recommend]
    impl<T: Serialize> Writable for T {}

    /// `Deserialize` by another name, likewise.
    #[diagnostic::on_unimplemented(
        message = "the data of the event `{Self}` cannot be read",
        label = "`Deserialize` is missing",
        note = "add `Deserialize` of the crate `serde` to its derives"
    )]
    pub trait Readable: DeserializeOwned {}

    #[diagnostic::do_not_recommend]
    impl<T: DeserializeOwned> Readable for T {}

    /// The key's text.
    pub fn key_text<K: std::fmt::Display + ?Sized>(key: &K) -> String {
        key.to_string()
    }

    /// The derived `Event::encode`.
    pub fn encode<E: Event + Writable>(event: &E) -> Result<Vec<u8>, EncodeError> {
        serde_json::to_vec(event).map_err(|e| EncodeError::new(E::WIRE_TYPE, e))
    }

    /// The derived `Event::decode`. Serde's message carries line and column.
    pub fn decode<E: Readable>(data: &[u8]) -> Result<E, DecodeError> {
        serde_json::from_slice(data).map_err(DecodeError::new)
    }
}
