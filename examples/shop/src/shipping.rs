//! Shipping: hands what was set aside to a carrier, who is sometimes busy and sometimes gives up.

pub(crate) mod events;

use tidings::prelude::*;

use self::events::heard::StockReserved;
use self::events::{ParcelFailed, ParcelShipped};
use crate::book::{Book, Page, Schema, Value};

pub(crate) const NAME: &str = "shipping";
pub(crate) const SCHEMA: Schema = Schema {
    sqlite: include_str!("shipping/schema/sqlite.sql"),
    postgres: include_str!("shipping/schema/postgres.sql"),
};
pub(crate) const TOTALS: &str = include_str!("shipping/totals.sql");

/// What shipping reacts to.
pub(crate) fn service(book: Book) -> Service {
    // stock.reserved -> parcel.shipped, parcel.failed
    Service::new(NAME).state(book).on("ship", ship)
}

async fn ship(stock: StockReserved, mut page: Page) -> Result<Shipped, Fail> {
    let StockReserved { order_id, customer, cds } = stock;
    // A busy carrier is an error like any other: `?` has the library try again.
    let answer = carrier(order_id, page.attempt())?;
    let ship = page.effect(include_str!("shipping/ship.sql"));
    let ship = ship.bind(order_id).bind(cds).bind(answer);
    Ok(match page.append(ship).await? {
        (Answer::Shipped,) => Shipped::Shipped(ParcelShipped { order_id, customer, cds }),
        (Answer::Failed,) => Shipped::Failed(ParcelFailed { order_id, customer, cds }),
    })
}

/// What comes of a parcel.
#[derive(Debug, Clone, PartialEq, Events)]
pub(crate) enum Shipped {
    Shipped(ParcelShipped),
    Failed(ParcelFailed),
}

/// What the carrier says, as it stands in the database.
#[derive(Debug, Clone, Copy, PartialEq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
enum Answer {
    Shipped,
    Failed,
}

impl From<Answer> for Value {
    fn from(answer: Answer) -> Value {
        Value::from(match answer {
            Answer::Shipped => "shipped",
            Answer::Failed => "failed",
        })
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the carrier is busy")]
struct CarrierBusy;

/// The carrier's rule, the same at every repeat: busy at the first call for every 50th parcel, and
/// no way to deliver every 37th.
fn carrier(order_id: u32, attempt: u32) -> Result<Answer, CarrierBusy> {
    if order_id.is_multiple_of(50) && attempt == 1 {
        return Err(CarrierBusy);
    }
    Ok(if order_id.is_multiple_of(37) { Answer::Failed } else { Answer::Shipped })
}

/// Sums over all parcels, for the audit at the end.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
pub(crate) struct Totals {
    pub(crate) shipped_cds: i64,
    pub(crate) shipped: i64,
    pub(crate) failed_cds: i64,
    pub(crate) failed: i64,
}

#[cfg(test)]
mod tests;
