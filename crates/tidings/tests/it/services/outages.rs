//! What a handler depends on is away: its events wait, none uses its attempts up, and it ends by
//! itself. Without a store; `stored::outages` has one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidings::Retries;
use tidings::prelude::*;
use tidings::progress::Progress;
use tidings::test::Harness;

use super::rig::{Placed, Running, Seen, committed, placed, until};
use super::start_and_stop::ask;
use crate::broker::Broker;

/// What the handlers depend on.
#[derive(Clone, Default)]
struct Bank {
    is_down: Arc<AtomicBool>,
    /// Says so itself.
    is_frank: bool,
    /// Keys that asked it while it was down.
    turned_away: Arc<Mutex<BTreeSet<String>>>,
    asked: Arc<AtomicUsize>,
}

impl Bank {
    fn down() -> Bank {
        let bank = Bank::default();
        bank.is_down.store(true, Ordering::SeqCst);
        bank
    }

    fn mend(&self) {
        self.is_down.store(false, Ordering::SeqCst);
    }

    fn charge(&self, order: &Placed) -> Result<(), Fail> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if !self.is_down.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.turned_away.lock().unwrap().insert(order.key.clone());
        match self.is_frank {
            true => Err(Fail::down("the bank is closed")),
            false => Err(Fail::retry("the bank does not answer")),
        }
    }

    fn turned_away(&self) -> usize {
        self.turned_away.lock().unwrap().len()
    }
}

async fn charge(
    order: Placed,
    State(bank): State<Bank>,
    State(seen): State<Seen>,
) -> Result<(), Fail> {
    bank.charge(&order)?;
    seen.add(&order.key, order.n);
    Ok(())
}

/// The same, and never done at its first poll.
async fn charge_slowly(order: Placed, bank: State<Bank>, seen: State<Seen>) -> Result<(), Fail> {
    tokio::task::yield_now().await;
    charge(order, bank, seen).await
}

async fn note(order: Placed, State(seen): State<Seen>) -> Result<(), Fail> {
    seen.add(&format!("note {}", order.key), order.n);
    Ok(())
}

fn payments(bank: &Bank, seen: &Seen) -> Service {
    Service::new("payments").state(bank.clone()).state(seen.clone())
}

/// Events of so many keys, in turn.
async fn publish(broker: &Broker, events: u32, keys: u32) {
    let publisher = broker.publisher().await;
    for n in 0..events {
        drop(publisher.enqueue(placed(&format!("k{}", n % keys), n)).await.unwrap());
    }
    publisher.flush().await;
}

/// Each event once, in the order of its key.
fn check_all(seen: &Seen, events: u32, keys: u32) {
    for key in 0..keys {
        let expected: Vec<u32> = (0..events).filter(|n| n % keys == key).collect();
        assert_eq!(seen.of(&format!("k{key}")), expected);
    }
}

fn is_noted(running: &Running, text: &str) -> bool {
    running.stats.notes().iter().any(|note| note.contains(text))
}

