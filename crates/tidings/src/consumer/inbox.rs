//! What reaches the consumer's thread from elsewhere: reports of the lanes, events of the client,
//! orders of the service. Whoever brings something rings, and the thread wakes.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::Thread;

use super::callbacks::Event;
use crate::lanes::{Report, Reports};

#[derive(Default)]
pub(super) struct Inbox {
    reports: Mutex<Vec<Report>>,
    events: Mutex<Vec<Event>>,
    order: AtomicU8,
    thread: OnceLock<Thread>,
}

/// What the service asks for. The later one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Stop = 1,
    Abort = 2,
}

impl Inbox {
    /// From now on this thread is the one that is woken.
    pub(super) fn listen(&self) {
        let _ = self.thread.set(std::thread::current());
    }

    pub(super) fn ring(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    pub(super) fn order(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::AcqRel);
        self.ring();
    }

    pub(super) fn ordered(&self) -> Option<Order> {
        match self.order.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Order::Stop),
            _ => Some(Order::Abort),
        }
    }

    pub(super) fn push_event(&self, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        self.ring();
    }

    pub(super) fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Exchanges the reports that came for an empty list.
    pub(super) fn swap_reports(&self, reports: &mut Vec<Report>) {
        let mut inbox = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *inbox, reports);
    }
}

impl Reports for Inbox {
    fn report(&self, reports: &mut Vec<Report>) {
        let mut inbox = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        // The thread empties the inbox whenever it is awake, so only the first wakes it.
        let first = inbox.is_empty();
        inbox.append(reports);
        drop(inbox);
        if first {
            self.ring();
        }
    }
}
