//! Which handlers a record is for. Decided by its type alone, whichever topic it comes from: a
//! copy on another subscribed topic is still an event of a handled type, and must not be skipped.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::delivery::Delivery;
use super::hash::TextHasher;
use crate::cloudevents::CloudEvent;
use crate::fail::{Fail, FailKind};
use crate::handler::Registered;

/// The handlers of one group, by type.
pub(crate) struct Router {
    pub(crate) handlers: Vec<Arc<Registered>>,
    by_type: ByText,
    by_stem: ByText,
}

type ByText = HashMap<&'static str, Vec<usize>, BuildHasherDefault<TextHasher>>;

/// What happens with a record. Handlers are given by their index.
#[derive(Debug)]
pub(crate) enum Route<'r> {
    /// These take it; the envelope is there if it had to be read.
    Handle(&'r [usize], Option<Arc<CloudEvent>>),
    /// Nobody here takes this type.
    PassBy,
    /// Nobody can take it: a dead letter in the name of these handlers, or of none.
    Refuse(&'r [usize], Fail),
}

/// The class of a failure by which a record is no event, in dead letters and metrics.
pub(crate) const NOT_AN_EVENT: &str = "not-an-event";
/// The class of a failure by a version that no handler takes.
pub(crate) const UNKNOWN_VERSION: &str = "unknown-version";

impl Router {
    pub(crate) fn new(handlers: Vec<Arc<Registered>>) -> Router {
        let (mut by_type, mut by_stem) = (ByText::default(), ByText::default());
        for (index, handler) in handlers.iter().enumerate() {
            by_type.entry(handler.wire_type).or_default().push(index);
            by_stem.entry(handler.stem).or_default().push(index);
        }
        Router { handlers, by_type, by_stem }
    }

    pub(crate) fn route(&self, delivery: &Delivery) -> Route<'_> {
        if let Some(ty) = delivery.plain_type() {
            return self.by_type(ty, None);
        }
        match CloudEvent::from_record(&delivery.record()) {
            Ok(event) => self.by_type(&event.ty.clone(), Some(Arc::new(event))),
            Err(reason) => {
                let address = delivery.address();
                let message = format!("{address} is no event that can be read: {reason}");
                Route::Refuse(&[], Fail::of_class(FailKind::Reject, NOT_AN_EVENT, message))
            }
        }
    }

    fn by_type(&self, ty: &str, envelope: Option<Arc<CloudEvent>>) -> Route<'_> {
        if let Some(indexes) = self.by_type.get(ty) {
            return Route::Handle(indexes, envelope);
        }
        let Some(indexes) = stem(ty).and_then(|stem| self.by_stem.get(stem)) else {
            return Route::PassBy;
        };
        let first = &self.handlers[indexes[0]];
        let message = format!(
            "{ty} is an unknown version: handler `{}` reads {}",
            first.name, first.wire_type
        );
        Route::Refuse(indexes, Fail::of_class(FailKind::Reject, UNKNOWN_VERSION, message))
    }
}

/// The type without its version, if it ends in one: `.v` and a number.
fn stem(ty: &str) -> Option<&str> {
    let (stem, version) = ty.rsplit_once(".v")?;
    let is_number = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_is_what_stands_before_the_version() {
        let cases = [
            ("com.example.order.placed.v1", Some("com.example.order.placed")),
            ("order.placed.v12", Some("order.placed")),
            ("order.placed", None),
            ("order.placed.v", None),
            ("order.placed.vx", None),
            ("order.v1.placed", None),
        ];
        for (ty, expected) in cases {
            assert_eq!(stem(ty), expected, "{ty}");
        }
    }
}
