//! Inventory: sets the CDs of a paid order aside, and puts them back when they cannot be shipped.

pub(crate) mod events;

use tidings::prelude::*;

use self::events::heard::{ParcelFailed, PaymentTaken};
use self::events::{StockReserved, StockReturned, StockShort};
use crate::book::{Book, Page, Schema, Value};

pub(crate) const NAME: &str = "inventory";
pub(crate) const SCHEMA: Schema = Schema {
    sqlite: include_str!("inventory/schema/sqlite.sql"),
    postgres: include_str!("inventory/schema/postgres.sql"),
};
pub(crate) const TOTALS: &str = include_str!("inventory/totals.sql");

/// What inventory reacts to.
pub(crate) fn service(book: Book) -> Service {
    Service::new(NAME)
        .state(book)
        .on("reserve", reserve) //     payment.taken -> stock.reserved, .short
        .on("give-back", give_back) // parcel.failed -> stock.returned
}

async fn reserve(payment: PaymentTaken, mut page: Page) -> Result<Reserved, Fail> {
    let PaymentTaken { order_id, customer, cds } = payment;
    let reserve = page.effect(include_str!("inventory/reserve.sql"));
    let reserve = reserve.bind(order_id).bind(cds).bind(shelf(cds));
    Ok(match page.append(reserve).await? {
        (Answer::Reserved,) => Reserved::Reserved(StockReserved { order_id, customer, cds }),
        (Answer::Short,) => Reserved::Short(StockShort { order_id, cds }),
    })
}

async fn give_back(parcel: ParcelFailed, mut page: Page) -> Result<StockReturned, Fail> {
    let order_id = parcel.order_id;
    let give_back = page.effect(include_str!("inventory/give_back.sql"));
    match page.run_one::<(i64,)>(give_back.bind(order_id)).await? {
        Some((cds,)) => Ok(StockReturned { order_id, cds: u32::try_from(cds)? }),
        None => Err(Fail::reject(format!("nothing was set aside for order {order_id}"))),
    }
}

/// What comes of an attempt to set CDs aside.
#[derive(Debug, Clone, PartialEq, Events)]
pub(crate) enum Reserved {
    Reserved(StockReserved),
    Short(StockShort),
}

/// What the shelf says, as it stands in the database.
#[derive(Debug, Clone, Copy, PartialEq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
enum Answer {
    Reserved,
    Short,
}

impl From<Answer> for Value {
    fn from(answer: Answer) -> Value {
        Value::from(match answer {
            Answer::Reserved => "reserved",
            Answer::Short => "short",
        })
    }
}

/// The shelf's rule, the same at every repeat: it is filled up after each order, to nine CDs.
fn shelf(cds: u32) -> Answer {
    if cds <= 9 { Answer::Reserved } else { Answer::Short }
}

/// Sums over all reservations and returns, for the audit at the end.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
pub(crate) struct Totals {
    pub(crate) reserved_cds: i64,
    pub(crate) asked: i64,
    pub(crate) short: i64,
    pub(crate) returned_cds: i64,
    pub(crate) returned: i64,
}

#[cfg(test)]
mod tests;
