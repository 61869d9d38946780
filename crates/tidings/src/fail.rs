//! `Fail`: how a handler says that it could not do its work, and what should happen then. The
//! three kinds are all that the delivery rules need; where and why is kept for people to read.

use std::any::type_name;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::panic::Location;

/// Any error that can cross threads: what a [`Fail`] carries inside.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// What should happen with an event whose handler failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailKind {
    /// Try again: some attempts at once, then with growing delays; then a dead letter.
    Retry,
    /// It can never succeed: a dead letter at once, with the reason.
    Reject,
    /// What the handler depends on is away: all its events wait, and are tried one at a time until
    /// one goes well. No attempt is counted.
    Down,
}

impl FailKind {
    /// The word for metrics and logs: `retry`, `reject` or `down`.
    pub fn as_str(self) -> &'static str {
        match self {
            FailKind::Retry => "retry",
            FailKind::Reject => "reject",
            FailKind::Down => "down",
        }
    }
}

/// Why a handler could not do its work, of which kind that is, and where in the code it was said.
///
/// Any [`std::error::Error`] becomes a *retry* by `?`. Other errors (`anyhow`'s, strings, boxed
/// ones) do so by [`.or_retry()?`](OrFail::or_retry). `Fail` itself is no `Error`: only so can
/// `?` take every error there is.
///
/// ```
/// use tidings::Fail;
///
/// fn cents(text: &str) -> Result<i64, Fail> {
///     let cents: i64 = text.parse()?; // a retry, with this line as its place
///     if cents < 0 {
///         return Err(Fail::reject("a price below zero"));
///     }
///     Ok(cents)
/// }
/// assert!(cents("-1").unwrap_err().to_string().contains("below zero"));
/// ```
pub struct Fail {
    kind: FailKind,
    error: BoxError,
    class: &'static str,
    place: Place,
}

/// Where a failure was stated: a line known at compile time, or the place of a panic.
#[derive(Clone)]
enum Place {
    Line(&'static Location<'static>),
    Panic(String),
}

impl Fail {
    /// Try again; after the last attempt the event becomes a dead letter.
    #[track_caller]
    pub fn retry(error: impl Into<BoxError>) -> Fail {
        Fail::new(FailKind::Retry, error, Location::caller())
    }

    /// Never try again: the event becomes a dead letter with this reason.
    #[track_caller]
    pub fn reject(error: impl Into<BoxError>) -> Fail {
        Fail::new(FailKind::Reject, error, Location::caller())
    }

    /// What the handler depends on is away: all its events wait, and are tried one at a time until
    /// one goes well. No attempt is counted. Where only some keys cannot be handled, say
    /// [`retry`](Fail::retry).
    #[track_caller]
    pub fn down(error: impl Into<BoxError>) -> Fail {
        Fail::new(FailKind::Down, error, Location::caller())
    }

    fn new<E: Into<BoxError>>(kind: FailKind, error: E, at: &'static Location<'static>) -> Fail {
        Fail { kind, error: error.into(), class: type_name::<E>(), place: Place::Line(at) }
    }

    /// A panic that was caught: a reject with the panic's message and place.
    pub(crate) fn panicked(message: String, place: String) -> Fail {
        let error = format!("the handler panicked: {message}").into();
        Fail { kind: FailKind::Reject, error, class: "panic", place: Place::Panic(place) }
    }

    /// A failure that the library itself states, with a class of its own for the dead letter.
    #[track_caller]
    pub(crate) fn of_class(kind: FailKind, class: &'static str, message: String) -> Fail {
        Fail { kind, error: message.into(), class, place: Place::Line(Location::caller()) }
    }

    /// What should happen with the event.
    pub fn kind(&self) -> FailKind {
        self.kind
    }

    /// The type of the error that was given, as the compiler writes it, or `panic`.
    pub fn class(&self) -> &'static str {
        self.class
    }

    /// Where it was said: `file:line:column` of the `?`, of the call, or of the panic.
    pub fn place(&self) -> String {
        match &self.place {
            Place::Line(at) => format!("{}:{}:{}", at.file(), at.line(), at.column()),
            Place::Panic(place) => place.clone(),
        }
    }

    /// The error that was given.
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.error
    }

    /// The message with those of its sources, from the outermost to the innermost.
    pub fn message(&self) -> String {
        let mut text = self.error.to_string();
        let mut source = self.error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Many errors print their source already; twice would only be longer.
            if !text.contains(&cause_text) {
                let _ = write!(text, ": {cause_text}");
            }
            source = cause.source();
        }
        text
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, at {})", self.message(), self.kind.as_str(), self.place())
    }
}

impl fmt::Debug for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fail({self})")
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Fail {
    #[track_caller]
    fn from(error: E) -> Fail {
        Fail::new(FailKind::Retry, error, Location::caller())
    }
}

/// Turns any `Result` into one that a handler can return, keeping the caller's line.
///
/// `.map_err(Fail::retry)` would work too, but it loses the line.
pub trait OrFail<T> {
    /// An error means: try again.
    #[track_caller]
    fn or_retry(self) -> Result<T, Fail>;

    /// An error means: it can never succeed.
    #[track_caller]
    fn or_reject(self) -> Result<T, Fail>;

    /// An error means: what the handler depends on is away.
    #[track_caller]
    fn or_down(self) -> Result<T, Fail>;
}

impl<T, E: Into<BoxError>> OrFail<T> for Result<T, E> {
    #[track_caller]
    fn or_retry(self) -> Result<T, Fail> {
        let at = Location::caller();
        self.map_err(|error| Fail::new(FailKind::Retry, error, at))
    }

    #[track_caller]
    fn or_reject(self) -> Result<T, Fail> {
        let at = Location::caller();
        self.map_err(|error| Fail::new(FailKind::Reject, error, at))
    }

    #[track_caller]
    fn or_down(self) -> Result<T, Fail> {
        let at = Location::caller();
        self.map_err(|error| Fail::new(FailKind::Down, error, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_question_mark() -> Result<(), Fail> {
        Ok("x".parse::<i32>().map(drop)?)
    }

    #[test]
    fn the_question_mark_keeps_its_line_and_means_retry() {
        let fail = by_question_mark().unwrap_err();
        assert_eq!(fail.kind(), FailKind::Retry);
        assert!(fail.place().starts_with(file!()), "{}", fail.place());
        assert!(fail.class().contains("ParseIntError"), "{}", fail.class());
    }

    #[test]
    fn every_way_names_the_line_that_said_it() {
        let boxed = || Err::<(), BoxError>("no".into());
        let line = line!() + 1;
        let fails = [boxed().or_retry(), boxed().or_reject(), boxed().or_down()];
        for (fail, kind) in
            fails.into_iter().zip([FailKind::Retry, FailKind::Reject, FailKind::Down])
        {
            let fail = fail.unwrap_err();
            assert_eq!(fail.kind(), kind);
            assert!(fail.place().contains(&format!("fail.rs:{line}:")), "{}", fail.place());
        }
        assert!(Fail::down("x").place().contains(&format!("fail.rs:{}:", line!())));
    }

    #[test]
    fn sources_are_told_once_each() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot charge")]
        struct Outer(#[source] std::num::ParseIntError);
        let inner = "x".parse::<i32>().unwrap_err();
        let fail = Fail::reject(Outer(inner));
        assert_eq!(fail.message(), "cannot charge: invalid digit found in string");
    }
}
