//! The bank fails: away for a while, and unable to read some customers' cards.

use std::time::Duration;

use shop::{Bank, SERVICES};

use crate::shop::Shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_wait_while_the_bank_is_away_and_end_when_it_is_back() {
    let mut shop = Shop::closed(150).await;
    let bank = Bank::beside(&shop.env.data_dir);
    bank.open().unwrap();
    bank.plan_outage(Duration::from_secs(2)).unwrap();
    for service in SERVICES {
        shop.start(service);
    }
    let summary = shop.finishes().await;
    assert_eq!(summary.verify(), Ok(()));
    assert!(bank.away().exists(), "it was away");
    assert_eq!((summary.orders.placed, summary.orders.parked), (150, 0));
    assert!(summary.services["payments"].retried > 0, "{summary:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_that_the_bank_cannot_take_are_parked_and_the_others_end() {
    let mut shop = Shop::closed(100).await;
    let bank = Bank::beside(&shop.env.data_dir);
    bank.open().unwrap();
    bank.spoil_cards().unwrap();
    for service in SERVICES {
        shop.start(service);
    }
    let summary = shop.finishes().await;
    assert_eq!(summary.verify(), Ok(()));
    assert_eq!((summary.orders.placed, summary.orders.parked), (100, 9));
    let ended = summary.orders.completed + summary.orders.refused + summary.orders.cancelled;
    assert_eq!(ended, 91);
}
