//! Nothing goes wrong but what goes wrong in every shop.

use shop::StoreKind;

use crate::shop::Shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_orders_end_and_the_databases_agree() {
    let mut shop = Shop::open(300).await;
    let summary = shop.finishes().await;
    assert_eq!(summary.verify(), Ok(()));
    // Known from the rules and the sample, by a count outside of this program.
    assert_eq!(
        serde_json::to_value((&summary.orders, &summary.money_cents)).unwrap(),
        serde_json::json!([
            { "placed": 300, "completed": 286, "refused": 3, "cancelled": 11, "parked": 0 },
            { "ordered": 1_020_013, "charged": 997_426, "refunded": 70_108 },
        ])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "some 47,000 events: run it with --release, by name"]
async fn the_whole_sample_ends_and_the_databases_agree() {
    let start = std::time::Instant::now();
    let mut shop = Shop::open(6_919).await;
    let summary = shop.finishes().await;
    let published: i64 = summary.services.values().map(|counts| counts.published).sum();
    let seconds = start.elapsed().as_secs_f64();
    println!("{published} events in {seconds:.1} s: {:.0} per second", published as f64 / seconds);
    assert_eq!(summary.verify(), Ok(()));
    assert_eq!(
        serde_json::to_value((&summary.orders, &summary.money_cents)).unwrap(),
        serde_json::json!([
            { "placed": 6_919, "completed": 6_427, "refused": 227, "cancelled": 265, "parked": 0 },
            { "ordered": 24_409_194, "charged": 23_005_698, "refunded": 2_018_550 },
        ])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_stores_the_databases_agree_too() {
    let mut shop = Shop::open_with(StoreKind::None, 300).await;
    let summary = shop.finishes().await;
    assert_eq!(summary.verify(), Ok(()));
    assert_eq!(summary.orders.placed, 300);
}
