//! Services die in the middle of their work and are started again: nothing is lost. With a store
//! nothing is done twice; without one what was done twice is seen as done twice but counts once.

use serde::{Deserialize, Serialize};
use shop::{SERVICES, StoreKind, Summary};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tidings::{Draft, Event};

use crate::shop::Shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_that_are_killed_lose_nothing_and_do_nothing_twice() {
    // `verify` counts effects beyond the first for their event.
    killed(StoreKind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_store_services_that_are_killed_lose_nothing() {
    killed(StoreKind::None).await;
}

async fn killed(store: StoreKind) {
    let mut shop = Shop::closed_with(store, 600).await;
    for service in SERVICES {
        shop.start(service);
    }
    // Each once, while there is work: the more orders are through, the later the victim.
    for (index, service) in (0..).zip(SERVICES) {
        shop.reaches(|progress| progress.finished >= 50 * index).await;
        shop.kill(service).await;
        shop.start(service);
    }
    let summary = shop.finishes().await;
    assert_eq!(summary.verify(), Ok(()));
    assert_eq!(summary.orders.placed, 600);
    assert_eq!(summary.services["orders"].dead_lettered, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_was_away_catches_up() {
    let mut shop = Shop::closed(100).await;
    shop.start("orders");
    shop.start("payments");
    shop.reaches(|progress| progress.placed == 100).await;
    for service in ["inventory", "shipping", "notifications"] {
        shop.start(service);
    }
    let summary = shop.finishes().await;
    assert_eq!(summary.verify(), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_come_again_have_no_effect_again() {
    let mut shop = Shop::open(100).await;
    let before = shop.finishes().await;
    announce_again(&shop).await;
    // Behind them, in each partition, comes what payments has never seen: once that has had its
    // effect, all of them have been looked at.
    let publisher = shop.broker.publisher().await.source("/test");
    for order_id in 1_001..=1_064 {
        let event = OrderPlaced { order_id, customer: 4, cds: 1, total_cents: 1 };
        publisher.publish(event).await.unwrap();
    }
    let received = |summary: &Summary| summary.services["payments"].received;
    shop.until(async |shop| received(&shop.summary().await) == received(&before) + 64).await;
    assert_eq!(shop.summary().await.services["payments"].duplicate_effects, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_store_events_that_come_again_are_duplicates_and_count_once() {
    let mut shop = Shop::open_with(StoreKind::None, 100).await;
    let before = shop.finishes().await;

    // order.placed comes again, as it was: after a redrive, or in a group that was reset. What
    // comes of it has the same ids as before, so each of the later events is handled again too.
    announce_again(&shop).await;
    let doubled = |after: &Summary| {
        after.services.iter().all(|(name, counts)| {
            let once = before.services[name].received;
            counts.received == 2 * once && counts.duplicate_effects == once
        })
    };
    shop.until(async |shop| doubled(&shop.summary().await)).await;

    let after = shop.summary().await;
    assert_eq!(after.verify(), Ok(()));
    assert_eq!(after.orders, before.orders);
    assert_eq!(after.money_cents, before.money_cents);
}

/// What orders publishes, as this test needs to know it.
#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: u32,
    customer: u32,
    cds: u32,
    total_cents: i64,
}

/// Publishes every order.placed once more under its id.
async fn announce_again(shop: &Shop) {
    let path = shop.env.data_dir.join("orders.db");
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let orders: Vec<(String, u32, u32, u32, i64)> =
        sqlx::query_as("select event_id, order_id, customer, cds, total_cents from orders")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let publisher = shop.broker.publisher().await.source("/orders");
    for (id, order_id, customer, cds, total_cents) in orders {
        let event = OrderPlaced { order_id, customer, cds, total_cents };
        publisher.publish(Draft::of(event).id(id)).await.unwrap();
    }
}
