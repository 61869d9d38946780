//! The derive macros of `tidings`: `Event` and `Events`. Use them through the `tidings` crate,
//! which documents them beside the traits of the same names; this crate exists because macros must
//! be compiled on their own.

mod attributes;
mod event;
mod events;
mod key;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a serde struct or enum an event: its type, version, topic and key stand in
/// `#[event(...)]`.
///
/// ```ignore
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order_id)]
/// pub struct OrderPlaced { pub order_id: String, pub total_cents: i64 }
/// ```
///
/// `key` is what stands after `self.`: `order_id`, `tenant.id`, `0`, `key()`; on an enum a field
/// that every variant has. It must implement `Display`. An event whose order does not matter says
/// `no_key` instead. `subject = "order"` sets the CloudEvents subject to `order/<key>`.
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    event::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an enum (or struct) whose fields are events something that a handler may return.
///
/// ```ignore
/// #[derive(Events)]
/// enum Decision { Taken(PaymentTaken), Refused(PaymentRefused), Nothing }
/// ```
#[proc_macro_derive(Events)]
pub fn derive_events(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    events::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
