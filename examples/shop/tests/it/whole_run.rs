//! Nothing goes wrong but what goes wrong in every shop.

use crate::shop::Shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_orders_end_and_the_databases_agree() {
    let mut shop = Shop::open(300).await;
    let summary = shop.finishes().await;
    assert_eq!(summary.verify(), Ok(()));
    // Known from the rules and the sample, by a count outside of this program.
    assert_eq!(
        serde_json::to_value(&summary.orders).unwrap(),
        serde_json::json!({ "placed": 300, "completed": 286, "refused": 3, "cancelled": 11 })
    );
}
