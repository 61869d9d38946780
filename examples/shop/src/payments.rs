//! Payments: takes the money for an order, and gives it back when a later step fails.

pub(crate) mod events;

use tidings::prelude::*;

use self::events::heard::{OrderPlaced, StockReturned, StockShort};
use self::events::{PaymentRefunded, PaymentRefused, PaymentTaken};
use crate::bank::{Answer, Bank, BankError};
use crate::book::{Book, Page, Schema, Value};

pub(crate) const NAME: &str = "payments";
pub(crate) const SCHEMA: Schema = Schema {
    sqlite: include_str!("payments/schema/sqlite.sql"),
    postgres: include_str!("payments/schema/postgres.sql"),
};
pub(crate) const TOTALS: &str = include_str!("payments/totals.sql");

/// What payments reacts to.
pub(crate) fn service(book: Book, bank: Bank) -> Service {
    Service::new(NAME)
        .state(book)
        .state(bank)
        .on("charge", charge) //                   order.placed   -> payment.taken, .refused
        .on("refund-short", refund_short) //       stock.short    -> payment.refunded
        .on("refund-returned", refund_returned) // stock.returned -> payment.refunded
}

async fn charge(
    order: OrderPlaced,
    State(bank): State<Bank>,
    mut page: Page,
) -> Result<Charged, Fail> {
    let OrderPlaced { order_id, customer, cds, total_cents: cents } = order;
    // Outside first: no transaction is open while somebody else is asked.
    let outcome = match bank.charge(order_id, customer, cents) {
        Ok(Answer::Taken) => Outcome::Taken,
        Ok(Answer::Refused) => Outcome::Refused,
        // Every order would fail until it is back, so no attempt counts.
        Err(away @ BankError::Away) => return Err(Fail::down(away)),
        // Another attempt would not help: somebody has to call the bank.
        Err(unreadable @ BankError::Unreadable { .. }) => return Err(Fail::reject(unreadable)),
        Err(other) => return Err(other.into()),
    };
    let charge = page.effect(include_str!("payments/charge.sql"));
    let charge = charge.bind(order_id).bind(customer).bind(cents).bind(outcome);
    Ok(match page.append(charge).await? {
        (Outcome::Taken,) => Charged::Taken(PaymentTaken { order_id, customer, cds, cents }),
        (Outcome::Refused,) => Charged::Refused(PaymentRefused { order_id, customer, cents }),
    })
}

async fn refund_short(stock: StockShort, page: Page) -> Result<PaymentRefunded, Fail> {
    refund(page, stock.order_id).await
}

async fn refund_returned(stock: StockReturned, page: Page) -> Result<PaymentRefunded, Fail> {
    refund(page, stock.order_id).await
}

/// What comes of a charge.
#[derive(Debug, Clone, PartialEq, Events)]
pub(crate) enum Charged {
    Taken(PaymentTaken),
    Refused(PaymentRefused),
}

/// A decision about an order, as it stands in the database.
#[derive(Debug, Clone, Copy, PartialEq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
enum Outcome {
    Taken,
    Refused,
}

impl From<Outcome> for Value {
    fn from(outcome: Outcome) -> Value {
        Value::from(match outcome {
            Outcome::Taken => "taken",
            Outcome::Refused => "refused",
        })
    }
}

async fn refund(mut page: Page, order_id: u32) -> Result<PaymentRefunded, Fail> {
    let refund = page.effect(include_str!("payments/refund.sql"));
    match page.run_one::<(i64, i64)>(refund.bind(order_id)).await? {
        Some((customer, cents)) => {
            Ok(PaymentRefunded { order_id, customer: u32::try_from(customer)?, cents })
        }
        None => Err(Fail::reject(format!("nothing was taken for order {order_id}"))),
    }
}

/// Sums over all charges and refunds, for the audit at the end.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
pub(crate) struct Totals {
    pub(crate) taken_cents: i64,
    pub(crate) taken: i64,
    pub(crate) refused_cents: i64,
    pub(crate) refused: i64,
    pub(crate) refunded_cents: i64,
    pub(crate) refunded: i64,
}

#[cfg(test)]
mod tests;
