//! The audit at the end: what each service's own database says, and whether they agree. Read only,
//! and by nobody that takes part: a service never looks into another's database.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::book::{BookError, audit};
use crate::{Env, SERVICES, inventory, notifications, orders, payments, shipping};

/// How far the shop is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Orders that are written down.
    pub placed: i64,
    /// Orders in a final state.
    pub finished: i64,
    /// Orders whose customer has been told how they ended.
    pub told: i64,
    /// Orders that wait for a person, counted when all orders are placed.
    pub parked: i64,
}

/// What the shop did, as the demo's last line shows it in JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// How the orders ended.
    pub orders: Orders,
    /// Where the money went.
    pub money_cents: Money,
    /// What each service did.
    pub services: BTreeMap<&'static str, Counts>,
    /// What has to agree; see [`verify`](Summary::verify).
    #[serde(skip)]
    checks: Vec<Check>,
}

/// Orders by final state; what is in none of them, and not parked, is still on its way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Orders {
    /// All orders.
    pub placed: i64,
    /// Paid and shipped.
    pub completed: i64,
    /// The payment was refused.
    pub refused: i64,
    /// Stock was short or shipping failed; money and goods are back.
    pub cancelled: i64,
    /// One of its events cannot be handled, and waits for a person.
    pub parked: i64,
}

/// Sums in US cents, each effect counted once per (source, id) of its cause.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Money {
    /// The value of all orders.
    pub ordered: i64,
    /// What customers paid.
    pub charged: i64,
    /// What they were given back.
    pub refunded: i64,
}

/// What one service did, from its own database, so that a kill loses none of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counts {
    /// Events whose handler had its effect, repeats included.
    pub received: i64,
    /// Events that its handlers returned, repeats included, and orders that the broker has
    /// acknowledged.
    pub published: i64,
    /// Failed attempts before those effects.
    pub retried: i64,
    /// Events that it gave up, as found in its dead letter topics.
    pub dead_lettered: i64,
    /// Effects beyond the first for one (source, id).
    pub duplicate_effects: i64,
}

/// Two figures that must be the same, as a rule from different databases.
#[derive(Debug, Clone, PartialEq)]
struct Check {
    what: &'static str,
    /// The service, if it is about one alone.
    of: &'static str,
    left: i64,
    right: i64,
}

impl Progress {
    /// Whether `expected` orders are placed and nothing of them is on its way.
    pub fn is_done(&self, expected: u32) -> bool {
        let Progress { placed, finished, told, parked } = *self;
        placed >= i64::from(expected) && finished + parked >= placed && told + parked >= placed
    }
}

