//! Wakes whoever waits for something to happen to a partition; nobody polls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The waiting tasks of one partition. A task that waits for many partitions registers one
/// [`Notify`] with each.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<Vec<Arc<Notify>>>);

/// A registration; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Watching<'a> {
    watchers: &'a Watchers,
    notify: Arc<Notify>,
}

impl Watchers {
    /// Registers `notify`. Whatever happens from now on leaves a permit in it, so register first,
    /// look second, wait third.
    pub(crate) fn watch(&self, notify: Arc<Notify>) -> Watching<'_> {
        self.list().push(notify.clone());
        Watching { watchers: self, notify }
    }

    /// Wakes all that are registered.
    pub(crate) fn wake(&self) {
        for notify in self.list().iter() {
            notify.notify_one();
        }
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        let mut list = self.watchers.list();
        if let Some(at) = list.iter().position(|other| Arc::ptr_eq(other, &self.notify)) {
            list.swap_remove(at);
        }
    }
}
