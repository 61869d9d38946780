//! The demo of Tidings: a music shop of five services that share nothing but topics. Each is a
//! process of its own with a database of its own, and reacts to what others have published; none
//! calls another. `README.md` has the picture of who reacts to what.

mod bank;
mod book;
#[cfg(test)]
mod contracts;
mod env;
mod inventory;
mod limits;
mod notifications;
mod orders;
mod payments;
mod purchases;
mod run;
mod schemas;
mod shipping;
mod store;
mod summary;
#[cfg(test)]
mod testing;

pub use self::bank::Bank;
pub use self::book::BookError;
pub use self::env::{Env, Rate};
pub use self::purchases::BadPurchase;
pub use self::run::{run_service, run_service_until};
pub use self::schemas::{drop_schemas, schemas};
pub use self::store::StoreKind;
pub use self::summary::{Counts, Money, Orders, Progress, Summary, progress, summary};

/// The services by name, in the order in which an order meets them.
pub const SERVICES: &[&str] =
    &[orders::NAME, payments::NAME, inventory::NAME, shipping::NAME, notifications::NAME];

/// The topics that the services share, each written by one of them.
pub const TOPICS: &[&str] = &["orders", "payments", "stock", "parcels", "notices"];

/// The topics of the events that `service` gave up, which exist once there is one.
pub fn dead_letter_topics(service: &str) -> Vec<String> {
    TOPICS.iter().map(|topic| tidings::dead_letter::topic(topic, service)).collect()
}

/// Why a service cannot start or has stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such service.
    #[error("the shop has no service `{name}`; it has {}", SERVICES.join(", "))]
    UnknownService {
        /// What was asked for.
        name: String,
    },
    /// A setting that a service needs is absent.
    #[error("{name} is not set")]
    Missing {
        /// The environment variable.
        name: &'static str,
    },
    /// A setting does not say what it should.
    #[error("{name} is `{value}`: {reason}")]
    Setting {
        /// The environment variable.
        name: &'static str,
        /// What it says.
        value: String,
        /// What it should say.
        reason: String,
    },
    /// The built-in purchases are damaged.
    #[error("line {line} of the purchases: {reason}")]
    Purchase {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        reason: BadPurchase,
    },
    /// A number in the database that the shop cannot have written.
    #[error("{number} in the service's database is out of range")]
    Number {
        /// The number.
        number: i64,
    },
    /// The service's own database failed.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The library could not run the service.
    #[error(transparent)]
    Tidings(#[from] tidings::Error),
}

impl Error {
    fn setting(name: &'static str, value: &str, reason: impl Into<String>) -> Error {
        Error::Setting { name, value: value.to_owned(), reason: reason.into() }
    }
}