impl Summary {
    /// Whether every order is in a final state and the services' databases agree.
    ///
    /// # Errors
    /// One sentence for each disagreement.
    pub fn verify(&self) -> Result<(), Vec<String>> {
        let wrong: Vec<String> = self
            .checks
            .iter()
            .filter(|check| check.left != check.right)
            .map(Check::sentence)
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

impl Check {
    fn sentence(&self) -> String {
        let Check { what, of, left, right } = self;
        match *of {
            "" => format!("{what}: {left} is not {right}"),
            service => format!("{service}: {what}: {left} is not {right}"),
        }
    }
}

/// What a store is there for: the view `effects` of each service has one row per (source, id).
const ONCE: &str = "effects beyond the first for their event (its view `effects` has them)";

/// How far the shop is: counts in two databases, and when all orders are placed what is parked in
/// any. Services that have not started yet count as zero.
///
/// # Errors
/// When a database cannot be read.
pub async fn progress(env: &Env) -> Result<Progress, BookError> {
    let sold = include_str!("orders/progress.sql");
    let sold = audit::rows_if_there(&env.database(orders::NAME), sold).await?;
    let (placed, finished) = sold.into_iter().next().unwrap_or_default();
    let told = include_str!("notifications/progress.sql");
    let told = audit::rows_if_there(&env.database(notifications::NAME), told).await?;
    let (told,) = told.into_iter().next().unwrap_or_default();
    let progress = Progress { placed, finished, told, parked: 0 };
    if placed < i64::from(env.expected_orders()) || progress.is_done(env.expected_orders()) {
        return Ok(progress);
    }
    let parked = i64::try_from(parked(env).await?.len()).unwrap_or(i64::MAX);
    Ok(Progress { parked, ..progress })
}

/// The orders of which an event waits for a person, in whichever service.
async fn parked(env: &Env) -> Result<BTreeSet<i64>, BookError> {
    let mut orders = BTreeSet::new();
    for service in SERVICES {
        let keys = include_str!("summary/parked.sql");
        let keys = audit::rows_if_there::<(Vec<u8>,)>(&env.database(service), keys).await?;
        let number = |key: Vec<u8>| std::str::from_utf8(&key).ok()?.parse::<i64>().ok();
        orders.extend(keys.into_iter().filter_map(|(key,)| number(key)));
    }
    Ok(orders)
}

/// How many orders wait for a person and have not ended, and their value.
async fn waiting(env: &Env) -> Result<(i64, i64), BookError> {
    let parked = parked(env).await?;
    let open = include_str!("orders/open.sql");
    let open: Vec<(i64, i64)> = audit::rows(&env.database(orders::NAME), open).await?;
    let cents = open.into_iter().filter(|(order_id, _)| parked.contains(order_id));
    Ok(cents.fold((0, 0), |(orders, sum), (_, cents)| (orders + 1, sum + cents)))
}

/// Reads all databases of a shop. `dead_lettered` is, by service, how many records its dead letter
/// topics hold; a service that is not in it has none.
///
/// The databases are read one after the other: while the shop runs they need not agree.
///
/// # Errors
/// When a database is missing or cannot be read.
pub async fn summary(
    env: &Env,
    dead_lettered: &BTreeMap<String, i64>,
) -> Result<Summary, BookError> {
    let of = |service| env.database(service);
    let sold: orders::Totals = audit::row(&of(orders::NAME), orders::TOTALS).await?;
    let paid: payments::Totals = audit::row(&of(payments::NAME), payments::TOTALS).await?;
    let stock: inventory::Totals = audit::row(&of(inventory::NAME), inventory::TOTALS).await?;
    let sent: shipping::Totals = audit::row(&of(shipping::NAME), shipping::TOTALS).await?;
    let told = audit::row(&of(notifications::NAME), notifications::TOTALS).await?;

    let waiting = waiting(env).await?;

    let mut checks = checks(&sold, waiting, &paid, &stock, &sent, &told);
    let mut services = BTreeMap::new();
    for &name in SERVICES {
        let (received, retried, duplicate_effects) =
            audit::row(&of(name), include_str!("summary/effects.sql")).await?;
        if env.store.is_once() {
            checks.push(Check { what: ONCE, of: name, left: duplicate_effects, right: 0 });
        }
        let announced = if name == orders::NAME { sold.announced } else { 0 };
        services.insert(
            name,
            Counts {
                received,
                published: received + announced,
                retried,
                dead_lettered: dead_lettered.get(name).copied().unwrap_or(0),
                duplicate_effects,
            },
        );
    }
    Ok(Summary {
        orders: Orders {
            placed: sold.placed,
            completed: sold.completed,
            refused: sold.refused,
            cancelled: sold.cancelled,
            parked: waiting.0,
        },
        money_cents: Money {
            ordered: sold.ordered_cents,
            charged: paid.taken_cents,
            refunded: paid.refunded_cents,
        },
        services,
        checks,
    })
}

/// Everything that must be the same in two databases once no order is on its way.
fn checks(
    sold: &orders::Totals,
    (parked, parked_cents): (i64, i64),
    paid: &payments::Totals,
    stock: &inventory::Totals,
    sent: &shipping::Totals,
    told: &notifications::Totals,
) -> Vec<Check> {
    let check = |what, left, right| Check { what, of: "", left, right };
    vec![
        check(
            "orders in a final state",
            sold.completed + sold.refused + sold.cancelled,
            sold.placed - parked,
        ),
        check(
            "cents charged and refused",
            paid.taken_cents + paid.refused_cents,
            sold.ordered_cents - parked_cents,
        ),
        check("cents refused", paid.refused_cents, sold.refused_cents),
        check("cents refunded", paid.refunded_cents, sold.cancelled_cents),
        check("cents kept", paid.taken_cents - paid.refunded_cents, sold.completed_cents),
        check("orders refused", paid.refused, sold.refused),
        check("orders that stock was asked for", stock.asked, paid.taken),
        check("orders refunded", paid.refunded, stock.short + stock.returned),
        check("CDs handed to the carrier", sent.shipped_cds + sent.failed_cds, stock.reserved_cds),
        check("CDs put back", stock.returned_cds, sent.failed_cds),
        check("CDs gone", stock.reserved_cds - stock.returned_cds, sent.shipped_cds),
        check("CDs shipped", sent.shipped_cds, sold.completed_cds),
        check("parcels shipped", sent.shipped, sold.completed),
        check("parcels that failed", sent.failed, stock.returned),
        check("customers told of their payment", told.paid, paid.taken),
        check("customers told of a refusal", told.refused, paid.refused),
        check("customers told of a parcel", told.shipped, sent.shipped),
        check("customers told of a refund", told.refunded, paid.refunded),
    ]
}

#[cfg(test)]
mod tests;
