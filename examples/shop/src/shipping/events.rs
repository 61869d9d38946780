//! The facts of shipping: what it publishes, and what it needs to know of others' facts.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;

/// The carrier has the parcel.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize)]
#[event(type = "com.example.parcel.shipped", version = 1)]
#[event(topic = "parcels", key = order_id, subject = "order")]
pub(crate) struct ParcelShipped {
    pub(crate) order_id: u32,
    pub(crate) customer: u32,
    pub(crate) cds: u32,
}

/// The carrier cannot deliver to this customer; the goods never left.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize)]
#[event(type = "com.example.parcel.failed", version = 1)]
#[event(topic = "parcels", key = order_id, subject = "order")]
pub(crate) struct ParcelFailed {
    pub(crate) order_id: u32,
    pub(crate) customer: u32,
    pub(crate) cds: u32,
}

/// Others' facts, as far as shipping cares about them.
pub(crate) mod heard {
    use super::*;

    #[derive(Debug, Event, Serialize, Deserialize)]
    #[event(type = "com.example.stock.reserved", version = 1)]
    #[event(topic = "stock", key = order_id, subject = "order")]
    pub(crate) struct StockReserved {
        pub(crate) order_id: u32,
        pub(crate) customer: u32,
        pub(crate) cds: u32,
    }
}
