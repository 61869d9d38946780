//! The facts of notifications: what it publishes, and what it needs to know of others' facts.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;

/// A customer has been told how an order stands.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize)]
#[event(type = "com.example.customer.told", version = 1)]
#[event(topic = "notices", key = order_id, subject = "order")]
pub(crate) struct CustomerTold {
    pub(crate) order_id: u32,
    pub(crate) customer: u32,
    pub(crate) words: String,
}

/// Others' facts, as far as notifications cares about them.
pub(crate) mod heard {
    use super::*;

    #[derive(Debug, Event, Serialize, Deserialize)]
    #[event(type = "com.example.payment.taken", version = 1)]
    #[event(topic = "payments", key = order_id, subject = "order")]
    pub(crate) struct PaymentTaken {
        pub(crate) order_id: u32,
        pub(crate) customer: u32,
        pub(crate) cents: i64,
    }

    #[derive(Debug, Event, Serialize, Deserialize)]
    #[event(type = "com.example.payment.refused", version = 1)]
    #[event(topic = "payments", key = order_id, subject = "order")]
    pub(crate) struct PaymentRefused {
        pub(crate) order_id: u32,
        pub(crate) customer: u32,
        pub(crate) cents: i64,
    }

    #[derive(Debug, Event, Serialize, Deserialize)]
    #[event(type = "com.example.payment.refunded", version = 1)]
    #[event(topic = "payments", key = order_id, subject = "order")]
    pub(crate) struct PaymentRefunded {
        pub(crate) order_id: u32,
        pub(crate) customer: u32,
        pub(crate) cents: i64,
    }

    #[derive(Debug, Event, Serialize, Deserialize)]
    #[event(type = "com.example.parcel.shipped", version = 1)]
    #[event(topic = "parcels", key = order_id, subject = "order")]
    pub(crate) struct ParcelShipped {
        pub(crate) order_id: u32,
        pub(crate) customer: u32,
        pub(crate) cds: u32,
    }
}
