//! Events on their way out: what a handler returns or a publisher takes, before it has an id, a
//! time and a source.

use crate::event::Event;

mod causation;
mod draft;
mod ready;

pub use causation::Causation;
pub use draft::{Draft, IntoDraft};
pub use ready::{DraftError, Ready, Stamp};

/// Events in the order in which they are to be published.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// use tidings::{Draft, Event, Events};
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(type = "com.example.a", version = 1, topic = "a", no_key)]
/// # struct A;
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(type = "com.example.b", version = 1, topic = "b", no_key)]
/// # struct B;
/// let events = Events::new()
///     .push(A)
///     .push(Draft::of(B).key("customer-7").subject("customer/7").extension("priority", "high"));
/// assert_eq!(events.len(), 2);
/// ```
#[derive(Debug, Default)]
#[must_use = "events do nothing until they are returned or published"]
pub struct Events {
    drafts: Vec<Draft>,
}

/// What a handler may return as its events, and what a publisher takes many of.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither an event nor a collection of events",
    label = "cannot be published",
    note = "return `()`, an event (`#[derive(Event)]`), a tuple, `Vec` or `Option` of them, an \
            enum with `#[derive(Events)]`, or `Events`"
)]
pub trait IntoEvents {
    /// Puts the events behind those that are there.
    fn push_into(self, events: &mut Events);
}

impl Events {
    /// No events yet.
    pub fn new() -> Events {
        Events::default()
    }

    /// Puts more behind: an event, a [`Draft`] with choices of its own, or several at once.
    pub fn push(mut self, events: impl IntoEvents) -> Events {
        events.push_into(&mut self);
        self
    }

    /// The same in a loop.
    pub fn add(&mut self, events: impl IntoEvents) {
        events.push_into(self);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.drafts.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// The events as they were put in, in order.
    pub fn drafts(&self) -> &[Draft] {
        &self.drafts
    }
}

impl IntoIterator for Events {
    type Item = Draft;
    type IntoIter = std::vec::IntoIter<Draft>;

    fn into_iter(self) -> Self::IntoIter {
        self.drafts.into_iter()
    }
}

impl<E: IntoEvents> FromIterator<E> for Events {
    fn from_iter<I: IntoIterator<Item = E>>(iter: I) -> Events {
        let mut events = Events::new();
        iter.into_iter().for_each(|e| e.push_into(&mut events));
        events
    }
}

#[diagnostic::do_not_recommend]
impl<E: Event> IntoEvents for E {
    fn push_into(self, events: &mut Events) {
        events.drafts.push(Draft::of(self));
    }
}

impl IntoEvents for Draft {
    fn push_into(self, events: &mut Events) {
        events.drafts.push(self);
    }
}

impl IntoEvents for Events {
    fn push_into(self, events: &mut Events) {
        events.drafts.extend(self.drafts);
    }
}

impl IntoEvents for () {
    fn push_into(self, _: &mut Events) {}
}

impl<E: IntoEvents> IntoEvents for Option<E> {
    fn push_into(self, events: &mut Events) {
        if let Some(event) = self {
            event.push_into(events);
        }
    }
}

impl<E: IntoEvents> IntoEvents for Vec<E> {
    fn push_into(self, events: &mut Events) {
        self.into_iter().for_each(|e| e.push_into(events));
    }
}

impl<E: IntoEvents, const N: usize> IntoEvents for [E; N] {
    fn push_into(self, events: &mut Events) {
        self.into_iter().for_each(|e| e.push_into(events));
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))+) => {$(
        impl<$($name: IntoEvents),+> IntoEvents for ($($name,)+) {
            #[allow(non_snake_case, reason = "the names of the type parameters serve as variables")]
            fn push_into(self, events: &mut Events) {
                let ($($name,)+) = self;
                $($name.push_into(events);)+
            }
        }
    )+};
}

tuples! {
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
}

#[cfg(test)]
mod tests;
