//! The flags of each tool, a file per subcommand.

#[cfg(feature = "mutants")]
pub(crate) mod broker;
pub(crate) mod check;
pub(crate) mod kill;
#[cfg(feature = "mutants")]
pub(crate) mod mutants;
pub(crate) mod proxy;
pub(crate) mod run;

use std::ops::Range;

/// Parses `50..2000`.
fn millis(text: &str) -> Result<Range<u64>, String> {
    let wrong = || format!("`{text}` is no range of milliseconds such as 50..2000");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    match (from.parse(), to.parse()) {
        (Ok(from), Ok(to)) if from < to => Ok(from..to),
        _ => Err(wrong()),
    }
}
