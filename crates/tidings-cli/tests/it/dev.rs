//! The demo in one command: all orders in a final state and sums that agree, a killed service, a
//! clean end, and the same on a broker of its own.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver};

use serde_json::Value;

use crate::machine::{Machine, PATIENCE, Ran, Running, lines, rest, run, tidings};

const SERVICES: [&str; 5] = ["orders", "payments", "inventory", "shipping", "notifications"];

/// A running `tidings dev` without a terminal.
struct Dev {
    running: Running,
    notes: Receiver<String>,
    out: Option<std::process::ChildStdout>,
}

impl Dev {
    fn start(arguments: &[&str]) -> Self {
        let mut command = tidings();
        command.args(["dev", "--demo", "shop"]).args(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary");
        let (tell, notes) = mpsc::channel();
        let err = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        let out = child.stdout.take();
        Self { running: Running(child), notes, out }
    }

    /// Waits for a line on standard error.
    fn note(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line =
                self.notes.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("in vain: {what}"));
            if wanted(&line) {
                return line;
            }
        }
    }

    /// The process of a service, from its `NAME PID` line.
    fn pid(&self, name: &str) -> i32 {
        let line =
            self.note(name, |line| line.starts_with(&format!("{name} ")) && !line.contains(':'));
        line.rsplit_once(' ').expect("two words").1.parse().expect("a number")
    }

    fn finish(mut self) -> (Option<i32>, Vec<Value>) {
        let out = rest(self.out.take().expect("once"));
        (self.running.wait(), lines(&out))
    }
}

fn agrees(summary: &Value, orders: u64) {
    let count = |name: &str| summary["orders"][name].as_u64().expect("a number");
    assert_eq!(count("placed"), orders);
    assert_eq!(count("completed") + count("refused") + count("cancelled"), orders);
    let services = summary["services"].as_object().expect("services");
    assert_eq!(services.len(), SERVICES.len());
    for (name, counts) in services {
        assert_eq!(counts["dead_lettered"], 0, "{name}");
        assert_eq!(counts["duplicate_effects"], 0, "{name}");
    }
    assert!(
        summary["money_cents"]["ordered"].as_u64() >= summary["money_cents"]["charged"].as_u64()
    );
}

fn signal(pid: i32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("it runs");
}

fn lives(pid: i32) -> bool {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok()
}

#[test]
fn orders_reach_a_final_state_and_the_sums_agree() {
    let mut command = tidings();
    command.args(["dev", "--demo", "shop", "--listen", "127.0.0.1:0"]);
    command.args(["--rate", "max", "--orders", "150", "--exit"]);
    let Ran { code, out, err } = run(command, "");
    assert_eq!(code, 0, "{err}");
    let all = lines(&out);
    assert_eq!(all.len(), 1, "one line of JSON: {out}");
    agrees(&all[0], 150);
    for name in SERVICES {
        assert!(err.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}: {err}");
    }
    assert!(err.contains("tidings flow --key order=1 --bootstrap 127.0.0.1:"), "{err}");
}

#[test]
fn a_killed_service_is_started_again_and_nothing_is_lost() {
    let data = tempfile::tempdir().expect("a directory");
    let directory = data.path().display().to_string();
    let arguments = ["--listen", "127.0.0.1:0", "--data", &directory];
    let dev =
        Dev::start(&[&arguments[..], &["--rate", "60", "--orders", "240", "--exit"]].concat());
    let pid = dev.pid("payments");
    dev.note("the banner", |line| line.starts_with("Tidings "));
    // Killed in the middle of its work: when orders have been placed, not all of them.
    let bank = data.path().join("shop/payments.db");
    crate::machine::until("payments works", || bank.exists().then_some(()));
    signal(pid, nix::sys::signal::Signal::SIGKILL);
    dev.note("the death is told", |line| {
        line.contains("payments was killed (signal 9); starts again")
    });
    dev.note("the return is told", |line| line.contains("payments was killed (signal 9); back in"));
    let (code, out) = dev.finish();
    assert_eq!(code, Some(0));
    agrees(&out[0], 240);
}

