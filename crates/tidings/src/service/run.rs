//! A service's life: check, connect, topics, consumers; then until it is told to stop.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Semaphore;

use super::health::Phase;
use super::{CheckError, Service};
use crate::admin::Admin;
use crate::config::{Origin, Settings};
use crate::consumer::{self, ConsumerError, Handle, Setup};
use crate::handler::{Registered, Scope, States, panic};
use crate::http::{self, HttpError, Pages, Server};
use crate::lanes::outage::Outages;
use crate::lanes::outlet::{KafkaOutlet, Outlet};
use crate::lanes::route::Router;
use crate::lanes::{Clock, Group};
use crate::link::Link;
use crate::metrics::{Meters, Registry};
use crate::publisher::Publisher;
use crate::stored::{Acting, Beside, Companion};

/// Why a service cannot start, or had to stop by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// Its own parts do not fit together.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// A consumer cannot start, or cannot go on.
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
    /// Health and metrics cannot be served.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl From<ServiceError> for crate::Error {
    fn from(error: ServiceError) -> crate::Error {
        crate::Error::Service(Box::new(error))
    }
}

pub(super) async fn run(service: Service, stop: impl Future<Output = ()>) -> crate::Result<()> {
    service.check().map_err(ServiceError::from)?;
    panic::install_hook();
    let mut stop = pin!(stop);
    let name = service.name.clone();
    let stats = service.stats();
    let starting = start(service);
    let (mut running, _server) = tokio::select! {
        started = starting => started?,
        // Nothing was taken yet, so there is nothing to finish.
        () = &mut stop => return Ok(()),
    };
    stats.health().enter(Phase::Running);
    tracing::info!(service = name, "running");

    let ended = {
        let mut ends: FuturesUnordered<_> =
            running.consumers.iter_mut().map(Handle::ended).collect();
        tokio::select! {
            () = stop => None,
            end = ends.next() => end,
        }
    };
    stats.health().enter(Phase::Stopping);
    // One that ended by itself takes the others along: half a service is none.
    running.consumers.iter().for_each(Handle::stop);
    running.companions.iter_mut().for_each(Companion::tell);
    let mut result = ended.unwrap_or(Ok(()));
    for consumer in &mut running.consumers {
        let end = consumer.ended().await;
        result = result.and(end);
    }
    // The relay last: it publishes what the others leave.
    for companion in running.companions.drain(..).chain(running.relay.take()) {
        companion.stop().await;
    }
    running.publisher.close().await?;
    tracing::info!(service = name, "stopped");
    result.map_err(|error| ServiceError::from(error).into())
}

struct Running {
    consumers: Vec<Handle>,
    publisher: Publisher,
    companions: Vec<Companion>,
    relay: Option<Companion>,
}

