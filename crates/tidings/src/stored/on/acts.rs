//! Acts of people carried out: every instance reads them, and the one whose transaction has the
//! act's row in the inbox first has done it, with its effect and its answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tidings_store::inbox::{self, Entry, Outcome as Mark};
use tidings_store::parking::drain;
use tidings_store::parking::{Lane, Place};
use tidings_store::{Session, StoreError};
use tokio::sync::mpsc;

use super::case::{consumer_of, lane_of, storable};
use super::parking::Copy;
use super::{Companion, StopAsked, Stored, refused};
use crate::acts::{
    Act, EXPIRES_AFTER, Finished, Outcome, RETENTION_MS, Requested, TOPIC, is_expired,
};
use crate::admin::AdminError;
use crate::cloudevents::{CloudEvent, Record};
use crate::dead_letter::LetterState;
use crate::events::{Causation, Stamp};
use crate::fail::Fail;
use crate::lanes::Group;
use crate::lanes::attempt::random;
use crate::lanes::retry::away_delay;
use crate::link::Link;
use crate::outbox::Rows;
use crate::service::limits::{ACTS_AGAIN, ACTS_POLL, BROKER_CALL};
use crate::stored::Acting;
use crate::time::Timestamp;
use crate::{Offset as At, PartitionId, RecordAddress};

impl Stored {
    /// Carries out what people ask of this service.
    pub(crate) fn act(&self, acting: Acting) -> Companion {
        let stored = self.clone();
        Companion::start(|stop| Actor { stored, acting }.run(stop))
    }
}

struct Actor {
    stored: Stored,
    acting: Acting,
}

/// An act, and where its event lies.
struct Asked {
    event: CloudEvent,
    offset: i64,
    requested: Requested,
}

impl Actor {
    async fn run(self, mut stop: StopAsked) {
        tokio::select! {
            () = self.work() => {}
            () = stop.asked() => {}
        }
    }

