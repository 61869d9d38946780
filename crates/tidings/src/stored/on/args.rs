//! What handlers take of the store.

use tidings_store::{Backend, Tx};

use super::{Door, Held, name_of};
use crate::fail::Fail;
use crate::handler::{Context, FromEvent, Needs};
use crate::outbox::Outbox;

/// The handler's transaction.
impl<DB: Backend> FromEvent for Tx<DB> {
    const EXCLUSIVE: bool = true;

    fn needs(needs: &mut Needs) {
        needs.database(name_of(DB::DIALECT));
    }

    async fn from_event(cx: &mut Context) -> Result<Tx<DB>, Fail> {
        let cause = cx.causation()?;
        let Some(stored) = &cx.scope.stored else {
            return Err(Fail::reject("a Tx needs a store: add `.store(..)` to the service"));
        };
        let door = cx.door.clone().unwrap_or_else(Door::open);
        let timeout = cx.handler.timeout;
        let held = cx.held.get_or_insert_with(|| Held::new(door.unit(&stored.store, timeout)));
        Tx::lend(&held.0, cause).ok_or_else(|| Fail::reject("one handler asks for two Tx"))
    }
}

/// Writes into the handler's [`Tx`] as this service; what the handler returns goes the same way.
impl FromEvent for Outbox {
    fn needs(needs: &mut Needs) {
        needs.any_database();
    }

    async fn from_event(cx: &mut Context) -> Result<Outbox, Fail> {
        let stored = cx.scope.stored.as_ref();
        let outbox = stored.map(|stored| stored.outbox.clone());
        outbox.ok_or_else(|| Fail::reject("an Outbox needs a store: add `.store(..)`"))
    }
}
