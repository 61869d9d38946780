//! Notifications: tells customers how their orders stand.

pub(crate) mod events;

use std::fmt;

use tidings::prelude::*;

use self::events::CustomerTold;
use self::events::heard::{ParcelShipped, PaymentRefunded, PaymentRefused, PaymentTaken};
use crate::book::{Book, Page, Schema};

pub(crate) const NAME: &str = "notifications";
pub(crate) const SCHEMA: Schema = Schema {
    sqlite: include_str!("notifications/schema/sqlite.sql"),
    postgres: include_str!("notifications/schema/postgres.sql"),
};
pub(crate) const TOTALS: &str = include_str!("notifications/totals.sql");

/// What notifications reacts to; all of it becomes customer.told.
pub(crate) fn service(book: Book) -> Service {
    Service::new(NAME)
        .state(book)
        .on("tell-paid", tell_paid) //         payment.taken
        .on("tell-refused", tell_refused) //   payment.refused
        .on("tell-shipped", tell_shipped) //   parcel.shipped
        .on("tell-refunded", tell_refunded) // payment.refunded
}

async fn tell_paid(e: PaymentTaken, page: Page) -> Told {
    let words = format!("Thank you! We have your {} for order {}.", Dollars(e.cents), e.order_id);
    tell(page, (e.order_id, e.customer), "paid", words).await
}

async fn tell_refused(e: PaymentRefused, page: Page) -> Told {
    let words = format!(
        "Your bank did not pay {} for order {}, so nothing will be sent.",
        Dollars(e.cents),
        e.order_id
    );
    tell(page, (e.order_id, e.customer), "refused", words).await
}

async fn tell_shipped(e: ParcelShipped, page: Page) -> Told {
    let cds = if e.cds == 1 { "1 CD is".to_owned() } else { format!("{} CDs are", e.cds) };
    let words = format!("Order {}: your {cds} on the way.", e.order_id);
    tell(page, (e.order_id, e.customer), "shipped", words).await
}

async fn tell_refunded(e: PaymentRefunded, page: Page) -> Told {
    let words = format!(
        "We are sorry: order {} cannot be delivered. You have your {} back.",
        e.order_id,
        Dollars(e.cents)
    );
    tell(page, (e.order_id, e.customer), "refunded", words).await
}

type Told = Result<CustomerTold, Fail>;

async fn tell(
    mut page: Page,
    (order_id, customer): (u32, u32),
    about: &'static str,
    words: String,
) -> Told {
    let tell = page.effect(include_str!("notifications/tell.sql"));
    let tell = tell.bind(order_id).bind(customer).bind(about).bind(words.as_str());
    page.append::<(String,)>(tell).await?;
    Ok(CustomerTold { order_id, customer, words })
}

/// Cents as people write them.
struct Dollars(i64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// Sums over all notices, for the audit at the end.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
pub(crate) struct Totals {
    pub(crate) paid: i64,
    pub(crate) refused: i64,
    pub(crate) shipped: i64,
    pub(crate) refunded: i64,
}

#[cfg(test)]
mod tests;