    /// Reads on and on; ends only by being dropped.
    async fn work(&self) {
        let mut is_told = false;
        loop {
            let read = match self.make_topic().await {
                Ok(()) => self.read().await,
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = read
                && !std::mem::replace(&mut is_told, true)
            {
                tracing::warn!(
                    %error,
                    "`tidings dlq redrive` cannot reach this instance: it cannot read {TOPIC}"
                );
            }
            tokio::time::sleep(ACTS_AGAIN).await;
        }
    }

    /// Who may not make topics may still read one that is there.
    async fn make_topic(&self) -> Result<(), AdminError> {
        let admin = &self.acting.admin;
        if !admin.missing([TOPIC]).await?.is_empty() {
            admin.create(TOPIC, 1, &[("retention.ms", RETENTION_MS)]).await?;
        }
        Ok(())
    }

    /// Until reading fails. The thread ends when nobody listens to it any more.
    async fn read(&self) -> Result<(), String> {
        let (tell, mut told) = mpsc::channel(16);
        let mut config = self.acting.settings.consumer(TOPIC);
        config.remove("group.instance.id");
        Link::tell_all(&mut config);
        let link = self.acting.link.clone();
        let read = move || read(&config, link, &tell);
        let thread = std::thread::Builder::new().name("tidings-acts".to_owned()).spawn(read);
        thread.map_err(|error| error.to_string())?;
        while let Some(record) = told.recv().await {
            let record: Record = record?;
            let Ok(event) = CloudEvent::from_record(&record) else { continue };
            let Some(requested) = Requested::read(&event) else { continue };
            let ours = self.acting.groups.iter().find(|group| group.name == requested.group);
            if let Some(group) = ours {
                let asked = Asked { event, offset: record.offset.0, requested };
                self.carry_out(group, &asked).await;
            }
        }
        Ok(())
    }

    /// However long it takes; a store that is away is waited for.
    async fn carry_out(&self, group: &Arc<Group>, asked: &Asked) {
        let mut tries = 0;
        while let Err(fail) = self.try_to(group, asked).await {
            let id = asked.event.id.as_str();
            if !matches!(fail.kind(), crate::FailKind::Down) || tries > 20 {
                tracing::error!(id, error = %fail, "an act cannot be carried out");
                return;
            }
            tracing::warn!(id, error = %fail, "an act waits for the store");
            tokio::time::sleep(away_delay(tries, random())).await;
            tries += 1;
        }
    }

    async fn try_to(&self, group: &Arc<Group>, asked: &Asked) -> Result<(), Fail> {
        let Asked { event, requested, .. } = asked;
        let mut session = self.stored.store.begin().await.map_err(super::failed)?;
        let mut letter = None;
        let (outcome, detail) = if is_expired(event, Timestamp::now()) {
            (Outcome::Expired, "it came too late: ask again".to_owned())
        } else {
            let done = self.effect(group, requested, &mut session, &mut letter).await;
            done.map_err(super::failed)?
        };
        let finished = Finished {
            request: event.id.as_str().to_owned(),
            outcome,
            detail,
            service: group.scope.service.to_string(),
            instance: group.outlet.member().to_owned(),
        };
        let causation = Causation::of(event, "acts");
        let (source, now) = (&*group.scope.source, Timestamp::now());
        let stamp = Stamp { source, now, causation: Some(&causation), trace: None };
        let answer = finished.draft().stamp(&stamp).map_err(Fail::reject)?;
        let copy = letter.as_ref().map(|copy: &Copy| &copy.record);
        let rows = Rows::of(vec![answer]).map_err(refused)?;
        let written = self.stored.outbox.write(&mut session, &rows, copy).await;
        written.map_err(super::failed)?;
        let consumer = format!("{}/@acts", group.scope.service);
        let (from, id) = (storable(&event.source), storable(event.id.as_str()));
        let entry = Entry {
            consumer: &consumer,
            source: &from,
            id: &id,
            topic: TOPIC,
            partition: 0,
            offset: asked.offset,
            time_ms: event.recorded_at().map(Timestamp::as_millis),
        };
        let is_first = inbox::insert(&mut session, &entry, Mark::Done).await;
        if !is_first.map_err(super::failed)? {
            return Ok(());
        }
        session.commit().await.map_err(super::failed)?;
        let (id, who) = (event.id.as_str(), &requested.who);
        tracing::info!(id, who, ?outcome, detail = finished.detail, "carried out an act");
        self.stored.outbox.ring();
        group.parked.notify_one();
        Ok(())
    }

    async fn effect(
        &self,
        group: &Group,
        requested: &Requested,
        session: &mut Session,
        letter: &mut Option<Copy>,
    ) -> Result<(Outcome, String), StoreError> {
        let address = RecordAddress {
            topic: requested.topic.clone(),
            partition: PartitionId(requested.partition),
            offset: At(requested.offset),
        };
        let place = Place { partition: requested.partition, offset: requested.offset };
        let refused = |why: &str| Ok((Outcome::Refused, format!("{address} {why}")));
        let Some(lane) = lane_in(group, requested, &address, session).await? else {
            return refused("is not parked with this handler: it is done, or was never parked");
        };
        let is_its = |name: &String| group.router.handlers.iter().any(|its| its.name == name);
        match requested.act {
            Act::Redrive if requested.handler.as_ref().is_some_and(|name| !is_its(name)) => {
                refused("is parked for a handler that the service that runs does not have")
            }
            Act::Redrive if drain::redrive(session, &lane).await? => {
                Ok((Outcome::Done, format!("{address}: its key is tried again now")))
            }
            Act::Redrive => refused("does not wait for a person: it is tried again by itself"),
            Act::Discard => match drain::discard(session, &lane, place).await? {
                None => refused("is not the first of its key, or is tried again by itself"),
                Some(event) => {
                    let handler = requested.handler.as_deref();
                    let state = LetterState::Discarded;
                    *letter = Copy::over(group, handler, &lane, &event, state);
                    Ok((Outcome::Done, format!("{address} is discarded: its key goes on")))
                }
            },
        }
    }
}

/// The lane of a parked event, by its key or alone.
async fn lane_in(
    group: &Group,
    requested: &Requested,
    address: &RecordAddress,
    session: &mut Session,
) -> Result<Option<Lane>, StoreError> {
    let consumer = consumer_of(group, requested.handler.as_deref());
    let key = requested.key_bytes();
    let place = Place { partition: requested.partition, offset: requested.offset };
    for lane in [lane_of(key.as_deref(), address), lane_of(None, address)] {
        let (consumer, topic) = (consumer.clone(), requested.topic.clone());
        let lane = Lane { consumer, topic, lane };
        if drain::is_there(session, &lane, place).await? {
            return Ok(Some(lane));
        }
    }
    Ok(None)
}

/// The thread: what was asked lately, and then whatever comes.
fn read(config: &rdkafka::ClientConfig, link: Link, tell: &mpsc::Sender<Result<Record, String>>) {
    let result = follow(config, link, tell);
    if let Err(error) = result {
        // Nobody listens: the service ends.
        let _ = tell.blocking_send(Err(error.to_string()));
    }
}

fn follow(
    config: &rdkafka::ClientConfig,
    link: Link,
    tell: &mpsc::Sender<Result<Record, String>>,
) -> Result<(), KafkaError> {
    let consumer: BaseConsumer<Link> = config.create_with_context(link)?;
    // Before the question: what comes in between is behind it.
    let (_, end) = consumer.fetch_watermarks(TOPIC, 0, BROKER_CALL)?;
    let mut since = TopicPartitionList::new();
    let from_ms = Timestamp::now().as_millis() - EXPIRES_AFTER.as_millis() as i64;
    since.add_partition_offset(TOPIC, 0, Offset::Offset(from_ms))?;
    let found = consumer.offsets_for_times(since, BROKER_CALL)?;
    let first = found.elements().first().map(|entry| entry.offset());
    let first = first.filter(|offset| matches!(offset, Offset::Offset(_)));
    let first = first.unwrap_or(Offset::Offset(end));
    let mut begin = TopicPartitionList::new();
    begin.add_partition_offset(TOPIC, 0, first)?;
    consumer.assign(&begin)?;
    while !tell.is_closed() {
        match consumer.poll(ACTS_POLL) {
            None => {}
            // Nobody listens any more: the next look finds that out.
            Some(Ok(message)) => drop(tell.blocking_send(Ok(record_of(&message)))),
            Some(Err(
                error @ KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset),
            )) => {
                return Err(error);
            }
            // A broker that is away comes back; the link tells of it.
            Some(Err(error)) => tracing::debug!(%error, "reading acts goes on"),
        }
    }
    Ok(())
}

fn record_of(message: &BorrowedMessage<'_>) -> Record {
    let owned = |bytes: &[u8]| bytes::Bytes::copy_from_slice(bytes);
    // The client panics on a header whose name is no UTF-8; such a record is no act.
    let headers = catch_unwind(AssertUnwindSafe(|| {
        let headers = message.headers()?;
        let all = headers.iter().map(|header| (header.key.to_owned(), header.value.map(owned)));
        Some(all.collect())
    }));
    Record {
        topic: message.topic().to_owned(),
        partition: PartitionId(message.partition()),
        offset: At(message.offset()),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key().map(owned),
        value: message.payload().map(owned),
        headers: headers.ok().flatten().unwrap_or_default(),
    }
}
