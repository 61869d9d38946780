//! Notifications: the words for each turn that an order can take.

use super::events::heard::{ParcelShipped, PaymentRefunded, PaymentRefused, PaymentTaken};
use super::*;
use crate::testing::bench;

#[tokio::test]
async fn customers_are_told_how_it_stands() {
    let t = bench(SCHEMA, service).await;
    let (order_id, customer) = (1_042, 391);
    let told = |words: &str| CustomerTold { order_id, customer, words: words.to_owned() };

    let handled = t.harness.handle(PaymentTaken { order_id, customer, cents: 4_990 }).await;
    handled.expect_published(told("Thank you! We have your $49.90 for order 1042."));
    let handled = t.harness.handle(PaymentRefused { order_id, customer, cents: 5 }).await;
    handled.expect_published(told(
        "Your bank did not pay $0.05 for order 1042, so nothing will be sent.",
    ));
    let handled = t.harness.handle(ParcelShipped { order_id, customer, cds: 1 }).await;
    handled.expect_published(told("Order 1042: your 1 CD is on the way."));
    let handled = t.harness.handle(ParcelShipped { order_id, customer, cds: 3 }).await;
    handled.expect_published(told("Order 1042: your 3 CDs are on the way."));
    let handled = t.harness.handle(PaymentRefunded { order_id, customer, cents: 100_000 }).await;
    handled.expect_published(told(
        "We are sorry: order 1042 cannot be delivered. You have your $1000.00 back.",
    ));

    let told = t.rows::<(String,)>("select about from notices order by seq").await;
    let about: Vec<&str> = told.iter().map(|(about,)| about.as_str()).collect();
    assert_eq!(about, ["paid", "refused", "shipped", "shipped", "refunded"]);
}
