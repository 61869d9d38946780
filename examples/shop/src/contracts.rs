//! What one service says is what another hears: each event is written by its publisher's type and
//! read by the type of everyone who reacts to it. The services do not share these types, so this
//! is what notices when one of them drifts away.

use tidings::Event;

use crate::{inventory, notifications, orders, payments, shipping};

/// Whoever declares `Heard` understands what the publisher of `said` writes, and sends it on the
/// same way, so that key and subject are the same too.
fn hears<Heard: Event>(said: &impl Event) {
    fn place<E: Event>(_: &E) -> (&'static str, &'static str) {
        (E::WIRE_TYPE, E::TOPIC)
    }
    assert_eq!(place(said), (Heard::WIRE_TYPE, Heard::TOPIC));
    let heard = Heard::decode(&said.encode().unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", std::any::type_name::<Heard>()));
    assert_eq!(heard.key(), said.key());
    assert_eq!(heard.subject(), said.subject());
}

#[test]
fn what_is_said_is_what_is_heard() {
    let (order_id, customer, cds, cents) = (1_042, 391, 3, 4_990);

    let bought_on = "1997-01-01".to_owned();
    hears::<payments::events::heard::OrderPlaced>(&orders::events::OrderPlaced {
        order_id,
        customer,
        bought_on,
        cds,
        total_cents: cents,
    });

    let taken = payments::events::PaymentTaken { order_id, customer, cds, cents };
    hears::<inventory::events::heard::PaymentTaken>(&taken);
    hears::<notifications::events::heard::PaymentTaken>(&taken);
    let refused = payments::events::PaymentRefused { order_id, customer, cents };
    hears::<orders::events::heard::PaymentRefused>(&refused);
    hears::<notifications::events::heard::PaymentRefused>(&refused);
    let refunded = payments::events::PaymentRefunded { order_id, customer, cents };
    hears::<orders::events::heard::PaymentRefunded>(&refunded);
    hears::<notifications::events::heard::PaymentRefunded>(&refunded);

    let reserved = inventory::events::StockReserved { order_id, customer, cds };
    hears::<shipping::events::heard::StockReserved>(&reserved);
    hears::<payments::events::heard::StockShort>(&inventory::events::StockShort { order_id, cds });
    hears::<payments::events::heard::StockReturned>(&inventory::events::StockReturned {
        order_id,
        cds,
    });

    let shipped = shipping::events::ParcelShipped { order_id, customer, cds };
    hears::<orders::events::heard::ParcelShipped>(&shipped);
    hears::<notifications::events::heard::ParcelShipped>(&shipped);
    let failed = shipping::events::ParcelFailed { order_id, customer, cds };
    hears::<inventory::events::heard::ParcelFailed>(&failed);
}
