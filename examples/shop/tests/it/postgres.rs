//! The shop on a PostgreSQL, a schema for each service: `cargo xtask stores` brings the server.

use shop::{Bank, SERVICES, StoreKind};

use crate::shop::Shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL: cargo xtask stores"]
async fn services_that_are_killed_lose_nothing_and_do_nothing_twice() {
    let url = std::env::var("TIDINGS_TEST_POSTGRES").expect("TIDINGS_TEST_POSTGRES is a URL");
    let mut shop = Shop::closed_with(StoreKind::Postgres(url), 300).await;
    shop::drop_schemas(&shop.env).await.unwrap();
    let bank = Bank::beside(&shop.env.data_dir);
    bank.open().unwrap();
    bank.spoil_cards().unwrap();
    for service in SERVICES {
        shop.start(service);
    }
    for (index, service) in (0..).zip(SERVICES) {
        shop.reaches(|progress| progress.finished >= 30 * index).await;
        shop.kill(service).await;
        shop.start(service);
    }
    let summary = shop.finishes().await;
    assert_eq!(summary.verify(), Ok(()));
    assert_eq!((summary.orders.placed, summary.orders.parked), (300, 9));
    assert_eq!(shop::schemas(&shop.env).await.unwrap().len(), SERVICES.len());
    for service in SERVICES {
        shop.kill(service).await;
    }
    shop::drop_schemas(&shop.env).await.unwrap();
    assert_eq!(shop::schemas(&shop.env).await.unwrap(), [""; 0]);
}
