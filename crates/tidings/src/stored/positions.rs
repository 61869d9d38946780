//! How far the groups of a service are, in its store.

use tidings_store::positions;

use super::{Position, Stored};
use crate::progress::{InvalidStoreId, StoreId};

impl Stored {
    /// Which store it is.
    pub(crate) async fn id(&self) -> crate::Result<StoreId> {
        let text = positions::store_id(&self.store).await?;
        text.parse().map_err(|error: InvalidStoreId| crate::Error::Service(Box::new(error)))
    }

    /// Where a group is. The future owns what it needs: it runs as a task.
    pub(crate) fn positions(
        &self,
        group: String,
    ) -> impl Future<Output = Result<Vec<Position>, String>> + Send + use<> {
        let store = self.store.clone();
        let ours = |found: positions::Position| Position {
            topic: found.topic,
            partition: found.partition,
            next: found.next,
            cluster: found.cluster_id,
            epoch: found.epoch,
        };
        async move {
            let found = positions::of_group(&store, &group).await;
            let found = found.map_err(|error| error.to_string())?;
            Ok(found.into_iter().map(ours).collect())
        }
    }

    /// `false`: somebody has moved one of them on purpose since it was read; nothing was written.
    pub(crate) fn keep_positions(
        &self,
        group: String,
        positions: Vec<Position>,
    ) -> impl Future<Output = Result<bool, String>> + Send + use<> {
        let store = self.store.clone();
        let theirs = |ours: Position| positions::Position {
            topic: ours.topic,
            partition: ours.partition,
            next: ours.next,
            cluster_id: ours.cluster,
            // The client library does not tell it.
            topic_id: None,
            epoch: ours.epoch,
        };
        let positions: Vec<_> = positions.into_iter().map(theirs).collect();
        async move {
            let kept = positions::keep(&store, &group, &positions).await;
            kept.map_err(|error| error.to_string())
        }
    }
}
