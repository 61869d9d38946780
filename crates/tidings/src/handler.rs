//! What makes a plain async function a handler. The traits here are what compile errors about
//! handlers speak of, so each carries the sentence that names what is wrong.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use crate::events::Causation;
use crate::fail::Fail;
use crate::stored::Unit;
use crate::trace::{self, TraceContext};
use crate::{Event, Events, IntoEvents};

mod args;
mod context;
mod extract;
pub(crate) mod panic;

pub use args::HandlerArgs;
pub use context::{Context, Needs};
pub(crate) use context::{Scope, States, UNDECODABLE};
pub use extract::{FromEvent, Meta, State};

/// An async function that takes an event, and behind it whatever it needs besides.
///
/// Implemented for functions and closures of up to eight further arguments, each a [`FromEvent`]:
/// [`Meta`], [`State<T>`](State), [`Publisher`](crate::Publisher),
/// [`CloudEvent`](crate::cloudevents::CloudEvent), [`Record`](crate::cloudevents::Record). It
/// returns a `Result` of what it publishes: see [`IntoOutcome`].
///
/// An attempt may be cancelled at any `.await`: by the handler's time-out, 10 s after its
/// partition was taken away, 25 s after the service was told to stop. The event then runs again,
/// here or elsewhere.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "not an async function of an event and up to eight further arguments",
    note = "a handler is `async fn(event: MyEvent, meta: Meta, State(bank): State<Bank>) -> \
            Result<OtherEvent, Fail>`: its event first, then what it needs"
)]
pub trait Handler<Args>: Send + Sync + 'static {
    /// What the call returns: for an `async fn` its future.
    type Future;

    /// Calls the function.
    fn call(&self, args: Args) -> Self::Future;
}

/// What a handler may return: `Result<T, E>`, where `T` is what it publishes (nothing, an event,
/// a tuple, `Option` or `Vec` of them, [`Events`]) and `E` becomes a [`Fail`].
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "this handler returns `{Self}`",
    note = "a handler returns `Result<T, E>`: `T` is `()`, an event, `(a, b)`, `Option<event>`, \
            `Vec<event>` or `Events`, and `E` is `Fail` or any error"
)]
pub trait IntoOutcome {
    /// The events to publish, or why there are none.
    fn into_outcome(self) -> Result<Events, Fail>;
}

impl<T: IntoEvents, E: Into<Fail>> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Result<Events, Fail> {
        let mut events = Events::default();
        self.map_err(Into::into)?.push_into(&mut events);
        Ok(events)
    }
}

/// One attempt under way.
pub(crate) type Attempt = Pin<Box<dyn Future<Output = Result<Ended, Fail>> + Send>>;

/// What an attempt that went well leaves to be done.
#[derive(Default)]
pub(crate) struct Ended {
    /// To be published.
    pub(crate) events: Events,
    /// Whatever it published by itself already; the ordinals go on from there.
    pub(crate) causation: Option<Arc<Causation>>,
    /// The event's trace, if it carries one.
    pub(crate) trace: Option<TraceContext>,
    /// Its transaction, if it has asked for one.
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres")),
        expect(dead_code, reason = "only a store reads it")
    )]
    pub(crate) unit: Option<Box<Unit>>,
}

/// A handler whose types are behind us.
pub(crate) trait Attempts: Send + Sync {
    /// Begins an attempt: decodes the event, makes the arguments, calls the function.
    fn begin(&self, cx: Context) -> Attempt;
}

/// A handler of known types.
pub(crate) struct Typed<H, Args> {
    handler: Arc<H>,
    args: PhantomData<fn(Args)>,
}

impl<H, Args> Typed<H, Args> {
    pub(crate) fn new(handler: H) -> Typed<H, Args> {
        Typed { handler: Arc::new(handler), args: PhantomData }
    }
}

impl<H, Args> Attempts for Typed<H, Args>
where
    H: Handler<Args>,
    H::Future: Future<Output: IntoOutcome> + Send + 'static,
    Args: HandlerArgs,
{
    fn begin(&self, mut cx: Context) -> Attempt {
        let handler = Arc::clone(&self.handler);
        Box::pin(async move {
            let args = Args::from_context(&mut cx).await?;
            // What the handler publishes by other ways belongs to the event's trace as well.
            let outcome = match cx.envelope.as_deref().map(TraceContext::of_event) {
                None => trace::scope_of(cx.delivery.clone(), handler.call(args)).await,
                Some(Some(trace)) => trace::scope(trace, handler.call(args)).await,
                Some(None) => handler.call(args).await,
            };
            let events = outcome.into_outcome()?;
            let unit = cx.unit_back()?;
            if events.is_empty() {
                return Ok(Ended { unit, ..Ended::default() });
            }
            let (causation, trace) = (Some(cx.causation()?), cx.trace());
            Ok(Ended { events, causation, trace, unit })
        })
    }
}

/// What a service knows of one of its handlers.
pub(crate) struct Registered {
    /// The stable name; offsets, dead letters, ids and metrics hang on it.
    pub(crate) name: &'static str,
    /// The type on the wire that it takes, with its version.
    pub(crate) wire_type: &'static str,
    /// The type without its version.
    pub(crate) stem: &'static str,
    /// Where events of this type come from.
    pub(crate) topic: &'static str,
    /// What its arguments need.
    pub(crate) needs: Needs,
    /// Offsets of its own, under this group.
    pub(crate) group: Option<String>,
    /// How long one attempt may take.
    pub(crate) timeout: std::time::Duration,
    /// Events in one transaction, at most; as the store has it if none.
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres")),
        expect(dead_code, reason = "only a store reads it")
    )]
    pub(crate) batch: Option<usize>,
    pub(crate) attempts: Box<dyn Attempts>,
}

impl Registered {
    pub(crate) fn new<H, Args>(name: &'static str, handler: H) -> Registered
    where
        H: Handler<Args>,
        H::Future: Future<Output: IntoOutcome> + Send + 'static,
        Args: HandlerArgs,
    {
        let mut needs = Needs::default();
        Args::needs(&mut needs);
        Registered {
            name,
            wire_type: Args::Event::WIRE_TYPE,
            stem: Args::Event::TYPE,
            topic: Args::Event::TOPIC,
            needs,
            group: None,
            timeout: crate::service::limits::HANDLER_TIMEOUT_DEFAULT,
            batch: None,
            attempts: Box::new(Typed::new(handler)),
        }
    }
}