async fn start(service: Service) -> crate::Result<(Running, Option<Server>)> {
    let settings = settings_of(&service)?;
    let registry = Registry::new(&service.name);
    registry
        .gauge("tidings_build_info", &[("version", env!("CARGO_PKG_VERSION").to_owned())])
        .set(1.0);
    let server = serve(&service, &settings, &registry).await?;
    let source = settings.source().map_or_else(|| service.source_uri(), str::to_owned);
    let link = Link::new(&settings);
    let publisher = Publisher::over(&settings, link.clone()).await?.source(source.as_str());
    let admin = Admin::over(&settings, link.clone())?;
    prepare_topics(&service, &settings, &admin).await?;

    let (relay, store) = match &service.stored {
        Some(stored) => {
            stored.open().await?;
            let store = stored.id().await?;
            let relay = stored.relay(Beside {
                service: service.name.clone(),
                settings: settings.clone(),
                link: link.clone(),
                registry: registry.clone(),
                stats: service.stats(),
            })?;
            (Some(relay), Some(store))
        }
        None => (None, None),
    };

    let member = settings.instance().map_or_else(process_name, str::to_owned);
    let slots = Arc::new(Semaphore::new(service.concurrency));
    let start = service.start;
    let mut parts = Parts::of(service, &source, &publisher);
    let (mut consumers, mut companions, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for (name, handlers) in std::mem::take(&mut parts.groups) {
        let partitions = settings.topic_partitions();
        let outlet = KafkaOutlet::new(publisher.clone(), admin.clone(), partitions, member.clone());
        let topics = topics_of(&handlers);
        let meters = Meters::new(registry.clone(), parts.stats.clone(), &name, &handlers);
        let group = Arc::new(Group {
            outages: Outages::new(&name, &handlers, &meters),
            meters,
            scope: Arc::clone(&parts.scope),
            router: Router::new(handlers),
            retries: parts.retries,
            outlet: Outlet::Kafka(Box::new(outlet)),
            slots: Arc::clone(&slots),
            clock: Clock::Real,
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            parked: Default::default(),
            name: name.clone(),
        });
        let stored = parts.scope.stored.as_ref();
        companions.extend(stored.map(|stored| stored.drain(&group, settings.instance())));
        groups.push(Arc::clone(&group));
        let mut config = settings.consumer(&name);
        config.set("statistics.interval.ms", "1000");
        Link::tell_all(&mut config);
        let runtime = tokio::runtime::Handle::current();
        let setup = Setup { config, topics, group, start, runtime, store, link: link.clone() };
        consumers.push(consumer::spawn(setup).map_err(ServiceError::from)?);
    }
    if let Some(stored) = &parts.scope.stored {
        companions.push(stored.act(Acting { groups, settings, link, admin }));
    }
    Ok((Running { consumers, publisher, companions, relay }, server))
}

/// Health and metrics, if the settings name an address.
async fn serve(
    service: &Service,
    settings: &Settings,
    registry: &Registry,
) -> crate::Result<Option<Server>> {
    let Some(address) = settings.http() else { return Ok(None) };
    let (stats, service) = (service.stats(), service.name.clone());
    let pages = Pages { registry: registry.clone(), stats, service };
    Ok(Some(http::serve(address, pages).await.map_err(ServiceError::from)?))
}

/// The settings of the process, unless the program gave its own, with what the builder says.
fn settings_of(service: &Service) -> crate::Result<Settings> {
    let mut settings = match &service.settings {
        Some(settings) => settings.clone(),
        None => Settings::from_env()?,
    };
    if let Some(instance) = &service.instance {
        settings.set("instance", instance, Origin::Code)?;
    }
    if let Some(source) = &service.source {
        settings.set("source", source.as_str(), Origin::Code)?;
    }
    if service.create_topics {
        settings.set("create_topics", "true", Origin::Code)?;
    }
    for warning in settings.warnings() {
        tracing::warn!(service = service.name, "{warning}");
    }
    Ok(settings)
}

/// Creates the topics that are missing, or names them.
async fn prepare_topics(
    service: &Service,
    settings: &Settings,
    admin: &Admin,
) -> crate::Result<()> {
    let topics = service.handlers.iter().map(|handler| handler.topic);
    if settings.create_topics() {
        let created = admin.ensure(topics).await?;
        if !created.is_empty() {
            tracing::info!(service = service.name, topics = ?created, "created topics");
        }
    } else {
        admin.require(topics).await?;
    }
    Ok(())
}

/// What the groups of a service share, and the handlers of each.
struct Parts {
    groups: BTreeMap<String, Vec<Arc<Registered>>>,
    scope: Arc<Scope>,
    retries: crate::lanes::retry::Retries,
    stats: super::Stats,
}

impl Parts {
    fn of(mut service: Service, source: &str, publisher: &Publisher) -> Parts {
        let mut groups: BTreeMap<String, Vec<Arc<Registered>>> = BTreeMap::new();
        for handler in std::mem::take(&mut service.handlers) {
            let group = service.group_of(&handler);
            groups.entry(group).or_default().push(Arc::new(handler));
        }
        let states: States = std::mem::take(&mut service.states);
        let scope = Scope {
            service: service.name.as_str().into(),
            source: source.into(),
            states,
            publisher: publisher.clone(),
            stored: service.stored.take(),
        };
        Parts {
            groups,
            scope: Arc::new(scope),
            retries: service.retries,
            stats: service.stats.clone(),
        }
    }
}

fn topics_of(handlers: &[Arc<Registered>]) -> Vec<String> {
    let mut topics: Vec<String> = handlers.iter().map(|h| h.topic.to_owned()).collect();
    topics.sort();
    topics.dedup();
    topics
}

/// The name of an instance that has none: its process.
fn process_name() -> String {
    format!("pid-{}", std::process::id())
}
