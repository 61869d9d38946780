//! A bank that is not ours: what the shop depends on and cannot help. It is played by files in a
//! directory beside the services' databases, so that people can make it fail and mend it while the
//! shop runs, and a killed process does not forget how it stands.
//!
//! | file | while it is there |
//! |---|---|
//! | `away` | the bank does not answer; with milliseconds since 1970 in it, until then |
//! | `unreadable-cards` | it cannot read the cards of these customers, one number a line |
//! | `planned-outage` | it will be away for so many milliseconds, from the 100th order on |

use std::fs;
use std::io::{ErrorKind, Result as IoResult};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// The order at which a planned outage begins: others are on their way, before it and behind it.
const OUTAGE_FROM_ORDER: u32 = 100;

/// Customers whose cards [`Bank::spoil_cards`] makes unreadable: nine of the first hundred orders.
const SPOILT: &str = "\
# customers whose cards the bank cannot read; without a line, or without this file, it can
71
113
114
";

/// The bank, as its files say.
#[derive(Clone, Debug)]
pub struct Bank {
    directory: PathBuf,
}

/// What it says to a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Taken,
    Refused,
}

/// Why it says nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BankError {
    #[error("the bank does not answer")]
    Away,
    #[error("the bank cannot read the card of customer {customer}")]
    Unreadable { customer: u32 },
    #[error("the bank's file {} cannot be used: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
}

impl Bank {
    /// The bank beside the databases in this directory.
    pub fn beside(data_dir: &Path) -> Bank {
        Bank { directory: data_dir.join("bank") }
    }

    /// The file that takes the bank away while it is there.
    pub fn away(&self) -> PathBuf {
        self.directory.join("away")
    }

    /// The file with the customers whose cards the bank cannot read.
    pub fn unreadable_cards(&self) -> PathBuf {
        self.directory.join("unreadable-cards")
    }

    fn planned_outage(&self) -> PathBuf {
        self.directory.join("planned-outage")
    }

    /// Makes the directory that its files are put into.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(&self) -> IoResult<()> {
        fs::create_dir_all(&self.directory)
    }

    /// Lets it be away for so long, once, from the 100th order on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn plan_outage(&self, lasts: Duration) -> IoResult<()> {
        fs::write(self.planned_outage(), lasts.as_millis().to_string())
    }

    /// Makes the cards of a few customers unreadable.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn spoil_cards(&self) -> IoResult<()> {
        fs::write(self.unreadable_cards(), SPOILT)
    }

    /// Charges a customer's card. Asked again about an order it answers the same, as if the order
    /// were the key by which it knows a repeat.
    ///
    /// # Errors
    /// When it gives no answer.
    pub(crate) fn charge(
        &self,
        order_id: u32,
        customer: u32,
        cents: i64,
    ) -> Result<Answer, BankError> {
        if order_id >= OUTAGE_FROM_ORDER {
            self.begin_planned_outage()?;
        }
        let now_ms = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
        // A file without a time: somebody has put it there, and takes it away again.
        let is_away = |text: String| text.trim().parse().map_or(true, |until_ms| now_ms < until_ms);
        if read(&self.away())?.is_some_and(is_away) {
            return Err(BankError::Away);
        }
        let is_theirs = |line: &str| line.trim().parse() == Ok(customer);
        if read(&self.unreadable_cards())?.is_some_and(|text| text.lines().any(is_theirs)) {
            return Err(BankError::Unreadable { customer });
        }
        Ok(rule(customer, cents))
    }

    fn begin_planned_outage(&self) -> Result<(), BankError> {
        let plan = self.planned_outage();
        let lasts = read(&plan)?.and_then(|text| text.trim().parse().ok());
        let Some(lasts_ms) = lasts else { return Ok(()) };
        let until = UNIX_EPOCH.elapsed().unwrap_or_default() + Duration::from_millis(lasts_ms);
        let away = self.away();
        let begun = fs::write(&away, until.as_millis().to_string());
        begun.map_err(|source| BankError::File { path: away, source })?;
        match fs::remove_file(&plan) {
            // Another order was a moment earlier.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|source| BankError::File { path: plan, source }),
        }
    }
}

/// A file's text; none if there is no such file.
fn read(path: &Path) -> Result<Option<String>, BankError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(BankError::File { path: path.to_owned(), source }),
    }
}

/// A free order needs no bank, every 29th card is blocked, and nobody pays more than 250 dollars at
/// once.
fn rule(customer: u32, cents: i64) -> Answer {
    let free = cents == 0;
    let good = !customer.is_multiple_of(29) && cents <= 25_000;
    if free || good { Answer::Taken } else { Answer::Refused }
}

#[cfg(test)]
mod tests;
