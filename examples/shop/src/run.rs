//! Runs one service: opens its database, connects it to the broker, and, for orders, lets the
//! customers in.

use tidings::admin::Admin;
use tidings::config::{Origin, Settings};
use tidings::{Publisher, Service};

use crate::book::Book;
use crate::limits::HANDLERS_AT_ONCE;
use crate::{Env, Error, TOPICS, inventory, notifications, orders, payments, shipping};

/// Runs a service of the shop until SIGTERM or Ctrl-C: what a process of the demo does.
///
/// # Errors
/// When there is no such service, or it cannot start, or has to stop.
pub async fn run_service(name: &str, env: &Env) -> Result<(), Error> {
    let (service, book) = open(name, env).await?;
    beside(name, env, &book, service.run()).await
}

/// As [`run_service`], until `stop` is done. Dropping the future instead is like a kill: what was
/// under way happens again at the next start.
///
/// # Errors
/// As [`run_service`].
pub async fn run_service_until(
    name: &str,
    env: &Env,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let (service, book) = open(name, env).await?;
    beside(name, env, &book, service.run_until(stop)).await
}

async fn open(name: &str, env: &Env) -> Result<(Service, Book), Error> {
    let (schema, service): (_, fn(Book) -> Service) = match name {
        orders::NAME => (orders::SCHEMA, orders::service),
        payments::NAME => (payments::SCHEMA, payments::service),
        inventory::NAME => (inventory::SCHEMA, inventory::service),
        shipping::NAME => (shipping::SCHEMA, shipping::service),
        notifications::NAME => (notifications::SCHEMA, notifications::service),
        _ => return Err(Error::UnknownService { name: name.to_owned() }),
    };
    let book = Book::open(&env.database(name), schema).await?;
    let settings = settings(env)?;
    create_topics(&settings).await?;
    let service = service(book.clone()).settings(settings).concurrency(HANDLERS_AT_ONCE);
    Ok((service, book))
}

/// Serves to the end; orders are placed meanwhile, if this is the service that does so.
async fn beside(
    name: &str,
    env: &Env,
    book: &Book,
    serving: impl Future<Output = tidings::Result<()>>,
) -> Result<(), Error> {
    tokio::pin!(serving);
    if name == orders::NAME {
        let publisher = Publisher::with(&settings(env)?).await?.source(format!("/{name}"));
        tokio::select! {
            served = &mut serving => return Ok(served?),
            placed = orders::place(env, book, &publisher) => placed?,
        }
    }
    Ok(serving.await?)
}

async fn create_topics(settings: &Settings) -> tidings::Result<()> {
    Admin::new(settings)?.ensure(TOPICS.iter().copied()).await?;
    Ok(())
}

/// What `tidings.toml` and the environment say, with the demo's broker.
fn settings(env: &Env) -> tidings::Result<Settings> {
    let mut settings = Settings::from_env()?;
    settings.set("bootstrap", &env.bootstrap, Origin::Flag("--bootstrap".to_owned()))?;
    Ok(settings)
}
