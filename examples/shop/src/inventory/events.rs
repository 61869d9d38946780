//! The facts of inventory: what it publishes, and what it needs to know of others' facts.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;

/// The CDs are set aside for this order.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize)]
#[event(type = "com.example.stock.reserved", version = 1)]
#[event(topic = "stock", key = order_id, subject = "order")]
pub(crate) struct StockReserved {
    pub(crate) order_id: u32,
    pub(crate) customer: u32,
    pub(crate) cds: u32,
}

/// There are not that many CDs.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize)]
#[event(type = "com.example.stock.short", version = 1)]
#[event(topic = "stock", key = order_id, subject = "order")]
pub(crate) struct StockShort {
    pub(crate) order_id: u32,
    pub(crate) cds: u32,
}

/// What was set aside is on the shelf again.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize)]
#[event(type = "com.example.stock.returned", version = 1)]
#[event(topic = "stock", key = order_id, subject = "order")]
pub(crate) struct StockReturned {
    pub(crate) order_id: u32,
    pub(crate) cds: u32,
}

/// Others' facts, as far as inventory cares about them.
pub(crate) mod heard {
    use super::*;

    #[derive(Debug, Event, Serialize, Deserialize)]
    #[event(type = "com.example.payment.taken", version = 1)]
    #[event(topic = "payments", key = order_id, subject = "order")]
    pub(crate) struct PaymentTaken {
        pub(crate) order_id: u32,
        pub(crate) customer: u32,
        pub(crate) cds: u32,
    }

    #[derive(Debug, Event, Serialize, Deserialize)]
    #[event(type = "com.example.parcel.failed", version = 1)]
    #[event(topic = "parcels", key = order_id, subject = "order")]
    pub(crate) struct ParcelFailed {
        pub(crate) order_id: u32,
    }
}
