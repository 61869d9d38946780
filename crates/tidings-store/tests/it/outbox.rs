//! Rows of the user's transaction: both or neither, and as they were given.

use tidings_store::backlog::{status, waiting};
use tidings_store::outbox::NewRow;
use tidings_store::slots::{Holder, Lease};
use tidings_store::{LEASE, Store};

use crate::ground::Ground;
use crate::on_both;
use crate::rows::{publish, publish_in, row};

async fn all_slots(store: &Store) -> Vec<Lease> {
    Holder::new("reader", LEASE).balance(store).await.unwrap()
}

on_both! {
    async fn a_rollback_takes_the_events_with_it(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        let leases = all_slots(&store).await;
        let mut session = store.begin().await.unwrap();
        publish_in(&mut session, &[row("orders", Some("1"), "never")]).await;
        drop(session);
        publish(&store, &[row("orders", Some("1"), "yes")]).await;
        let rows = waiting(&store, &leases, 10, usize::MAX).await.unwrap();
        let values: Vec<&[u8]> = rows.iter().filter_map(|row| row.payload.as_deref()).collect();
        assert_eq!(values, [b"yes"]);
    }

    async fn what_comes_out_is_what_went_in(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        let leases = all_slots(&store).await;
        let headers = vec![
            ("ce_id".to_owned(), Some(b"1".as_slice().into())),
            ("raw".to_owned(), Some(vec![0, 255].into())),
            ("none".to_owned(), None),
            ("ce_id".to_owned(), Some(Vec::new().into())),
        ];
        let keys: [Option<&[u8]>; 4] =
            [None, Some(b""), Some(&[0, 255]), Some("straße".as_bytes())];
        let payloads: [Option<&[u8]>; 4] = [None, Some(b""), Some(&[0, 1, 2]), Some(b"{}")];
        let rows: Vec<NewRow<'_>> = keys
            .into_iter()
            .zip(payloads)
            .map(|(key, payload)| NewRow { key, payload, headers: &headers, ..row("t", None, "") })
            .collect();
        let positions = publish(&store, &rows).await;
        let mut found = waiting(&store, &leases, 10, usize::MAX).await.unwrap();
        found.sort_by_key(|row| positions.iter().position(|p| *p == row.position));
        assert_eq!(found.len(), 4);
        for ((found, key), payload) in found.iter().zip(keys).zip(payloads) {
            assert_eq!(found.key.as_deref(), key);
            assert_eq!(found.payload.as_deref(), payload);
            assert_eq!(found.headers, headers);
            assert_eq!(found.topic, "t");
        }
    }

    async fn within_a_transaction_the_rows_of_a_key_stay_in_order(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        let leases = all_slots(&store).await;
        let rows = [
            row("b", Some("2"), "1"),
            row("a", Some("1"), "2"),
            row("b", Some("2"), "3"),
            row("a", Some("1"), "4"),
        ];
        let positions = publish(&store, &rows).await;
        assert!(positions[0] < positions[2] && positions[1] < positions[3], "{positions:?}");
        let found = waiting(&store, &leases, 10, usize::MAX).await.unwrap();
        assert!(found.is_sorted_by_key(|row| row.position));
        let of = |key: &str| {
            let of = found.iter().filter(|row| row.key.as_deref() == Some(key.as_bytes()));
            of.map(|row| row.payload.clone().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!((of("1"), of("2")), (vec![b"2".to_vec(), b"4".to_vec()], vec![
            b"1".to_vec(),
            b"3".to_vec()
        ]));
    }

    async fn the_status_tells_what_waits_and_for_how_long(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        let empty = status(&store).await.unwrap();
        assert_eq!((empty.pending, empty.oldest_age_ms, empty.held), (0, None, 0));
        publish(&store, &[row("t", None, "1"), row("t", None, "2")]).await;
        let two = status(&store).await.unwrap();
        assert_eq!(two.pending, 2);
        assert!(two.oldest_age_ms.is_some_and(|age| (0..60_000).contains(&age)), "{two:?}");
    }
}
