//! What one attempt knows: the event as it came, the service's states, who handles it and when.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::Registered;
use super::extract::Meta;
use crate::Event;
use crate::cloudevents::{CloudEvent, Record};
use crate::events::Causation;
use crate::fail::{Fail, FailKind};
use crate::lanes::delivery::Delivery;
use crate::publisher::Publisher;
use crate::stored::{Door, Held, Stored, Unit};
use crate::trace::TraceContext;

/// What is shared by all attempts of a service.
pub(crate) struct Scope {
    /// The service's name.
    pub(crate) service: Arc<str>,
    /// Its CloudEvents source.
    pub(crate) source: Arc<str>,
    pub(crate) states: States,
    /// Publishes as this service.
    pub(crate) publisher: Publisher,
    /// Where effects and the marks of handled events commit together; without it, at least once.
    pub(crate) stored: Option<Stored>,
}

/// One attempt at one event, from which arguments are made.
pub struct Context {
    pub(crate) scope: Arc<Scope>,
    pub(crate) handler: Arc<Registered>,
    pub(crate) delivery: Delivery,
    /// The whole envelope: from the start for events in structured mode, else when asked for.
    pub(crate) envelope: Option<Arc<CloudEvent>>,
    pub(crate) attempt: u32,
    /// The cause of whatever this attempt publishes; made when something is published.
    pub(crate) causation: Option<Arc<Causation>>,
    /// How it gets its transaction; with a store there is one.
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres")),
        expect(dead_code, reason = "only a store reads it")
    )]
    pub(crate) door: Option<Door>,
    /// The transaction, once an argument has asked for it.
    pub(crate) held: Option<Held>,
}

impl Context {
    /// The event with all attributes and headers.
    ///
    /// # Errors
    /// A reject, if the record is no event. For a handler's own event that was judged before.
    pub fn cloud_event(&mut self) -> Result<Arc<CloudEvent>, Fail> {
        if let Some(envelope) = &self.envelope {
            return Ok(Arc::clone(envelope));
        }
        let event = CloudEvent::from_record(&self.delivery.record()).map_err(Fail::reject)?;
        Ok(Arc::clone(self.envelope.insert(Arc::new(event))))
    }

    /// The record as it lies in Kafka.
    pub fn record(&self) -> Record {
        self.delivery.record()
    }

    /// What is known about the event besides its data.
    pub fn meta(&mut self) -> Result<Meta, Fail> {
        let event = self.cloud_event()?;
        Ok(Meta::new(&event, &self.delivery, self.handler.name, self.attempt))
    }

    /// The state of this type that `.state(..)` gave the service.
    ///
    /// # Errors
    /// A reject that names the type. `Service::check` finds it before any event comes.
    pub fn state<T: Clone + Send + Sync + 'static>(&self) -> Result<T, Fail> {
        self.scope.states.find::<T>().cloned().ok_or_else(|| {
            Fail::reject(format!(
                "handler `{}` takes State<{}>, which the service was not given: add \
                 `.state(..)` with a value of that type",
                self.handler.name,
                type_name::<T>(),
            ))
        })
    }

    /// The name of the handler that takes the event.
    pub fn handler(&self) -> &str {
        self.handler.name
    }

    /// Which attempt this is, the first being 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The cause that everything published in this attempt shares, one series of ordinals.
    pub(crate) fn causation(&mut self) -> Result<Arc<Causation>, Fail> {
        if let Some(causation) = &self.causation {
            return Ok(Arc::clone(causation));
        }
        let event = self.cloud_event()?;
        let causation = Arc::new(Causation::of(&event, self.handler.name));
        Ok(Arc::clone(self.causation.insert(causation)))
    }

    /// A publisher whose events have this event as their cause.
    pub(crate) fn publisher(&mut self) -> Result<Publisher, Fail> {
        let causation = self.causation()?;
        Ok(self.scope.publisher.caused_by(causation))
    }

    /// The transaction, when the handler has returned.
    pub(super) fn unit_back(&mut self) -> Result<Option<Box<Unit>>, Fail> {
        let held = self.held.take();
        held.map(|held| held.back(self.handler.name).map(Box::new)).transpose()
    }

    /// The trace that the event belongs to.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        match &self.envelope {
            Some(event) => TraceContext::of_event(event),
            None => self.delivery.trace(),
        }
    }

    /// The typed event, from the data of either mode.
    pub(super) fn decode<E: Event>(&mut self) -> Result<E, Fail> {
        let decoded = match &self.envelope {
            Some(event) => E::decode(event.data.as_deref().unwrap_or_default()),
            None => E::decode(self.delivery.value().unwrap_or_default()),
        };
        decoded.map_err(|error| {
            let message = format!(
                "handler `{}` cannot read {} ({}): {error}",
                self.handler.name,
                E::WIRE_TYPE,
                self.delivery.address(),
            );
            Fail::of_class(FailKind::Reject, UNDECODABLE, message)
        })
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("handler", &self.handler.name)
            .field("address", &self.delivery.address())
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// The class of a failure to decode, in dead letters and metrics.
pub(crate) const UNDECODABLE: &str = "undecodable";

/// What handlers ask for, collected at registration and compared with what the service has.
#[derive(Debug, Default)]
pub struct Needs {
    states: Vec<(TypeId, &'static str)>,
    /// The database that a transaction is asked of; any, if that is empty.
    database: Option<&'static str>,
    publisher: bool,
}

impl Needs {
    /// A state of this type must have been given by `.state(..)`.
    pub fn state<T: 'static>(&mut self) {
        self.states.push((TypeId::of::<T>(), type_name::<T>()));
    }

    /// A store on this database must have been given by `.store(..)`.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn database(&mut self, name: &'static str) {
        self.database = Some(name);
    }

    /// A store must have been given.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn any_database(&mut self) {
        self.database.get_or_insert("");
    }

    pub(crate) fn publisher(&mut self) {
        self.publisher = true;
    }

    /// What does not fit the service's store, or its lack of one.
    pub(crate) fn unfit(&self, handler: &str, stored: Option<&Stored>) -> Option<String> {
        match (self.database, stored.map(Stored::database)) {
            (Some(_), None) => Some(format!(
                "handler `{handler}` takes a Tx or an Outbox, which need a store: add \
                 `.store(Store::sqlite(\"{handler}.db\").await?)`, or another store"
            )),
            (Some(asked), Some(there)) if !asked.is_empty() && asked != there => Some(format!(
                "handler `{handler}` takes a Tx on {asked}, and the service's store is on {there}: \
                 write `Tx<sqlx::Sqlite>` or `Tx<sqlx::Postgres>`, as the store is"
            )),
            (_, Some(_)) if self.publisher => Some(format!(
                "handler `{handler}` takes a Publisher, whose events would not be in the \
                 transaction of the service's store: return them, or take `Tx` and `Outbox`"
            )),
            _ => None,
        }
    }

    /// The names of the types that are not there.
    pub(crate) fn missing<'a>(&'a self, states: &'a States) -> impl Iterator<Item = &'static str> {
        let missing = self.states.iter().filter(|(id, _)| !states.by_type.contains_key(id));
        missing.map(|(_, name)| *name)
    }
}

/// The values that `.state(..)` gave, one per type.
#[derive(Default)]
pub(crate) struct States {
    by_type: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
}

impl States {
    /// Whether there was one of this type before.
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, state: T) -> bool {
        self.by_type.insert(TypeId::of::<T>(), Box::new(state)).is_some()
    }

    fn find<T: 'static>(&self) -> Option<&T> {
        self.by_type.get(&TypeId::of::<T>())?.downcast_ref()
    }
}
