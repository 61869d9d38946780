//! The live table: a line per service with what it does, and the newest notes below.

use super::meter::{Meter, Notes};
use crate::output::table::{Align, Table};
use crate::output::{self, Screen};

/// Lays the table out for this terminal.
pub fn render(meters: &[Meter], notes: &Notes, screen: &Screen) -> String {
    let columns = [
        ("service", Align::Left),
        ("pid", Align::Right),
        ("handled", Align::Right),
        ("/s", Align::Right),
        ("lag", Align::Right),
        ("in flight", Align::Right),
        ("retried", Align::Right),
        ("dead", Align::Right),
        ("parked", Align::Right),
        ("last", Align::Left),
    ];
    let mut table = Table::new(&columns, None);
    for meter in meters {
        let total = meter.total();
        table.row([
            meter.name.to_owned(),
            meter.pid.map_or("-".to_owned(), |pid| pid.to_string()),
            number(total.handled),
            number(meter.rate()),
            meter.lag.map_or("-".to_owned(), output::grouped),
            number(total.in_flight),
            number(total.retried),
            number(total.dead),
            number(total.parked),
            meter.last.clone(),
        ]);
    }
    let mut text = table.render();
    for note in notes.lines() {
        text.push_str(&format!("  {note}\n"));
    }
    text.lines().map(|line| format!("{}\n", screen.fit(line))).collect()
}

fn number(n: u64) -> String {
    output::grouped(i64::try_from(n).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::scrape::Sample;
    use super::super::supervisor::News;
    use super::*;

    #[test]
    fn a_line_per_service_and_the_notes_below() {
        let now = Instant::now();
        let mut orders = Meter::new("orders");
        orders.hear(&News::Started { name: "orders", pid: 48211 }, now);
        for (seconds, handled) in [(0, 1_164), (2, 1_204)] {
            let sample = Sample { handled, in_flight: 0, retried: 1, dead: 2, parked: 1 };
            orders.measure(sample, now + Duration::from_secs(seconds));
        }
        orders.lags(0);
        orders.last = "order.placed 1042".to_owned();
        let payments = Meter::new("payments");
        let mut notes = Notes::default();
        notes.add("10:41:07  payments was killed (signal 9); back in 400 ms".to_owned());
        insta::assert_snapshot!(render(&[orders, payments], &notes, &Screen::plain()));
    }
}
