//! Orders: places what customers buy, and follows each order to its end by what others publish.

pub(crate) mod events;
mod pace;
mod place;

use tidings::prelude::*;

use self::events::heard::{ParcelShipped, PaymentRefunded, PaymentRefused};
use self::events::{OrderCancelled, OrderCompleted, OrderRefused};
use crate::book::{Book, effect};
use crate::{Env, Error};

pub(crate) const NAME: &str = "orders";
pub(crate) const SCHEMA: &str = include_str!("orders/schema.sql");
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
pub(crate) async fn place(env: &Env, book: &Book, publisher: &Publisher) -> Result<(), Error> {
    place::orders(env, book, publisher).await
}

async fn complete(
    parcel: ParcelShipped,
    meta: Meta,
    State(book): State<Book>,
) -> Result<Closed, Fail> {
    close(&book, &meta, parcel.order_id, End::Completed).await
}

async fn refuse(
    payment: PaymentRefused,
    meta: Meta,
    State(book): State<Book>,
) -> Result<Closed, Fail> {
    close(&book, &meta, payment.order_id, End::Refused).await
}

/// The money goes back last, after the goods: when it is back, nothing is left to undo.
async fn cancel(
    payment: PaymentRefunded,
    meta: Meta,
    State(book): State<Book>,
) -> Result<Closed, Fail> {
    close(&book, &meta, payment.order_id, End::Cancelled).await
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
#[sqlx(rename_all = "lowercase")]
enum End {
    Completed,
    Refused,
    Cancelled,
}

/// Writes the end of an order down; one that has ended before keeps its end.
async fn close(book: &Book, meta: &Meta, order_id: u32, end: End) -> Result<Closed, Fail> {
    let close = effect(include_str!("orders/close.sql"), meta);
    match book.run_one(close.bind(order_id).bind(end)).await? {
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
