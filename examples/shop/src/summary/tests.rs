//! The audit on databases written by hand: what agrees, what does not, and what counts once.

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::*;
use crate::book::{Book, Schema, Statement};
use crate::store::{Database, StoreKind};

/// Writes `rows` as SQL into a service's database.
async fn write(env: &Env, service: &str, schema: Schema, rows: &'static str) {
    let database = env.database(service);
    drop(Book::open(&database, schema, false).await.unwrap());
    let Database::File(path) = database else { panic!("{database} is no file") };
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(rows).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Four orders: completed, refused, cancelled for want of stock, cancelled by the carrier.
async fn four_orders(env: &Env) {
    write(env, orders::NAME, orders::SCHEMA, include_str!("tests/orders.sql")).await;
    write(env, payments::NAME, payments::SCHEMA, include_str!("tests/payments.sql")).await;
    write(env, inventory::NAME, inventory::SCHEMA, include_str!("tests/inventory.sql")).await;
    write(env, shipping::NAME, shipping::SCHEMA, include_str!("tests/shipping.sql")).await;
    let notices = include_str!("tests/notifications.sql");
    write(env, notifications::NAME, notifications::SCHEMA, notices).await;
}

#[tokio::test]
async fn what_agrees_is_summed_up_as_documented() {
    let directory = tempfile::tempdir().unwrap();
    let env = Env::new("unused:9092", directory.path());
    four_orders(&env).await;

    let dead_lettered = BTreeMap::from([("shipping", 1)].map(|(s, n)| (s.to_owned(), n)));
    let summary = summary(&env, &dead_lettered).await.unwrap();
    assert_eq!(summary.verify(), Ok(()));
    assert_eq!(
        serde_json::to_value(&summary).unwrap(),
        serde_json::json!({
            "orders": { "placed": 4, "completed": 1, "refused": 1, "cancelled": 2, "parked": 0 },
            "money_cents": { "ordered": 10_000, "charged": 9_000, "refunded": 7_000 },
            "services": {
                "orders": { "received": 4, "published": 8, "retried": 0, "dead_lettered": 0,
                            "duplicate_effects": 0 },
                "payments": { "received": 6, "published": 6, "retried": 0, "dead_lettered": 0,
                              "duplicate_effects": 0 },
                "inventory": { "received": 4, "published": 4, "retried": 0, "dead_lettered": 0,
                               "duplicate_effects": 0 },
                "shipping": { "received": 2, "published": 2, "retried": 3, "dead_lettered": 1,
                              "duplicate_effects": 0 },
                "notifications": { "received": 7, "published": 7, "retried": 0,
                                   "dead_lettered": 0, "duplicate_effects": 0 },
            },
        })
    );

    let progress = progress(&env).await.unwrap();
    assert_eq!(progress, Progress { placed: 4, finished: 4, told: 4, parked: 0 });
    assert!(progress.is_done(4) && !progress.is_done(5));
}

#[tokio::test]
async fn a_repeated_effect_counts_once_and_is_a_fault_where_there_is_a_store() {
    let directory = tempfile::tempdir().unwrap();
    let env = Env::new("unused:9092", directory.path());
    four_orders(&env).await;
    let repeat = "insert into charges (source, id, attempt, order_id, customer, cents, outcome)
                  select source, id, attempt, order_id, customer, cents, outcome from charges
                  where order_id = 1";
    write(&env, payments::NAME, payments::SCHEMA, repeat).await;

    let with_store = summary(&env, &BTreeMap::new()).await.unwrap();
    assert_eq!(
        with_store.verify().unwrap_err(),
        ["payments: effects beyond the first for their event (its view `effects` has them): \
          1 is not 0"]
    );
    let env = Env { store: StoreKind::None, ..env };
    let summary = summary(&env, &BTreeMap::new()).await.unwrap();
    assert_eq!(summary.verify(), Ok(()));
    assert_eq!(summary.money_cents.charged, 9_000);
    assert_eq!(summary.services["payments"].duplicate_effects, 1);
    assert_eq!(summary.services["payments"].received, 7);
}

#[tokio::test]
async fn each_disagreement_is_a_sentence() {
    for (service, schema, damage, sentences) in [
        (
            orders::NAME,
            orders::SCHEMA,
            "delete from outcomes where order_id = 1",
            &[
                "orders in a final state: 3 is not 4",
                "cents kept: 2000 is not 0",
                "CDs shipped: 2 is not 0",
                "parcels shipped: 1 is not 0",
            ][..],
        ),
        (
            payments::NAME,
            payments::SCHEMA,
            "delete from refunds where order_id = 3",
            &[
                "cents refunded: 4000 is not 7000",
                "cents kept: 5000 is not 2000",
                "orders refunded: 1 is not 2",
                "customers told of a refund: 2 is not 1",
            ],
        ),
        (
            payments::NAME,
            payments::SCHEMA,
            "insert into refunds (source, id, attempt, order_id, customer, cents)
             values ('/stock', 'an event of its own', 1, 3, 9, 3000)",
            &[
                "cents refunded: 10000 is not 7000",
                "cents kept: -1000 is not 2000",
                "orders refunded: 3 is not 2",
                "customers told of a refund: 2 is not 3",
            ],
        ),
        (
            inventory::NAME,
            inventory::SCHEMA,
            "delete from returns",
            &[
                "orders refunded: 2 is not 1",
                "CDs put back: 0 is not 4",
                "CDs gone: 6 is not 2",
                "parcels that failed: 1 is not 0",
            ],
        ),
        (
            shipping::NAME,
            shipping::SCHEMA,
            "update parcels set cds = 3 where order_id = 1",
            &[
                "CDs handed to the carrier: 7 is not 6",
                "CDs gone: 2 is not 3",
                "CDs shipped: 3 is not 2",
            ],
        ),
        (
            notifications::NAME,
            notifications::SCHEMA,
            "delete from notices where about = 'refused'",
            &["customers told of a refusal: 0 is not 1"],
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let env = Env::new("unused:9092", directory.path());
        four_orders(&env).await;
        write(&env, service, schema, damage).await;
        let summary = summary(&env, &BTreeMap::new()).await.unwrap();
        assert_eq!(summary.verify().unwrap_err(), sentences, "{damage}");
    }
}

#[tokio::test]
async fn services_that_have_not_started_are_no_progress_and_no_summary() {
    let directory = tempfile::tempdir().unwrap();
    let env = Env::new("unused:9092", directory.path());
    assert_eq!(progress(&env).await.unwrap(), Progress::default());
    // A file without tables, as in the moment of its making.
    std::fs::write(directory.path().join("orders.db"), "").unwrap();
    assert_eq!(progress(&env).await.unwrap(), Progress::default());
    let error = summary(&env, &BTreeMap::new()).await.unwrap_err().to_string();
    assert!(error.contains("no such table"), "{error}");
}

#[tokio::test]
async fn a_running_service_can_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let env = Env::new("unused:9092", directory.path());
    let book = Book::open(&env.database(orders::NAME), orders::SCHEMA, true).await.unwrap();
    let place = Statement::new(include_str!("../orders/place.sql"));
    let place = place.bind(1_i64).bind("e").bind(4_i64).bind("1997-01-01");
    book.append::<(i64,)>(place.bind(2_i64).bind(2_933_i64)).await.unwrap();
    assert_eq!(progress(&env).await.unwrap().placed, 1);
}
