//! The ledger's process dies before and after each statement of the store, and before and after
//! each commit, one after the other: each boundary between two steps of handling, parking,
//! draining, publishing and keeping positions. What it left is there once in the end, and in order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings::outbox::status;

use super::processes::start_ledger_with;
use super::rig::{by_hand, make_ledger, rows};
use crate::broker::Broker;
use crate::ground::Ground;
use crate::outbox::rig::{PATIENCE, changed, first_copies, on_topic};
use crate::process::Process;

const KEYS: i64 = 2;
/// Of each key in one life. One of ten stumbles: it is parked with those behind it, and drained.
const EACH: i64 = 10;
/// Of keys of its own, so that in each life something is handled as it comes, and something parked.
const SMOOTH: Range<i64> = 0..3;
const STUMBLING: Range<i64> = 2..5;
/// Whether a lease is renewed, or an event runs alone, depends on how busy the machine is: what so
/// many lives have not come by again is left.
const BY_CHANCE: u32 = 4;
/// Some that every life can come by: else the list would not be what it is meant to be.
const WANTED: [&str; 8] = [
    "after inbox_look",
    "after inbox_insert",
    "after commit parked_key_refresh",
    "before parked_take",
    "after commit inbox_settle",
    "after outbox_insert",
    "before backlog_delete",
    "after commit position_put",
];
/// Where each life writes what it comes by, so that the next ones know where they can die.
const COMES_BY: &str = "TIDINGS_STORE_COMES_BY";
const DIES: &str = "TIDINGS_STORE_DIES";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask stores"]
async fn at_each_boundary_sqlite_beside_postgres() {
    dies_everywhere(&Ground::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask stores"]
async fn at_each_boundary_postgres() {
    dies_everywhere(&Ground::postgres().await).await;
}

async fn dies_everywhere(ground: &Ground) {
    let broker = Broker::start().await;
    let admin = broker.admin().unwrap();
    for topic in ["changes", "booked", "noted"] {
        admin.create(topic, KEYS as i32, &[]).await.unwrap();
    }
    make_ledger(&ground.store).await;
    ground.store.migrate().await.unwrap();
    let dir = TempDir::new().unwrap();
    let mut lives = Lives { broker: &broker, ground, comes_by: dir.path(), lives: 0 };
    lives.whole().await;
    let (mut died_at, mut missed) = (BTreeSet::new(), BTreeMap::<String, u32>::new());
    // What a process comes by when it has died somewhere else may be new.
    while let Some(point) = lives.points().into_iter().find(|point| {
        !died_at.contains(point) && missed.get(point).is_none_or(|times| *times < BY_CHANCE)
    }) {
        let times = missed.entry(point.clone()).or_default();
        match lives.one_that_dies(&point, *times).await {
            true => drop(died_at.insert(point)),
            false => *times += 1,
        }
        // What those who die early leave would be enough for an outage in the end.
        if lives.lives % 6 == 0 {
            lives.whole().await;
        }
    }
    lives.whole().await;
    println!("died at {} points", died_at.len());
    for wanted in WANTED {
        assert!(died_at.iter().any(|point| point.starts_with(wanted)), "{wanted}: {died_at:?}");
    }
    assert!(died_at.len() > 70, "{died_at:?}");
    broker.stop().await;
}

struct Lives<'a> {
    broker: &'a Broker,
    ground: &'a Ground,
    /// A file for each life.
    comes_by: &'a Path,
    lives: i64,
}

impl Lives<'_> {
    /// Where anybody came by.
    fn points(&self) -> BTreeSet<String> {
        (1..=self.lives).flat_map(|life| self.of_life(life)).collect()
    }

    fn of_life(&self, life: i64) -> BTreeSet<String> {
        let points = std::fs::read_to_string(self.comes_by.join(life.to_string()));
        points.unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// A process with new work. What the one before it held is free, as if its leases had ended.
    async fn begin(&mut self, dies: Option<&str>) -> Process {
        let store = &self.ground.store;
        by_hand(store, "UPDATE tidings_outbox_slot SET until_ms = 0").await;
        by_hand(store, "UPDATE tidings_outbox_relay SET until_ms = 0").await;
        let publisher = self.broker.publisher().await;
        let mut acks = Vec::new();
        for n in 0..KEYS * EACH {
            let version = self.lives * EACH + n / KEYS;
            acks.push(publisher.enqueue(changed(n % KEYS, version)).await.unwrap());
        }
        for (name, versions) in [("smooth", SMOOTH), ("stumbling", STUMBLING)] {
            for version in versions {
                let key = format!("{name}-{}", self.lives);
                acks.push(publisher.enqueue(changed(key, version)).await.unwrap());
            }
        }
        for ack in acks {
            ack.await.unwrap();
        }
        self.lives += 1;
        let mut told =
            vec![(COMES_BY, self.comes_by.join(self.lives.to_string()).display().to_string())];
        told.extend(dies.map(|point| (DIES, point.to_owned())));
        start_ledger_with(self.broker, self.ground, &told)
    }

    /// Whether it did, before everything was done; what was missed before is waited for longer, as
    /// there are things that are done every few seconds.
    async fn one_that_dies(&mut self, point: &str, missed: u32) -> bool {
        let mut process = self.begin(Some(point)).await;
        let enough = Instant::now() + Duration::from_secs(u64::from(missed.min(10)));
        let deadline = Instant::now() + PATIENCE * 2;
        while !process.has_ended() {
            if Instant::now() > enough && self.is_all_done().await {
                return false;
            }
            assert!(Instant::now() < deadline, "neither dead nor done, at `{point}`");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        true
    }

    /// One that does all that is left, and lives.
    async fn whole(&mut self) {
        let _process = self.begin(None).await;
        let deadline = Instant::now() + PATIENCE * 2;
        while !self.is_all_done().await {
            assert!(Instant::now() < deadline, "{} rows", rows(&self.ground.store).await.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let expected = self.expected();
        let all = expected.iter().flat_map(|(key, versions)| {
            versions.iter().map(move |version| (key.clone(), *version))
        });
        assert!(rows(&self.ground.store).await.into_iter().eq(all), "each row once");
        let mut booked = on_topic(self.broker.settings(), "booked").await;
        for versions in booked.values_mut() {
            *versions = first_copies(versions);
        }
        assert_eq!(booked, expected);
    }

    async fn is_all_done(&self) -> bool {
        let wanted: usize = self.expected().values().map(Vec::len).sum();
        let store = &self.ground.store;
        rows(store).await.len() >= wanted && status(store).await.unwrap().pending == 0
    }

    /// The versions of each key.
    fn expected(&self) -> BTreeMap<String, Vec<i64>> {
        let long = (0..KEYS).map(|key| (key.to_string(), (0..self.lives * EACH).collect()));
        let own = |name: &'static str, versions: Range<i64>| {
            (0..self.lives).map(move |life| (format!("{name}-{life}"), versions.clone().collect()))
        };
        long.chain(own("smooth", SMOOTH)).chain(own("stumbling", STUMBLING)).collect()
    }
}