#[test]
fn without_a_store_orders_reach_a_final_state_too() {
    let ran = headless(&["--orders", "60", "--store", "none"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(lines(&ran.out)[0]["orders"]["placed"], 60);
}

fn headless(more: &[&str]) -> Ran {
    let mut command = tidings();
    command.args(["dev", "--demo", "shop", "--listen", "127.0.0.1:0", "--rate", "max", "--exit"]);
    command.args(more);
    run(command, "")
}

#[test]
fn orders_end_although_the_bank_was_away() {
    let ran = headless(&["--orders", "150", "--bank-down", "2"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let summary = &lines(&ran.out)[0];
    agrees(summary, 150);
    assert!(summary["services"]["payments"]["retried"].as_u64() > Some(0), "{summary}");
}

#[test]
fn orders_that_the_bank_cannot_take_are_told_as_parked() {
    let ran = headless(&["--orders", "60", "--bank-poison"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let summary = &lines(&ran.out)[0];
    assert_eq!(summary["orders"]["parked"], 9);
    assert_eq!(summary["services"]["payments"]["dead_lettered"], 9);
    let ran = headless(&["--orders", "60", "--bank-poison", "--store", "none"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("--bank-poison needs a store"), "{}", ran.err);
}

#[test]
fn an_effect_that_was_made_twice_is_a_fault_where_there_is_a_store() {
    let data = tempfile::tempdir().expect("a directory");
    let directory = data.path().display().to_string();
    let selling = |orders: &str| headless(&["--data", &directory, "--orders", orders]);
    assert_eq!(selling("20").code, 0);
    double_a_charge(&data.path().join("shop/payments.db"));
    let ran = selling("40");
    assert_eq!(ran.code, 5, "{}", ran.err);
    let fault = "payments: effects beyond the first for their event (its view `effects` has them): \
                 1 is not 0";
    assert!(ran.err.contains(fault), "{}", ran.err);
    assert!(ran.err.contains("look at the databases:  "), "{}", ran.err);
}

/// What a handler would leave that ran twice for one event.
fn double_a_charge(file: &std::path::Path) {
    let double = "insert into charges (source, id, attempt, order_id, customer, cents, outcome)
                  select source, id, attempt, order_id, customer, cents, outcome from charges
                  order by seq limit 1";
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = tidings::Store::sqlite(file).await.expect("the database");
        let pool = store.sqlite_pool().expect("it is SQLite");
        sqlx::query(double).execute(pool).await.expect("a row");
    });
}

#[test]
fn a_stop_takes_all_services_along_and_sums_up() {
    let dev = Dev::start(&["--listen", "127.0.0.1:0", "--rate", "20"]);
    let mut pids: Vec<i32> = Vec::new();
    while pids.len() < SERVICES.len() {
        let line = dev.note("a start", |line| {
            SERVICES.iter().any(|name| line.starts_with(&format!("{name} ")))
        });
        pids.push(line.rsplit_once(' ').expect("two words").1.parse().expect("a number"));
    }
    dev.note("the banner", |line| line.starts_with("Tidings "));
    dev.running.terminate();
    let (code, out) = dev.finish();
    assert_eq!(code, Some(0));
    assert_eq!(out.len(), 1);
    for pid in pids {
        assert!(!lives(pid), "{pid} is left over");
    }
}

#[test]
fn services_end_with_a_parent_that_was_killed() {
    let dev = Dev::start(&["--listen", "127.0.0.1:0", "--rate", "20"]);
    let pid = dev.pid("payments");
    dev.note("the banner", |line| line.starts_with("Tidings "));
    let parent = i32::try_from(dev.running.0.id()).expect("a pid");
    signal(parent, nix::sys::signal::Signal::SIGKILL);
    crate::machine::until("the service ends", || (!lives(pid)).then_some(()));
}

#[test]
fn the_shop_runs_on_any_broker() {
    let machine = Machine::start();
    let mut command = tidings();
    command.args(["dev", "--demo", "shop", "--bootstrap", &machine.bootstrap]);
    command.args(["--rate", "max", "--orders", "60", "--exit"]);
    let ran = run(command, "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    agrees(&lines(&ran.out)[0], 60);
    let flow = machine.json(&["flow", "--key", "order=7"]).remove(0);
    let root = &flow["roots"][0];
    assert_eq!(root["subject"], "order/7");
    assert_eq!(root["service"], "orders");
    assert!(!root["children"].as_array().expect("children").is_empty(), "{flow}");
    let group = machine.json(&["group", "show", "payments"]).remove(0);
    assert!(group["partitions"].as_array().is_some_and(|rows| !rows.is_empty()), "{group}");

    // The broker is kept, the stores are not: others would not know what was done.
    let again = ["dev", "--demo", "shop", "--bootstrap", &machine.bootstrap, "--exit"];
    let ran = machine.run(&again);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("the broker has groups of an earlier shop"), "{}", ran.err);
    assert!(ran.err.contains("--data DIR"), "{}", ran.err);
    let without = ["--store", "none", "--rate", "max", "--orders", "20"];
    let ran = machine.run(&[&again[..], &without[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn without_a_demo_it_is_a_broker_with_advice() {
    let mut command = tidings();
    command.args(["dev", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the binary");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut running = Running(child);
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert!(line.starts_with("Tidings "), "{line}");
    assert!(line.contains("data in memory, lost on exit (--data DIR keeps it)"), "{line}");
    let bootstrap = line.split("broker ").nth(1).and_then(|rest| rest.split(' ').next());
    let mut command = tidings();
    command.args(["topic", "create", "orders", "--bootstrap", bootstrap.expect("an address")]);
    assert_eq!(run(command, "").code, 0);
    running.terminate();
    assert_eq!(running.wait(), Some(0));
}
