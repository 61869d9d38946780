//! The facts of payments: what it publishes, and what it needs to know of others' facts.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;

/// The money is there. The number of CDs is passed on, so that whoever sets them aside has to ask
/// nobody.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize)]
#[event(type = "com.example.payment.taken", version = 1)]
#[event(topic = "payments", key = order_id, subject = "order")]
pub(crate) struct PaymentTaken {
    pub(crate) order_id: u32,
    pub(crate) customer: u32,
    pub(crate) cds: u32,
    pub(crate) cents: i64,
}

/// The customer's bank said no.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize)]
#[event(type = "com.example.payment.refused", version = 1)]
#[event(topic = "payments", key = order_id, subject = "order")]
pub(crate) struct PaymentRefused {
    pub(crate) order_id: u32,
    pub(crate) customer: u32,
    pub(crate) cents: i64,
}

/// The customer has the money back, since a later step failed.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize)]
#[event(type = "com.example.payment.refunded", version = 1)]
#[event(topic = "payments", key = order_id, subject = "order")]
pub(crate) struct PaymentRefunded {
    pub(crate) order_id: u32,
    pub(crate) customer: u32,
    pub(crate) cents: i64,
}

/// Others' facts, as far as payments cares about them.
pub(crate) mod heard {
    use super::*;

    #[derive(Debug, Event, Serialize, Deserialize)]
    #[event(type = "com.example.order.placed", version = 1)]
    #[event(topic = "orders", key = order_id, subject = "order")]
    pub(crate) struct OrderPlaced {
        pub(crate) order_id: u32,
        pub(crate) customer: u32,
        pub(crate) cds: u32,
        pub(crate) total_cents: i64,
    }

    #[derive(Debug, Event, Serialize, Deserialize)]
    #[event(type = "com.example.stock.short", version = 1)]
    #[event(topic = "stock", key = order_id, subject = "order")]
    pub(crate) struct StockShort {
        pub(crate) order_id: u32,
    }

    #[derive(Debug, Event, Serialize, Deserialize)]
    #[event(type = "com.example.stock.returned", version = 1)]
    #[event(topic = "stock", key = order_id, subject = "order")]
    pub(crate) struct StockReturned {
        pub(crate) order_id: u32,
    }
}
