//! The purchases that the demo replays: CDNOW's published sample, built into the program, read
//! without floating point because money is counted in whole cents.

use std::num::ParseIntError;

use crate::Error;

/// The sample as published; `data/README.md` says where it comes from.
const CDNOW_SAMPLE: &str = include_str!("../data/cdnow-sample.txt");

/// How many purchases the sample has.
pub(crate) const SAMPLE_LINES: u32 = 6_919;

/// One line of the sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Purchase {
    /// The customer's id in CDNOW's master file.
    pub(crate) customer: u32,
    /// The day of the purchase as `YYYY-MM-DD`.
    pub(crate) bought_on: String,
    /// How many CDs were bought.
    pub(crate) cds: u32,
    /// What they cost together, in US cents; 0 for the few that were free.
    pub(crate) total_cents: i64,
}

/// Why a line is no purchase.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPurchase {
    /// The line has another number of columns.
    #[error("a purchase has five columns, this line has {0}")]
    Columns(usize),
    /// A column that should be a whole number is none.
    #[error("`{text}` is no {what}: {source}")]
    Number {
        /// What the column means.
        what: &'static str,
        /// What stands there.
        text: String,
        /// What the parser said.
        source: ParseIntError,
    },
    /// The date is not eight digits.
    #[error("`{0}` is no date of the form YYYYMMDD")]
    Date(String),
    /// The value is not dollars, a point and two digits of cents.
    #[error("`{0}` is no amount of the form 12.34")]
    Amount(String),
}

/// All purchases of the sample, in the order of its lines.
///
/// # Errors
/// [`Error::Purchase`] names the first line that is no purchase.
pub(crate) fn sample() -> Result<Vec<Purchase>, Error> {
    CDNOW_SAMPLE
        .lines()
        .enumerate()
        .map(|(index, line)| {
            parse(line).map_err(|reason| Error::Purchase { line: index + 1, reason })
        })
        .collect()
}

/// Reads one line: customer, customer within the sample, date, number of CDs, dollars.
///
/// # Errors
/// When the line is not of that form.
pub(crate) fn parse(line: &str) -> Result<Purchase, BadPurchase> {
    let columns: Vec<&str> = line.split_ascii_whitespace().collect();
    let [customer, _, date, cds, dollars] = columns[..] else {
        return Err(BadPurchase::Columns(columns.len()));
    };
    Ok(Purchase {
        customer: whole("customer number", customer)?,
        bought_on: day(date)?,
        cds: whole("number of CDs", cds)?,
        total_cents: cents(dollars)?,
    })
}

fn whole(what: &'static str, text: &str) -> Result<u32, BadPurchase> {
    text.parse().map_err(|source| BadPurchase::Number { what, text: text.to_owned(), source })
}

fn day(text: &str) -> Result<String, BadPurchase> {
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadPurchase::Date(text.to_owned()));
    }
    Ok(format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]))
}

fn cents(text: &str) -> Result<i64, BadPurchase> {
    let bad = || BadPurchase::Amount(text.to_owned());
    let (dollars, cents) = text.split_once('.').ok_or_else(bad)?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(dollars) || !digits(cents) || cents.len() != 2 {
        return Err(bad());
    }
    let dollars: i64 = dollars.parse().map_err(|_| bad())?;
    let cents: i64 = cents.parse().map_err(|_| bad())?;
    dollars.checked_mul(100).and_then(|whole| whole.checked_add(cents)).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_its_published_totals() {
        let purchases = sample().unwrap();
        assert_eq!(purchases.len(), SAMPLE_LINES as usize);
        assert_eq!(purchases.iter().map(|p| p.total_cents).sum::<i64>(), 24_409_194);
        assert_eq!(purchases.iter().map(|p| u64::from(p.cds)).sum::<u64>(), 16_479);
        assert_eq!(purchases.iter().filter(|p| p.total_cents == 0).count(), 8);
    }

    #[test]
    fn the_first_line_reads_as_it_stands() {
        assert_eq!(
            parse(" 00004 0001 19970101  2   29.33\r"),
            Ok(Purchase {
                customer: 4,
                bought_on: "1997-01-01".to_owned(),
                cds: 2,
                total_cents: 2933
            })
        );
    }

    #[test]
    fn amounts_are_exact_cents_or_refused() {
        for (text, expected) in [
            ("0.00", Some(0)),
            ("0.07", Some(7)),
            ("506.97", Some(50_697)),
            ("92233720368547758.07", Some(i64::MAX)),
            ("92233720368547758.08", None),
            ("5", None),
            ("5.", None),
            (".50", None),
            ("5.5", None),
            ("5.555", None),
            ("-5.00", None),
            ("+5.00", None),
            ("5,00", None),
        ] {
            assert_eq!(cents(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_bad_line_says_what_is_wrong() {
        for (line, text) in [
            ("", "a purchase has five columns, this line has 0"),
            ("4 1 19970101 2", "a purchase has five columns, this line has 4"),
            ("x 1 19970101 2 1.00", "`x` is no customer number: invalid digit found in string"),
            ("4 1 1997-1-1 2 1.00", "`1997-1-1` is no date of the form YYYYMMDD"),
            ("4 1 19970101 -2 1.00", "`-2` is no number of CDs: invalid digit found in string"),
            ("4 1 19970101 2 1", "`1` is no amount of the form 12.34"),
        ] {
            assert_eq!(parse(line).unwrap_err().to_string(), text);
        }
    }
}
