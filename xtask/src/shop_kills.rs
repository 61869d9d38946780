//! The shop under kill -9: its services are killed while orders are on their way, several at once
//! among them, and so is the broker, which comes back on its port with its data. At the end every
//! order must be final, the sums of five databases true, and the broker's files whole; with a store
//! no effect may be there twice.
//!
//! When and whom is drawn from a seed; how far each process had come at that moment is not, so a
//! seed repeats the blows and not their effects.

mod audit;
mod blows;
mod ground;
mod shop;

use std::time::{Duration, Instant};

use self::audit::Row;
use self::blows::{Blow, Blows};
use self::ground::Ground;
use self::shop::Shop;
use crate::postgres::Postgres;
use crate::{Outcome, tidings};

/// Every service that is down comes back within ten seconds, and one blow needs one of them.
const VICTIM_LIMIT: Duration = Duration::from_secs(30);
/// From the last blow to the end, beside the orders that are still to be placed.
const END_LIMIT: Duration = Duration::from_secs(180);

/// What was asked for.
#[derive(Debug, Clone)]
struct Plan {
    kafka: bool,
    store: Store,
    kills: usize,
    broker_kills: usize,
    rate: u64,
    seed: u64,
}

/// What the shop's services handle with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Store {
    Sqlite,
    Postgres,
    None,
}

/// `cargo xtask shop-kills`.
pub(crate) fn command(words: &[String]) -> Outcome {
    let (plan, release) = parse(words)?;
    let binary = tidings::build(release)?;
    let dir = tidings::fresh_dir(if plan.kafka { "shop-kills-kafka" } else { "shop-kills" })?;
    let postgres = match plan.store {
        Store::Postgres => Some(Postgres::start()?),
        Store::Sqlite | Store::None => None,
    };
    let mut ground = Ground::start(&binary, &dir, plan.kafka)?;
    let orders = plan.orders();
    let url = postgres.as_ref().map(Postgres::url);
    let store = url.as_deref().unwrap_or(plan.store.word());
    let bootstrap = ground.bootstrap();
    let mut shop = Shop::open(&binary, &dir, bootstrap, (plan.rate, orders), store)?;

    let began = Instant::now();
    let struck = strike(&plan, &mut ground, &mut shop);
    let ended = struck.and_then(|struck| {
        let limit = END_LIMIT + Duration::from_secs(orders / plan.rate);
        Ok((struck, shop.end(limit)?))
    });
    let (struck, end) = ended.map_err(|error| format!("{error} ({})", plan.again()))?;
    let mut rows = audit::rows(&binary, ground.bootstrap(), &plan, &struck, &end)?;
    rows.push(ground.end(&binary)?);
    postgres.map_or(Ok(()), Postgres::stop)?;
    rows.push(Row::told("wall time", format!("{:.0} s", began.elapsed().as_secs_f64())));

    let broker = if plan.kafka { "Apache Kafka" } else { "`tidings broker --data`" };
    let (store, rate) = (plan.store.word(), plan.rate);
    println!("the shop under kill -9 on {broker}, store {store}, {orders} orders at {rate}/s");
    rows.iter().for_each(Row::print);
    println!("  {:<44}{}", "seed", plan.seed);
    println!("  again: {}", plan.again());
    if let Some(row) = rows.iter().find(|row| !row.holds) {
        let (what, kept) = (row.name, dir.display());
        return Err(
            format!("{what} is {}, not {}; files kept in {kept}", row.value, row.goal).into()
        );
    }
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

/// When each service was hit, and how often the broker was.
#[derive(Debug, Default)]
struct Struck {
    /// In milliseconds since 1970, one for each signal that was sent.
    at_ms: Vec<i64>,
    together: usize,
    broker: usize,
    /// The longest time that the broker was away.
    longest_away: Duration,
}

/// Strikes until as many were hit as were asked for.
fn strike(plan: &Plan, ground: &mut Ground, shop: &mut Shop) -> Outcome<Struck> {
    let mut struck = Struck::default();
    // Some more than were asked for: an order may end in the moment before a blow.
    let kills = plan.kills + plan.kills.div_ceil(4);
    let mut blows = Blows::new(plan.seed, kills, plan.broker_kills);
    while shop.killed() < kills || struck.broker < plan.broker_kills {
        shop.must_run()?;
        let blow = blows.next(shop.killed(), struck.broker);
        // The schedule's own pace, not a wait for something.
        std::thread::sleep(blow.after());
        match blow {
            Blow::Services { ranks, .. } => {
                let hit = shop.kill(&ranks, VICTIM_LIMIT)?;
                struck.together += usize::from(hit.len() > 1);
                struck.at_ms.extend(hit);
            }
            Blow::Broker { away, .. } => {
                let killed = Instant::now();
                ground.kill()?;
                std::thread::sleep(away);
                ground.restart()?;
                struck.broker += 1;
                struck.longest_away = struck.longest_away.max(killed.elapsed());
            }
        }
    }
    Ok(struck)
}

impl Plan {
    /// Enough that the last blow still finds orders on their way: each costs up to two seconds, and
    /// a restart of Apache Kafka some eight.
    fn orders(&self) -> u64 {
        let broker = self.broker_kills as u64 * if self.kafka { 8 } else { 2 };
        self.rate * (self.kills as u64 * 2 + broker + 5)
    }

    /// How to see it again.
    fn again(&self) -> String {
        let Self { kills, broker_kills, rate, seed, kafka, store } = self;
        let kafka = if *kafka { " --kafka" } else { "" };
        let store = store.word();
        format!(
            "cargo xtask shop-kills{kafka} --store {store} --kills {kills} \
             --broker-kills {broker_kills} --rate {rate} --seed {seed}"
        )
    }
}

impl Store {
    fn of(word: &str) -> Outcome<Self> {
        let known = [Self::Sqlite, Self::Postgres, Self::None];
        let found = known.into_iter().find(|store| store.word() == word);
        Ok(found.ok_or_else(|| format!("--store is sqlite, postgres or none, not {word}"))?)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::None => "none",
        }
    }
}

fn parse(words: &[String]) -> Outcome<(Plan, bool)> {
    let now = std::time::UNIX_EPOCH.elapsed()?;
    let seed = u64::from(now.subsec_nanos()) % 1_000_000;
    let store = Store::Sqlite;
    let mut plan = Plan { kafka: false, store, kills: 60, broker_kills: 0, rate: 150, seed };
    let (mut broker_kills, mut release) = (None, false);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--kafka" => plan.kafka = true,
            "--release" => release = true,
            "--store" => plan.store = Store::of(value()?)?,
            "--kills" => plan.kills = value()?.parse()?,
            "--broker-kills" => broker_kills = Some(value()?.parse()?),
            "--rate" => plan.rate = value()?.parse::<u64>()?.max(1),
            "--seed" => plan.seed = value()?.parse()?,
            other => return Err(format!("`shop-kills` does not know {other}").into()),
        }
    }
    plan.broker_kills = broker_kills.unwrap_or(if plan.kafka { 3 } else { 12 });
    Ok((plan, release))
}
