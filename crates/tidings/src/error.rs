//! The sum of what can go wrong before and around the work: what `main` returns.

use std::fmt;

use crate::admin::AdminError;
use crate::config::ConfigError;
use crate::consumer::ConsumerError;
use crate::publisher::{ConnectError, PublishError};
use crate::service::ServiceError;

/// The result of starting, running and publishing.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, as a sentence. Its `Debug` is the same sentence with its causes, since that
/// is what a `main` that returns it prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The broker cannot be reached, or not like this.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// An event was not acknowledged.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A topic could not be listed or created.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The service's database does not do what a store needs.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    #[error(transparent)]
    Store(#[from] crate::StoreError),
    /// A service cannot start, or had to stop.
    #[error(transparent)]
    Service(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Can the same call succeed later, with nothing changed?
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Config(_) | Error::Service(_) => false,
            Error::Connect(e) => e.is_retryable(),
            Error::Publish(e) => e.is_retryable(),
            Error::Admin(e) => e.is_retryable(),
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            Error::Store(e) => e.is_retryable(),
        }
    }
}

impl Error {
    /// Is it that this client may not do it: the broker refuses its user, its certificate or what
    /// it asks for? Somebody has to change something before another start helps.
    pub fn is_not_allowed(&self) -> bool {
        let connect = |error: &ConnectError| match error {
            ConnectError::Refused { trouble } => trouble.is_refusal(),
            _ => false,
        };
        let admin = |error: &AdminError| match error {
            AdminError::NotAllowed(_) => true,
            AdminError::Connect(error) => connect(error),
            _ => false,
        };
        match self {
            Error::Config(_) => false,
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            Error::Store(_) => false,
            Error::Connect(error) => connect(error),
            Error::Publish(PublishError::NotAllowed { .. }) => true,
            Error::Publish(PublishError::CreateTopic(error)) => admin(error),
            Error::Publish(_) => false,
            Error::Admin(error) => admin(error),
            Error::Service(error) => matches!(
                error.downcast_ref(),
                Some(ServiceError::Consumer(ConsumerError::NotAllowed { .. }))
            ),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            write!(f, "\n  because: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}