async fn everything_waits_and_is_handled_once(service: Service, bank: Bank, seen: Seen) {
    let broker = Broker::start().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = port.to_string();
    let running = Running::start_with(service, &broker, &[("http", &address)]).ready().await;
    publish(&broker, 90, 30).await;
    until("the outage", || is_noted(&running, "handler charge: what it depends on is away")).await;
    // Four ran at the same time.
    let turned_away = bank.turned_away();
    assert!((1..20 + 4).contains(&turned_away), "{turned_away} of 30 keys until it was found");

    let asked = bank.asked.load(Ordering::SeqCst);
    until("probes", || bank.asked.load(Ordering::SeqCst) >= asked + 4).await;
    assert!(running.now().ready, "the service does what it can");
    let page = ask(&address, "/readyz?verbose").await;
    assert!(page.contains("[+] handler charge: what it depends on is away since 20"), "{page}");
    assert!(page.contains("the last failure: the bank"), "{page}");
    let metrics = ask(&address, "/metrics").await;
    let line = |name: &str, value: u32| {
        format!("tidings_handler_{name}{{handler=\"charge\",service=\"payments\"}} {value}\n")
    };
    assert!(metrics.contains(&line("probing", 1)), "{metrics}");
    assert!(metrics.contains(&line("outages_total", 1)), "{metrics}");
    let outages = || -> Vec<String> {
        let commits = committed(&broker, "payments", "orders").into_values();
        let told = commits.filter_map(|(offset, text)| Progress::decode(&text, offset).ok());
        told.flat_map(|progress| progress.outages).map(|outage| outage.handler).collect()
    };
    until("the commits to tell it", || outages().contains(&"charge".to_owned())).await;

    bank.mend();
    until("all", || seen.len() == 90).await;
    check_all(&seen, 90, 30);
    until("its end", || running.stats.notes().is_empty()).await;
    assert_eq!(running.now().dead_lettered, 0);
    let metrics = ask(&address, "/metrics").await;
    assert!(metrics.contains(&line("probing", 0)), "{metrics}");
    until("the commits to tell its end", || outages().is_empty()).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_is_down_is_found_out_and_everything_waits_for_it() {
    let (bank, seen) = (Bank::down(), Seen::default());
    let service = payments(&bank, &seen).concurrency(4).on("charge", charge);
    everything_waits_and_is_handled_once(service, bank, seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_says_so_itself_is_found_out_at_once() {
    let (bank, seen) = (Bank { is_frank: true, ..Bank::down() }, Seen::default());
    let service = payments(&bank, &seen).concurrency(4).on("charge", charge_slowly);
    everything_waits_and_is_handled_once(service, bank.clone(), seen).await;
    assert!(bank.turned_away() <= 4 + 8, "{} keys asked", bank.turned_away());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_handler_of_the_service_goes_on() {
    let broker = Broker::start().await;
    let (bank, seen) = (Bank::down(), Seen::default());
    let service = payments(&bank, &seen).on("charge", charge).on("note", note);
    let running = Running::start(service, &broker).ready().await;
    publish(&broker, 300, 30).await;
    until("the other handler", || seen.len() == 300).await;
    assert!(is_noted(&running, "handler charge"));
    bank.mend();
    until("all", || seen.len() == 600).await;
    check_all(&seen, 300, 30);
    assert_eq!(running.now().dead_lettered, 0);
    running.stop().await.unwrap();
}

/// What waits for its turn is let go at once, and its turn comes at the next owner's.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_and_a_new_owner_while_everything_waits() {
    let broker = Broker::start().await;
    broker.admin().unwrap().create("orders", 4, &[]).await.unwrap();
    let (bank, seen) = (Bank::down(), Seen::default());
    let start = || Running::start(payments(&bank, &seen).on("charge", charge), &broker);
    let first = start().ready().await;
    publish(&broker, 200, 40).await;
    until("the outage", || is_noted(&first, "handler charge")).await;
    let second = start().ready().await;
    until("the outage there", || is_noted(&second, "handler charge")).await;
    let began = Instant::now();
    first.stop().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "it stopped in {:?}", began.elapsed());
    bank.mend();
    until("all", || seen.len() == 200).await;
    check_all(&seen, 200, 40);
    second.stop().await.unwrap();
}

async fn fail_bad(order: Placed, State(seen): State<Seen>) -> Result<(), Fail> {
    if order.key.starts_with("bad") {
        return Err(Fail::retry("no such customer"));
    }
    seen.add(&order.key, order.n);
    Ok(())
}

/// One key with 30 % of the traffic, and another 1 % of events that fail by themselves.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_key_and_a_little_poison_are_no_outage() {
    let broker = Broker::start().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (address, seen) = (port.to_string(), Seen::default());
    let service = Service::new("payments").state(seen.clone()).on("charge", fail_bad);
    let service = service.retries(Retries::default().attempts(2));
    let running = Running::start_with(service, &broker, &[("http", &address)]).ready().await;
    let publisher = broker.publisher().await;
    let (events, mut bad) = (3000, 0);
    for n in 0..events {
        let key = match n {
            n if n % 10 < 3 => "bad".to_owned(),
            n if n % 100 == 99 => format!("bad{n}"),
            n => format!("k{}", n % 50),
        };
        bad += u64::from(key.starts_with("bad"));
        drop(publisher.enqueue(placed(&key, n)).await.unwrap());
    }
    publisher.flush().await;
    let all = || seen.len() as u64 + running.now().dead_lettered == u64::from(events);
    until("all", all).await;
    assert_eq!(running.now().dead_lettered, bad);
    let metrics = ask(&address, "/metrics").await;
    let never = "tidings_handler_outages_total{handler=\"charge\",service=\"payments\"} 0\n";
    assert!(metrics.contains(never), "{metrics}");
    running.stop().await.unwrap();
}

async fn harness(bank: &Bank, seen: &Seen) -> Harness {
    tidings::test::service(payments(bank, seen).on("charge", charge)).await
}

#[tokio::test]
async fn a_test_does_not_wait_for_what_does_not_come() {
    for is_frank in [false, true] {
        let (bank, seen) = (Bank { is_frank, ..Bank::down() }, Seen::default());
        let t = harness(&bank, &seen).await;
        let given_up = if is_frank { 0 } else { 9 };
        for n in 0..given_up {
            let handled = t.handle(placed(&format!("k{n}"), n)).await;
            handled.expect_dead_letter("the bank does not answer");
        }
        // Nobody can know of the first ones. From now on it is no matter of single events.
        for n in given_up..given_up + 20 {
            let waiting = t.handle(placed(&format!("k{n}"), n)).await.expect_waiting("the bank");
            assert!(waiting.attempts() <= 11, "{}", waiting.attempts());
        }
        bank.mend();
        t.handle(placed("k10", 10)).await.expect_nothing();
        t.handle(placed("other", 1)).await.expect_nothing();
        assert_eq!(seen.all(), [("k10".to_owned(), 10), ("other".to_owned(), 1)]);
    }
}

#[tokio::test]
#[should_panic(expected = "a handler waits: the bank is closed")]
async fn a_wrong_expectation_tells_that_it_waits() {
    let bank = Bank { is_frank: true, ..Bank::down() };
    let t = harness(&bank, &Seen::default()).await;
    t.handle(placed("a", 7)).await.expect_nothing();
}
