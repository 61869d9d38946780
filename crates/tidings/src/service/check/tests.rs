//! Each refusal by its sentence.

use serde::{Deserialize, Serialize};

use crate::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "test.order.placed", version = 1, topic = "orders", no_key)]
struct OrderPlaced;

#[derive(Clone)]
struct Bank;

async fn plain(_: OrderPlaced) -> Result<(), Fail> {
    Ok(())
}

async fn with_bank(_: OrderPlaced, _: State<Bank>) -> Result<(), Fail> {
    Ok(())
}

#[test]
fn what_is_whole_is_accepted() {
    let service = Service::new("payments").state(Bank).on("charge", with_bank).on("log", plain);
    assert_eq!(service.check(), Ok(()));
}

#[test]
fn each_mistake_has_its_sentence() {
    let long: &'static str = "a".repeat(90).leak();
    let other: &'static str = "b".repeat(90).leak();
    let third: &'static str = "c".repeat(90).leak();
    let cases = [
        (Service::new("payments"), "it has no handler"),
        (Service::new("pay ments").on("a", plain), "the service's name cannot be `pay ments`"),
        (Service::new("payments").on("a/b", plain), "a handler's name cannot be `a/b`"),
        (Service::new("payments").on("a", plain).on("a", plain), "two handlers are named `a`"),
        (Service::new("payments").on("a", with_bank), "takes State<"),
        (Service::new("payments").state(Bank).state(Bank).on("a", plain), "two states of type"),
        (Service::new("payments").group("g").on("a", plain), "stands before any handler"),
        (Service::new("payments").on("a", plain).group(""), "a group's name cannot be ``"),
        (Service::new("payments").source("a b").on("a", plain), "is no URI reference"),
        (
            Service::new("payments").on(long, plain).on(other, plain).on(third, plain),
            "the names of the 3 handlers in group `payments` take 273 bytes",
        ),
    ];
    for (service, expected) in cases {
        let error = service.check().expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}\nlacks: {expected}");
    }
}
