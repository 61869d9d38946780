//! Who holds which slots.

use std::time::Duration;

use tidings_store::slots::{Holder, Lease};
use tidings_store::{LEASE, SLOTS};

use crate::ground::Ground;
use crate::on_both;

fn slots(leases: &[Lease]) -> Vec<i64> {
    leases.iter().map(|lease| lease.slot).collect()
}

on_both! {
    async fn relays_share_and_give_back(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        let (one, two) = (Holder::new("one", LEASE), Holder::new("two", LEASE));
        let all = one.balance(&store).await.unwrap();
        assert_eq!(slots(&all), (0..SLOTS).collect::<Vec<_>>());
        // The second one comes: the first one gives back half at its next turn.
        assert_eq!(two.balance(&store).await.unwrap(), []);
        let half = one.balance(&store).await.unwrap();
        let other = two.balance(&store).await.unwrap();
        assert_eq!((half.len(), other.len()), (8, 8));
        let mut both = slots(&[half.clone(), other.clone()].concat());
        both.sort_unstable();
        assert_eq!(both, (0..SLOTS).collect::<Vec<_>>());
        assert!(other.iter().all(|lease| lease.epoch == 2) && half.iter().all(|l| l.epoch == 1));
        // Renewing changes nothing, and leaving hands all of it to the other one.
        assert_eq!(one.renew(&store).await.unwrap().len(), 8);
        two.leave(&store).await.unwrap();
        assert_eq!(one.balance(&store).await.unwrap().len(), SLOTS as usize);
    }

    async fn a_lease_that_was_not_renewed_is_free(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        let dead = Holder::new("dead", Duration::ZERO);
        let old = dead.balance(&store).await.unwrap();
        let heir = Holder::new("heir", LEASE);
        let new = heir.balance(&store).await.unwrap();
        assert_eq!(new.len(), SLOTS as usize, "a dead relay counts for nothing");
        for (old, new) in old.iter().zip(&new) {
            assert_eq!((old.slot, old.epoch + 1), (new.slot, new.epoch));
        }
        assert_eq!(dead.renew(&store).await.unwrap(), [], "it has nothing to renew");
    }
}
