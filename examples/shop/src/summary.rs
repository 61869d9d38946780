//! The audit at the end: what each service's own database says, and whether they agree. Read only,
//! and by nobody that takes part: a service never looks into another's database.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{Connection, FromRow};

use crate::book::BookError;
use crate::{Env, SERVICES, env, inventory, notifications, orders, payments, shipping};

/// How far the shop is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Orders that are written down.
    pub placed: u32,
    /// Orders in a final state.
    pub finished: u32,
    /// Orders whose customer has been told how they ended.
    pub told: u32,
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

/// Orders by final state; what is in none of them is still on its way.
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

/// Two figures from different databases that must be the same.
#[derive(Debug, Clone, PartialEq)]
struct Check {
    what: &'static str,
    left: i64,
    right: i64,
}

impl Progress {
    /// Whether `expected` orders are placed and nothing of them is on its way.
    pub fn is_done(&self, expected: u32) -> bool {
        self.placed >= expected && self.finished >= self.placed && self.told >= self.placed
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
            .map(|Check { what, left, right }| format!("{what}: {left} is not {right}"))
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

/// How far the shop in `data_dir` is: two counts in each of two databases. Services that have not
/// started yet count as zero.
///
/// # Errors
/// When a database cannot be read.
pub async fn progress(data_dir: &Path) -> Result<Progress, BookError> {
    let (placed, finished) =
        row_or_default(data_dir, orders::NAME, include_str!("orders/progress.sql")).await?;
    let (told,) =
        row_or_default(data_dir, notifications::NAME, include_str!("notifications/progress.sql"))
            .await?;
    Ok(Progress { placed, finished, told })
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
    let dir = &env.data_dir;
    let sold: orders::Totals = row(dir, orders::NAME, orders::TOTALS).await?;
    let paid: payments::Totals = row(dir, payments::NAME, payments::TOTALS).await?;
    let stock: inventory::Totals = row(dir, inventory::NAME, inventory::TOTALS).await?;
    let sent: shipping::Totals = row(dir, shipping::NAME, shipping::TOTALS).await?;
    let told: notifications::Totals = row(dir, notifications::NAME, notifications::TOTALS).await?;

    let mut services = BTreeMap::new();
    for &name in SERVICES {
        let (received, retried, duplicate_effects) =
            row(dir, name, include_str!("summary/effects.sql")).await?;
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
        },
        money_cents: Money {
            ordered: sold.ordered_cents,
            charged: paid.taken_cents,
            refunded: paid.refunded_cents,
        },
        services,
        checks: checks(&sold, &paid, &stock, &sent, &told),
    })
}

/// Everything that must be the same in two databases once no order is on its way.
fn checks(
    sold: &orders::Totals,
    paid: &payments::Totals,
    stock: &inventory::Totals,
    sent: &shipping::Totals,
    told: &notifications::Totals,
) -> Vec<Check> {
    let check = |what, left, right| Check { what, left, right };
    vec![
        check(
            "orders in a final state",
            sold.completed + sold.refused + sold.cancelled,
            sold.placed,
        ),
        check(
            "cents charged and refused",
            paid.taken_cents + paid.refused_cents,
            sold.ordered_cents,
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

async fn row<Row>(data_dir: &Path, service: &str, select: &'static str) -> Result<Row, BookError>
where
    Row: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
{
    let path = env::database(data_dir, service);
    let options = SqliteConnectOptions::new().filename(&path).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .map_err(|source| BookError::Open { path, source })?;
    let row = sqlx::query_as(select).fetch_one(&mut connection).await;
    connection.close().await.map_err(BookError::Statement)?;
    row.map_err(BookError::Statement)
}

/// As [`row`], for a service that may not have made its database yet.
async fn row_or_default<Row>(
    data_dir: &Path,
    service: &str,
    select: &'static str,
) -> Result<Row, BookError>
where
    Row: for<'r> FromRow<'r, SqliteRow> + Send + Unpin + Default,
{
    if !env::database(data_dir, service).exists() {
        return Ok(Row::default());
    }
    match row(data_dir, service, select).await {
        // Between the making of the file and that of its tables.
        Err(BookError::Statement(sqlx::Error::Database(error)))
            if error.message().starts_with("no such table") =>
        {
            Ok(Row::default())
        }
        read => read,
    }
}

#[cfg(test)]
mod tests;
