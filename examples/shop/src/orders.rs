//! Orders: places what customers buy, and follows each order to its end by what others publish.

mod announce;
pub(crate) mod events;
mod pace;
mod place;

use tidings::prelude::*;

pub(crate) use self::announce::Announcer;
use self::events::heard::{ParcelShipped, PaymentRefunded, PaymentRefused};
use self::events::{OrderCancelled, OrderCompleted, OrderRefused};
use crate::book::{Book, Page, Schema, Value};
use crate::{Env, Error};

pub(crate) const NAME: &str = "orders";
pub(crate) const SCHEMA: Schema = Schema {
    sqlite: include_str!("orders/schema/sqlite.sql"),
    postgres: include_str!("orders/schema/postgres.sql"),
};
pub(crate) const TOTALS: &str = include_str!("orders/totals.sql");

/// What orders reacts to; each of these closes an order.
pub(crate) fn service(book: Book) -> Service {
    Service::new(NAME)
        .state(book)
        .on("complete", complete) // parcel.shipped   -> order.completed
        .on("refuse", refuse) //     payment.refused  -> order.refused
        .on("cancel", cancel) //     payment.refunded -> order.cancelled
}

/// Places orders, beside the service, until all are placed.
pub(crate) async fn place(env: &Env, book: &Book, announcer: &Announcer) -> Result<(), Error> {
    place::orders(env, book, announcer).await
}

async fn complete(parcel: ParcelShipped, page: Page) -> Result<Closed, Fail> {
    close(page, parcel.order_id, End::Completed).await
}

async fn refuse(payment: PaymentRefused, page: Page) -> Result<Closed, Fail> {
    close(page, payment.order_id, End::Refused).await
}

/// The money goes back last, after the goods: when it is back, nothing is left to undo.
async fn cancel(payment: PaymentRefunded, page: Page) -> Result<Closed, Fail> {
    close(page, payment.order_id, End::Cancelled).await
}

/// What comes of the end of an order.
#[derive(Debug, Clone, PartialEq, Events)]
pub(crate) enum Closed {
    Completed(OrderCompleted),
    Refused(OrderRefused),
    Cancelled(OrderCancelled),
}

/// The final state of an order, as it stands in the database.
#[derive(Debug, Clone, Copy, PartialEq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
enum End {
    Completed,
    Refused,
    Cancelled,
}

impl From<End> for Value {
    fn from(end: End) -> Value {
        Value::from(match end {
            End::Completed => "completed",
            End::Refused => "refused",
            End::Cancelled => "cancelled",
        })
    }
}

/// Writes the end of an order down; one that has ended before keeps its end.
async fn close(mut page: Page, order_id: u32, end: End) -> Result<Closed, Fail> {
    let close = page.effect(include_str!("orders/close.sql"));
    match page.run_one(close.bind(order_id).bind(end)).await? {
        Some((End::Completed,)) => Ok(Closed::Completed(OrderCompleted { order_id })),
        Some((End::Refused,)) => Ok(Closed::Refused(OrderRefused { order_id })),
        Some((End::Cancelled,)) => Ok(Closed::Cancelled(OrderCancelled { order_id })),
        None => Err(Fail::reject(format!("order {order_id} was never placed here"))),
    }
}

/// Sums over all orders, for the audit at the end.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
pub(crate) struct Totals {
    pub(crate) placed: i64,
    pub(crate) completed: i64,
    pub(crate) refused: i64,
    pub(crate) cancelled: i64,
    pub(crate) ordered_cents: i64,
    pub(crate) completed_cents: i64,
    pub(crate) refused_cents: i64,
    pub(crate) cancelled_cents: i64,
    pub(crate) completed_cds: i64,
    pub(crate) announced: i64,
}

#[cfg(test)]
mod tests;
