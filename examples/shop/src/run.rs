//! Runs one service: opens its database, connects it to the broker, and, for orders, lets the
//! customers in.

use tidings::admin::Admin;
use tidings::config::{Origin, Settings};
use tidings::{Outbox, Publisher, Service};

use crate::bank::Bank;
use crate::book::Book;
use crate::limits::HANDLERS_AT_ONCE;
use crate::orders::Announcer;
use crate::{Env, Error, TOPICS, inventory, notifications, orders, payments, shipping};

/// Runs a service of the shop until SIGTERM or Ctrl-C: what a process of the demo does.
///
/// # Errors
/// When there is no such service, or it cannot start, or has to stop.
pub async fn run_service(name: &str, env: &Env) -> Result<(), Error> {
    let (service, book) = open(name, env).await?;
    let announcer = announcer(name, env, service.outbox()).await?;
    beside(env, &book, announcer, service.run()).await
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
    let announcer = announcer(name, env, service.outbox()).await?;
    beside(env, &book, announcer, service.run_until(stop)).await
}

async fn open(name: &str, env: &Env) -> Result<(Service, Book), Error> {
    let schema = match name {
        orders::NAME => orders::SCHEMA,
        payments::NAME => payments::SCHEMA,
        inventory::NAME => inventory::SCHEMA,
        shipping::NAME => shipping::SCHEMA,
        notifications::NAME => notifications::SCHEMA,
        _ => return Err(unknown(name)),
    };
    let book = Book::open(&env.database(name), schema, env.store.is_once()).await?;
    let service = match name {
        orders::NAME => orders::service(book.clone()),
        payments::NAME => payments::service(book.clone(), Bank::beside(&env.data_dir)),
        inventory::NAME => inventory::service(book.clone()),
        shipping::NAME => shipping::service(book.clone()),
        notifications::NAME => notifications::service(book.clone()),
        _ => return Err(unknown(name)),
    };
    let settings = settings(env)?;
    create_topics(&settings).await?;
    let service = service.settings(settings).concurrency(HANDLERS_AT_ONCE);
    Ok((book.keep(service), book))
}

fn unknown(name: &str) -> Error {
    Error::UnknownService { name: name.to_owned() }
}

/// Who announces orders, if this is the service that does so: the outbox of its store, if it has
/// one.
async fn announcer(
    name: &str,
    env: &Env,
    outbox: Option<Outbox>,
) -> Result<Option<Announcer>, Error> {
    Ok(match outbox {
        _ if name != orders::NAME => None,
        Some(outbox) => Some(Announcer::Outbox(outbox)),
        None => {
            let publisher = Publisher::with(&settings(env)?).await?;
            Some(Announcer::Publisher(publisher.source(format!("/{name}"))))
        }
    })
}

/// Serves to the end; orders are placed meanwhile, if there is somebody to announce them.
async fn beside(
    env: &Env,
    book: &Book,
    announcer: Option<Announcer>,
    serving: impl Future<Output = tidings::Result<()>>,
) -> Result<(), Error> {
    tokio::pin!(serving);
    if let Some(announcer) = announcer {
        tokio::select! {
            served = &mut serving => return Ok(served?),
            placed = orders::place(env, book, &announcer) => placed?,
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
