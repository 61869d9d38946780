//! W3C Trace Context through Kafka: the plain headers `traceparent`, `tracestate` and `baggage`
//! carry the hop; the CloudEvents attributes `traceparent` and `tracestate` carry where the event
//! was created, and stay as they are.
//!
//! No OpenTelemetry is needed: an event that is published outside of any trace starts one, and what
//! a handler publishes belongs to the trace of the event that it handles.

use std::fmt;
use std::future::Future;
use std::str::FromStr;

use uuid::Uuid;

use crate::cloudevents::{CloudEvent, Headers};
use crate::lanes::delivery::Delivery;

/// The hop's header and the creation attribute of this name (W3C Trace Context, 3.2).
pub const TRACEPARENT: &str = "traceparent";
/// Vendor data that travels with the trace (W3C Trace Context, 3.3).
pub const TRACESTATE: &str = "tracestate";
/// The user's own pairs that travel with the trace (W3C Baggage).
pub const BAGGAGE: &str = "baggage";

tokio::task_local! {
    static CURRENT: Current;
}

/// What a task works in: a trace, or an event that may carry one. It is read only for those who
/// ask, as most handlers publish nothing by themselves.
enum Current {
    Trace(TraceContext),
    Event(Delivery),
}

/// A trace and the span in it that is going on, as `traceparent` writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
}

/// A text that is no `traceparent`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is no W3C traceparent")]
pub struct InvalidTraceParent(String);

/// What a hop carries: the span that sends, and what travels with it unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace and the span.
    pub parent: TraceParent,
    /// `tracestate`, untouched.
    pub state: Option<String>,
    /// `baggage`, untouched.
    pub baggage: Option<String>,
}

impl TraceParent {
    /// A new trace with a first span, marked as sampled so that services behind it record theirs.
    pub fn start() -> TraceParent {
        TraceParent { trace_id: Uuid::new_v4().into_bytes(), span_id: span_id(), flags: 1 }
    }

    /// Another span of the same trace.
    pub fn child(self) -> TraceParent {
        TraceParent { span_id: span_id(), ..self }
    }

    /// The trace's id in hexadecimal, as logs show it.
    pub fn trace_id(&self) -> String {
        hex(&self.trace_id)
    }

    /// The span's id in hexadecimal, as logs show it.
    pub fn span_id(&self) -> String {
        hex(&self.span_id)
    }
}

impl TraceContext {
    /// A trace of its own.
    pub fn start() -> TraceContext {
        TraceContext { parent: TraceParent::start(), state: None, baggage: None }
    }

    /// Another span of the same trace; state and baggage travel on.
    pub fn child(&self) -> TraceContext {
        TraceContext { parent: self.parent.child(), ..self.clone() }
    }

    /// The hop's context, if the record carries one, else where the event was created.
    pub fn of_event(event: &CloudEvent) -> Option<TraceContext> {
        let header = |name: &str| event.header_text(name).map(str::to_owned);
        if let Some(parent) = header(TRACEPARENT).and_then(|t| t.parse().ok()) {
            return Some(TraceContext {
                parent,
                state: header(TRACESTATE),
                baggage: header(BAGGAGE),
            });
        }
        let parent = event.extensions.get(TRACEPARENT)?.parse().ok()?;
        let state = event.extensions.get(TRACESTATE).cloned();
        Some(TraceContext { parent, state, baggage: header(BAGGAGE) })
    }

    /// Puts the hop's headers behind the others, in place of those of an earlier hop.
    pub fn write_hop(&self, headers: &mut Headers) {
        headers.retain(|(name, _)| !is_hop_header(name));
        headers.push((TRACEPARENT.to_owned(), Some(self.parent.to_string().into())));
        let carried = [(TRACESTATE, &self.state), (BAGGAGE, &self.baggage)];
        for (name, value) in carried.into_iter().filter_map(|(n, v)| Some((n, v.as_ref()?))) {
            headers.push((name.to_owned(), Some(value.clone().into())));
        }
    }
}

/// The trace that this task works in: set around each handler; anyone may set their own.
pub fn current() -> Option<TraceContext> {
    let read = |current: &Current| match current {
        Current::Trace(context) => Some(context.clone()),
        Current::Event(delivery) => delivery.trace(),
    };
    CURRENT.try_with(read).ok().flatten()
}

/// Runs a future in a trace: what it publishes belongs to it. Tasks that it spawns are outside.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use tidings::trace::{self, TraceContext};
/// let mine = TraceContext::start();
/// let seen = trace::scope(mine.clone(), async { trace::current() }).await;
/// assert_eq!(seen, Some(mine));
/// # })
/// ```
pub async fn scope<F: Future>(context: TraceContext, future: F) -> F::Output {
    CURRENT.scope(Current::Trace(context), future).await
}

/// Runs a future in the trace that an event in binary mode carries, if it carries one.
pub(crate) async fn scope_of<F: Future>(event: Delivery, future: F) -> F::Output {
    CURRENT.scope(Current::Event(event), future).await
}

/// Is this one of the three headers that belong to a hop, not to the event?
pub fn is_hop_header(name: &str) -> bool {
    [TRACEPARENT, TRACESTATE, BAGGAGE].iter().any(|hop| name.eq_ignore_ascii_case(hop))
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id(), self.span_id(), self.flags)
    }
}

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    /// Reads version 00, and later versions by their first four fields, as the standard asks.
    fn from_str(text: &str) -> Result<TraceParent, InvalidTraceParent> {
        parse(text).ok_or_else(|| InvalidTraceParent(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<TraceParent> {
    let mut fields = text.split('-');
    let version: [u8; 1] = unhex(fields.next()?)?;
    let trace_id: [u8; 16] = unhex(fields.next()?)?;
    let span_id: [u8; 8] = unhex(fields.next()?)?;
    let flags: [u8; 1] = unhex(fields.next()?)?;
    let more = fields.next().is_some();
    let legal = version[0] != 0xff
        && !(version[0] == 0 && more)
        && trace_id != [0; 16]
        && span_id != [0; 8];
    legal.then_some(TraceParent { trace_id, span_id, flags: flags[0] })
}

fn span_id() -> [u8; 8] {
    let random = Uuid::new_v4().into_bytes();
    // The version and variant bits of the UUID stand in bytes 6 and 8; these eight are all random.
    [random[0], random[1], random[2], random[3], random[4], random[5], random[9], random[10]]
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// Lower-case hexadecimal of exactly this length; upper case is not allowed by the standard.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0u8; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
