//! Parked events redriven and discarded: asked by the command, done by a real service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidings::config::Settings;
use tidings::prelude::*;
use tokio::sync::oneshot;

use super::{machine, state};
use crate::machine::{Machine, until};

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: String,
}

/// A service in this process, until it is dropped.
struct Payments {
    _stop: oneshot::Sender<()>,
    is_open: Arc<AtomicBool>,
}

impl Payments {
    fn start(machine: &Machine) -> Payments {
        let is_open = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = oneshot::channel::<()>();
        let settings = Settings::new(&machine.bootstrap).expect("an address");
        let (path, open) = (machine.directory.path().join("payments.db"), Arc::clone(&is_open));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async move {
                let store = Store::sqlite(path).await.expect("a store");
                let charge = move |_: OrderPlaced| {
                    let is_open = open.load(Ordering::Relaxed);
                    async move {
                        match is_open {
                            true => Ok(()),
                            false => Err(Fail::reject("the bank is closed")),
                        }
                    }
                };
                let service = Service::new("payments").store(store).on("charge", charge);
                let until_dropped = async { drop(stopped.await) };
                service.settings(settings).run_until(until_dropped).await.expect("it runs");
            });
        });
        Payments { _stop: stop, is_open }
    }
}

/// The states of all dead letters; none while there is no topic of them.
fn states(machine: &Machine) -> Vec<String> {
    let ran = machine.run(&["dlq", "ls", "--all", "--json"]);
    let listed: Value = serde_json::from_str(&ran.out).unwrap_or_default();
    let letters = listed["letters"].as_array().cloned().unwrap_or_default();
    letters.iter().map(|letter| letter["state"].as_str().unwrap_or_default().to_owned()).collect()
}

fn until_state(machine: &Machine, wanted: &str) {
    until(wanted, || (states(machine) == [wanted]).then_some(()));
}

#[test]
fn a_parked_key_is_redriven_by_its_service() {
    let machine = Machine::start();
    machine.ok(&["topic", "create", "orders", "--partitions", "1"]);
    let payments = Payments::start(&machine);
    for _ in 0..2 {
        let data = r#"{"order_id":"7"}"#;
        let publish = ["event", "publish", "orders", "--type", "com.example.order.placed.v1"];
        machine.ok(&[&publish[..], &["--key", "7", "--data", data]].concat());
    }
    until_state(&machine, "parked");
    let redrive = ["dlq", "redrive", "--all-of", "orders.payments.dlq"];
    let with = |more: &[&str]| machine.run(&[&redrive, more].concat());

    let ran = with(&["--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("orders[0]@0  payments/charge  the bank is closed"), "{}", ran.out);
    assert!(ran.out.ends_with("nothing was asked (--dry-run)\n"), "{}", ran.out);
    let ran = with(&[]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("help: to do it without asking:  --yes"), "{}", ran.err);

    let ran = with(&["--yes", "--why", "the bank is open"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("done  orders[0]@0: its key is tried again now (payments, "));
    // Still closed: parked once more, and asked once more.
    payments.is_open.store(true, Ordering::Relaxed);
    until("the end", || {
        let _asked = with(&["--yes"]);
        (states(&machine) == ["done"]).then_some(())
    });
    let ran = with(&["--yes"]);
    assert_eq!(ran.code, 4, "{}", ran.out);
    assert!(ran.err.contains("1 dead letter is over already"), "{}", ran.err);
}

#[test]
fn a_parked_event_is_discarded_by_its_service() {
    let machine = Machine::start();
    machine.ok(&["topic", "create", "orders", "--partitions", "1"]);
    let _payments = Payments::start(&machine);
    let publish = ["event", "publish", "orders", "--type", "com.example.order.placed.v1"];
    machine.ok(&[&publish[..], &["--data", r#"{"order_id":"7"}"#]].concat());
    until_state(&machine, "parked");
    let arguments = ["dlq", "discard", "--all-of", "orders.payments.dlq", "--yes"];
    let done = machine.json(&arguments).remove(0);
    assert_eq!((&done["act"], &done["acts"][0]["outcome"]), (&"discard".into(), &"done".into()));
    until_state(&machine, "discarded");
}

#[test]
fn when_nobody_could_act_the_command_says_so() {
    let (machine, writer) = machine();
    writer.bury("a", 1, "k", &state("parked"));
    writer.bury("b", 2, "k", &state("retrying"));
    writer.bury("c", 3, "k", &[]);
    let redrive = ["dlq", "redrive", "--all-of", "orders.payments.dlq", "--yes", "--wait", "1"];
    let ran = machine.run(&redrive);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.err.contains("nobody reads acts: there is no topic `tidings.acts`"), "{}", ran.err);
    machine.ok(&["topic", "create", "tidings.acts", "--partitions", "1"]);
    let ran = machine.run(&redrive);
    assert_eq!(ran.code, 6, "{}", ran.out);
    assert!(ran.out.contains("1 dead letter is tried again without being asked"), "{}", ran.out);
    assert!(ran.out.contains("orders[0]@1  no answer yet"), "{}", ran.out);
    assert!(ran.err.contains("1 of 1 dead letter were not answered"), "{}", ran.err);
    let acts = machine.json(&["event", "tail", "tidings.acts", "--until-end"]);
    assert_eq!(acts[0]["type"], "dev.tidings.act.requested.v1");
    assert_eq!(
        (&acts[0]["data"]["offset"], &acts[0]["data"]["act"]),
        (&1.into(), &"redrive".into())
    );
}
