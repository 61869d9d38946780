//! The first lines of `tidings dev`: what runs where, where the data lives, what to try next.

use std::fmt::Write as _;

use super::meter::Meter;
use super::{DevArgs, Ground};
use crate::broker::start::USUAL;
use crate::output::{self, Screen};

/// A command to try, and what it shows.
struct Try {
    command: String,
    shows: &'static str,
}

/// The banner of a broker without a demo.
pub fn plain(args: &DevArgs, ground: &Ground, screen: &Screen) -> String {
    let at = bootstrap_flag(&ground.bootstrap);
    let publish = format!(
        "tidings event publish orders{at} --type com.example.order.placed.v1 --data '{{}}'"
    );
    let tries = [
        Try { command: format!("tidings topic create orders{at}"), shows: "a topic" },
        Try { command: publish, shows: "an event in it" },
        Try { command: "tidings new payments".to_owned(), shows: "a service of your own" },
    ];
    render(&headline(args, ground, screen), &tries, screen)
}

/// The banner of the shop, with what to do to its payments service and to the bank that this asks.
pub fn shop(
    args: &DevArgs,
    ground: &Ground,
    payments: Option<&Meter>,
    bank: &shop::Bank,
    screen: &Screen,
) -> String {
    let at = bootstrap_flag(&ground.bootstrap);
    let mut tries = vec![
        Try {
            command: format!("tidings event tail orders payments{at}"),
            shows: "every event as it happens",
        },
        Try {
            command: format!("tidings flow --key order=1{at}"),
            shows: "everything one order caused",
        },
    ];
    if let Some(pid) = payments.and_then(|payments| payments.pid) {
        let shows = "the payments service; watch it catch up";
        tries.push(Try { command: format!("kill -9 {pid}"), shows });
    }
    if args.bank_poison {
        let shows = "the orders that the bank cannot take";
        tries.push(Try { command: format!("tidings dlq ls{at}"), shows });
        if let Some(address) = payments.and_then(|payments| payments.address) {
            let command = format!("curl -s http://{address}/metrics | grep ^tidings_dlq");
            tries.push(Try { command, shows: "how many, as an alert sees it" });
        }
        let shows = "the bank is mended; next:  tidings dlq redrive";
        let file = bank.unreadable_cards();
        tries.push(Try { command: format!("rm {}", file.display()), shows });
    } else {
        let shows = "the bank is away, until you remove the file";
        tries.push(Try { command: format!("touch {}", bank.away().display()), shows });
    }
    render(&headline(args, ground, screen), &tries, screen)
}

fn headline(args: &DevArgs, ground: &Ground, screen: &Screen) -> String {
    let data = match (&args.data, &ground.broker) {
        (Some(directory), _) => format!("data in {}", directory.display()),
        (None, Some(_)) => "data in memory, lost on exit (--data DIR keeps it)".to_owned(),
        (None, None) => "the services' data is lost on exit (--data DIR keeps it)".to_owned(),
    };
    let ready = output::duration(ground.began.elapsed());
    format!(
        "{} {}   broker {}   {data}   ready in {ready}",
        screen.bold("Tidings"),
        env!("CARGO_PKG_VERSION"),
        screen.bold(&ground.bootstrap),
    )
}

fn render(headline: &str, tries: &[Try], screen: &Screen) -> String {
    let width = tries.iter().map(|next| next.command.chars().count()).max().unwrap_or(0);
    let mut text = format!("{headline}\n\n");
    for (at, Try { command, shows }) in tries.iter().enumerate() {
        let lead = if at == 0 { "try" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {lead:<5} {command:<width$}   {}", screen.dim(shows));
    }
    text.push('\n');
    text
}

fn bootstrap_flag(bootstrap: &str) -> String {
    match bootstrap {
        USUAL => String::new(),
        other => format!(" --bootstrap {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_broker_unless_it_is_the_usual_one() {
        assert_eq!(bootstrap_flag("127.0.0.1:9092"), "");
        assert_eq!(bootstrap_flag("127.0.0.1:4711"), " --bootstrap 127.0.0.1:4711");
    }

    #[test]
    fn tries_line_up() {
        let tries = [
            Try { command: "a".to_owned(), shows: "one" },
            Try { command: "long".to_owned(), shows: "two" },
        ];
        assert_eq!(
            render("head", &tries, &Screen::plain()),
            "head\n\n  try   a      one\n        long   two\n\n"
        );
    }
}
