//! Panics of handlers: caught, with message and place. Only a panic hook learns the place, so one
//! is chained before whatever hook there is; it writes down what concerns a handler and passes
//! everything on.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;
use std::task::Poll;

use crate::fail::Fail;

thread_local! {
    /// Whether this thread is polling a handler right now.
    static POLLING: Cell<bool> = const { Cell::new(false) };
    /// Where the last panic of a handler on this thread was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Chains the hook, once per process.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if POLLING.get() {
                PLACE.set(Some(place_of(info)));
            }
            before(info);
        }));
    });
}

/// Polls a handler; a panic in it becomes a reject. The future must not be polled again then.
pub(crate) fn catching<T>(poll: impl FnOnce() -> Poll<Result<T, Fail>>) -> Poll<Result<T, Fail>> {
    let outer = POLLING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(poll));
    POLLING.set(outer);
    result.unwrap_or_else(|payload| {
        let place = PLACE.take().unwrap_or_else(|| "an unknown place".to_owned());
        Poll::Ready(Err(Fail::panicked(message_of(&*payload), place)))
    })
}

fn place_of(info: &PanicHookInfo<'_>) -> String {
    info.location().map_or_else(
        || "an unknown place".to_owned(),
        |at| format!("{}:{}:{}", at.file(), at.line(), at.column()),
    )
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a value that is no text".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fail::FailKind;

    #[test]
    fn a_panic_is_a_reject_with_message_and_place() {
        install_hook();
        let line = line!() + 1;
        let poll = catching(|| -> Poll<Result<(), Fail>> { panic!("seven is {}", 7) });
        let Poll::Ready(Err(fail)) = poll else { panic!("it must fail") };
        assert_eq!(fail.kind(), FailKind::Reject);
        assert_eq!(fail.message(), "the handler panicked: seven is 7");
        assert!(fail.place().contains(&format!("panic.rs:{line}:")), "{}", fail.place());
        assert!(!POLLING.get());
    }
}
