//! What a command knows about the place that it prints to: whether a person looks, how wide, with
//! colour or without. Colour never carries meaning alone; `NO_COLOR` and `CLICOLOR_FORCE` decide.

pub mod table;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use crate::failure::Failure;

/// The version of the JSON objects that commands print (`schema`). CloudEvents lines carry their
/// own `specversion` instead.
pub const SCHEMA: u32 = 1;

/// The two streams of the process as people see them.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// Standard output is a terminal.
    pub terminal: bool,
    /// Standard error is a terminal: progress may be drawn there.
    pub progress: bool,
    /// Columns of the terminal, if there is one.
    pub width: Option<usize>,
    colour: bool,
}

impl Screen {
    /// Looks at the streams and at the environment, once per process.
    pub fn detect() -> Self {
        let terminal = io::stdout().is_terminal();
        let columns = console::Term::stdout().size_checked().map(|(_, columns)| columns as usize);
        Self {
            terminal,
            progress: io::stderr().is_terminal(),
            width: columns.filter(|_| terminal),
            colour: wants_colour(terminal),
        }
    }

    /// A place without a terminal: plain text, no colour, no limit of width.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self { terminal: false, progress: false, width: None, colour: false }
    }

    /// Emphasis for names.
    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// For what matters less.
    pub fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    /// For what went wrong; the text itself must say so too.
    pub fn red(&self, text: &str) -> String {
        self.paint("31", text)
    }

    /// For what is worth a look.
    pub fn yellow(&self, text: &str) -> String {
        self.paint("33", text)
    }

    /// For event types.
    pub fn cyan(&self, text: &str) -> String {
        self.paint("36", text)
    }

    /// Cuts a line to the terminal's width, so that one event stays one line.
    pub fn fit(&self, line: &str) -> String {
        match self.width {
            Some(width) => console::truncate_str(line, width, "…").into_owned(),
            None => line.to_owned(),
        }
    }

    /// A progress bar on standard error, hidden when nobody watches.
    pub fn progress_bar(&self, total: u64, what: &'static str) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
        let template = "{msg} {bar:28} {human_pos} of {human_len}  {per_sec}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// Colour on standard error, for errors and notes.
pub fn error_colour() -> bool {
    wants_colour(io::stderr().is_terminal())
}

/// The convention of <https://no-color.org> and <https://bixense.com/clicolors>: `NO_COLOR` wins,
/// `CLICOLOR_FORCE` colours even a pipe, else only a terminal.
fn wants_colour(terminal: bool) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if set("NO_COLOR") {
        return false;
    }
    let forced =
        std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0");
    forced || (terminal && std::env::var_os("TERM").is_none_or(|term| term != "dumb"))
}

/// Prints to standard output; a closed pipe ends the command quietly (see `Failure::from`).
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Prints one line to standard output.
pub fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

/// A remark on standard error: not the result, so scripts do not read it.
pub fn note(text: &str) {
    let mut err = io::stderr().lock();
    // A remark that cannot be shown is no reason to stop.
    let _ = writeln!(err, "{text}");
}

/// Prints a JSON object with its `schema` version first.
pub fn json(mut object: Value) -> Result<(), Failure> {
    if let Value::Object(map) = &mut object {
        map.insert("schema".to_owned(), SCHEMA.into());
    }
    line(&object.to_string())
}

/// Asks a person on the terminal; `None` when there is nobody to ask.
pub fn ask(question: &str) -> Option<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Text from outside, made safe for a terminal: control characters (an escape sequence could redraw
/// the screen or change its title) are shown as what they are.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\t' => safe.push_str("\\t"),
            '\r' => safe.push_str("\\r"),
            c if c.is_control() || is_direction_mark(c) => {
                safe.extend(c.escape_unicode());
            }
            c => safe.push(c),
        }
    }
    safe
}

/// Marks that make a terminal show text in another order than it is stored.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// 1234567 as `1,234,567`.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// `1 event`, `2 events`.
pub fn counted(number: i64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        n => format!("{} {noun}s", grouped(n)),
    }
}

/// A duration with the unit that fits: `412 ms`, `3.2 s`, `4 min`, `2.5 h`, `3 days`.
pub fn duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let seconds = duration.as_secs_f64();
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{seconds:.1} s"),
        60_000..3_600_000 => format!("{:.0} min", seconds / 60.0),
        3_600_000..172_800_000 => format!("{:.1} h", seconds / 3_600.0),
        _ => format!("{:.0} days", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(printable("two\nlines\u{202e}"), "two\\nlines\\u{202e}");
        assert_eq!(printable("größe 7 €"), "größe 7 €");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (-1234567, "-1,234,567"),
            (24409194, "24,409,194"),
        ] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(counted(1, "event"), "1 event");
        assert_eq!(counted(2114, "record"), "2,114 records");
    }

    #[test]
    fn durations_have_the_unit_that_fits() {
        for (ms, text) in [
            (0, "0 ms"),
            (412, "412 ms"),
            (3_240, "3.2 s"),
            (240_000, "4 min"),
            (9_000_000, "2.5 h"),
            (259_200_000, "3 days"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), text);
        }
    }
}
