//! The facts of orders: what it publishes, and what it needs to know of others' facts.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;

/// A customer has bought something. The price is 0 for the few orders that were free.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1)]
#[event(topic = "orders", key = order_id, subject = "order")]
pub(crate) struct OrderPlaced {
    pub(crate) order_id: u32,
    pub(crate) customer: u32,
    pub(crate) bought_on: String,
    pub(crate) cds: u32,
    pub(crate) total_cents: i64,
}

/// The parcel is on its way: nothing is left to do.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize)]
#[event(type = "com.example.order.completed", version = 1)]
#[event(topic = "orders", key = order_id, subject = "order")]
pub(crate) struct OrderCompleted {
    pub(crate) order_id: u32,
}

/// The customer's card was declined, so nothing happened.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize)]
#[event(type = "com.example.order.refused", version = 1)]
#[event(topic = "orders", key = order_id, subject = "order")]
pub(crate) struct OrderRefused {
    pub(crate) order_id: u32,
}

/// A later step failed; goods and money are where they were before.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize)]
#[event(type = "com.example.order.cancelled", version = 1)]
#[event(topic = "orders", key = order_id, subject = "order")]
pub(crate) struct OrderCancelled {
    pub(crate) order_id: u32,
}

/// Others' facts, as far as orders cares about them.
pub(crate) mod heard {
    use super::*;

    #[derive(Debug, Event, Serialize, Deserialize)]
    #[event(type = "com.example.payment.refused", version = 1)]
    #[event(topic = "payments", key = order_id, subject = "order")]
    pub(crate) struct PaymentRefused {
        pub(crate) order_id: u32,
    }

    #[derive(Debug, Event, Serialize, Deserialize)]
    #[event(type = "com.example.payment.refunded", version = 1)]
    #[event(topic = "payments", key = order_id, subject = "order")]
    pub(crate) struct PaymentRefunded {
        pub(crate) order_id: u32,
    }

    #[derive(Debug, Event, Serialize, Deserialize)]
    #[event(type = "com.example.parcel.shipped", version = 1)]
    #[event(topic = "parcels", key = order_id, subject = "order")]
    pub(crate) struct ParcelShipped {
        pub(crate) order_id: u32,
    }
}
