//! Slots: which relay may publish which part of an outbox. A relay claims slots by a lease that it
//! has to renew, and each claim raises the slot's epoch; what a relay does to rows it does in a
//! transaction that has looked at its leases, so one that was stopped and woken again changes
//! nothing that is no longer its own. All times are the database's.

use crate::connection::{Connection, Row, Value, statements};
use crate::error::StoreError;
use crate::limits::SLOTS;
use crate::store::{Session, Store};

/// A slot that a relay may publish, under this claim's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease {
    /// Which part of the outbox.
    pub slot: i64,
    /// Raised by each claim.
    pub epoch: i64,
}

/// A relay among others.
#[derive(Clone, Debug)]
pub struct Holder {
    name: String,
    lease_ms: i64,
}

impl Holder {
    /// `name` must be no other relay's, now or later: make it from randomness at each start.
    pub fn new(name: impl Into<String>, lease: std::time::Duration) -> Holder {
        let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        Holder { name: name.into(), lease_ms }
    }

    /// What it is called in the tables.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Renews what it holds, and takes or gives until it has its share among the relays that live:
    /// called every third of a lease, with nothing in flight, since slots are given back.
    ///
    /// The answer is what it may publish from now on, for the length of a lease.
    pub async fn balance(&self, store: &Store) -> Result<Vec<Lease>, StoreError> {
        const WHAT: &str = "claim slots of the outbox";
        let mut session = store.begin().await?;
        let sql = statements(&session);
        let mut leases = self.hold_on(&mut session, WHAT).await?;
        let live = session.rows(sql.relays_live, &[]).await.map_err(StoreError::of(WHAT))?;
        let live = live.first().map_or(Ok(1), |row| row.int(0)).map_err(StoreError::of(WHAT))?;
        let share = share(SLOTS, live);
        if leases.len() > share {
            let more = leases.split_off(share);
            self.give_back(&mut session, &more).await?;
        }
        let wanted = share - leases.len();
        if wanted > 0 {
            let [name, lease] = self.me();
            let claim = [name, lease, Value::Int(wanted as i64)];
            let claimed = session.rows(sql.slots_claim, &claim).await;
            leases.extend(read_leases(&claimed.map_err(StoreError::of(WHAT))?)?);
        }
        session.commit().await?;
        leases.sort_unstable();
        Ok(leases)
    }

    /// Renews what it holds, and nothing else: for relays whose events are in flight. The answer is
    /// what is still its own.
    pub async fn renew(&self, store: &Store) -> Result<Vec<Lease>, StoreError> {
        const WHAT: &str = "renew its slots of the outbox";
        let mut session = store.begin().await?;
        let leases = self.hold_on(&mut session, WHAT).await?;
        session.commit().await?;
        Ok(leases)
    }

    /// Gives everything back: others need not wait for the leases to end.
    pub async fn leave(&self, store: &Store) -> Result<(), StoreError> {
        const WHAT: &str = "give back its slots of the outbox";
        let mut session = store.begin().await?;
        let sql = statements(&session);
        let me = Value::Text(Some(&self.name));
        let held = session.rows(sql.slots_held, &[me]).await.map_err(StoreError::of(WHAT))?;
        self.give_back(&mut session, &read_leases(&held)?).await?;
        session.execute(sql.relay_gone, &[me]).await.map_err(StoreError::of(WHAT))?;
        session.commit().await
    }

    /// Those of `leases` that are still its own, and stay so until the session ends.
    pub(crate) async fn keep(
        &self,
        session: &mut Session,
        leases: &[Lease],
    ) -> Result<Vec<i64>, StoreError> {
        let sql = statements(session).slots_held;
        let rows = session.rows(sql, &[Value::Text(Some(&self.name))]).await;
        let held = read_leases(&rows.map_err(StoreError::of("look at its slots of the outbox"))?)?;
        Ok(leases.iter().filter(|lease| held.contains(lease)).map(|lease| lease.slot).collect())
    }

    /// Says that it lives, and renews what it holds.
    async fn hold_on(
        &self,
        session: &mut Session,
        what: &'static str,
    ) -> Result<Vec<Lease>, StoreError> {
        let sql = statements(session);
        session.execute(sql.relay_seen, &self.me()).await.map_err(StoreError::of(what))?;
        let renewed = session.rows(sql.slots_renew, &self.me()).await;
        read_leases(&renewed.map_err(StoreError::of(what))?)
    }

    /// Its name and how long its leases last, as statements take them.
    fn me(&self) -> [Value<'_>; 2] {
        [Value::Text(Some(&self.name)), Value::Int(self.lease_ms)]
    }

    async fn give_back(&self, session: &mut Session, leases: &[Lease]) -> Result<(), StoreError> {
        let slots = json(leases.iter().map(|lease| lease.slot));
        let values = [Value::Text(Some(&self.name)), Value::Text(Some(&slots))];
        let sql = statements(session).slots_release;
        let released = session.execute(sql, &values).await;
        released.map(drop).map_err(StoreError::of("give back slots of the outbox"))
    }
}

/// A relay's part, rounded up: none is left over, and the last relay may have fewer.
fn share(slots: i64, live_relays: i64) -> usize {
    let live = live_relays.max(1);
    ((slots + live - 1) / live) as usize
}

fn read_leases(rows: &[Row]) -> Result<Vec<Lease>, StoreError> {
    let one = |row: &Row| Ok(Lease { slot: row.int(0)?, epoch: row.int(1)? });
    let all: Result<Vec<Lease>, sqlx::Error> = rows.iter().map(one).collect();
    all.map_err(StoreError::of("read slots of the outbox"))
}

/// Numbers as a JSON list, which both databases take as one value.
pub(crate) fn json(numbers: impl IntoIterator<Item = i64>) -> String {
    serde_json::Value::from_iter(numbers).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_all_slots() {
        for live in 0..40 {
            let share = share(SLOTS, live) as i64;
            assert!(share >= 1 && share * live.max(1) >= SLOTS, "{live} relays: {share}");
        }
        assert_eq!((share(16, 1), share(16, 2), share(16, 3), share(16, 20)), (16, 8, 6, 1));
    }

    #[test]
    fn numbers_are_one_value() {
        assert_eq!(json([1, 20, -3]), "[1,20,-3]");
        assert_eq!(json([]), "[]");
    }
}
