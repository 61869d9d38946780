//! What many turns say together: medians, ratios of what stood side by side, percentiles.

use std::fmt;

use serde_json::{Value, json};

use crate::Outcome;

/// Numbers of one side, a turn each.
#[derive(Debug, Default, Clone)]
pub(super) struct Turns(pub(super) Vec<f64>);

/// The median of pairwise ratios, with the least and the largest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratio {
    median: f64,
    least: f64,
    most: f64,
}

/// A goal for a ratio.
#[derive(Debug, Clone, Copy)]
pub(super) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    Open,
}

impl Turns {
    pub(super) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => sorted[n / 2],
            n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
        }
    }

    pub(super) fn most(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::max)
    }

    /// Ours to theirs, turn by turn.
    pub(super) fn to(&self, theirs: &Turns) -> Ratio {
        let ratios = Turns(self.0.iter().zip(&theirs.0).map(|(a, b)| a / b).collect());
        let least = ratios.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.0.iter().copied().fold(0.0, f64::max);
        Ratio { median: ratios.median(), least, most }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2} to {:.2})", self.median, self.least, self.most)
    }
}

impl Ratio {
    pub(super) fn json(self) -> Value {
        json!({ "median": self.median, "least": self.least, "most": self.most })
    }

    pub(super) fn against(self, goal: Goal) -> String {
        goal.verdict(self.median)
    }
}

impl Goal {
    /// The goal and whether `value` meets it.
    pub(super) fn verdict(self, value: f64) -> String {
        let missed = |by: f64| format!("missed by {:.0} %", by * 100.0);
        match self {
            Self::Open => String::new(),
            Self::AtLeast(goal) if value >= goal => format!("≥ {goal}: met"),
            Self::AtLeast(goal) => format!("≥ {goal}: {}", missed(1.0 - value / goal)),
            Self::AtMost(goal) if value <= goal => format!("≤ {goal}: met"),
            Self::AtMost(goal) => format!("≤ {goal}: {}", missed(value / goal - 1.0)),
        }
    }
}

/// Histograms of several turns as one.
#[derive(Debug)]
pub(super) struct Spread(Vec<(f64, u64)>);

impl Spread {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds what `load` has printed of one turn.
    pub(super) fn add(&mut self, said: &Value) -> Outcome {
        let all = said["all"].as_array().ok_or("a measurement without its histogram")?;
        self.0.extend(all.iter().filter_map(|step| Some((step[0].as_f64()?, step[1].as_u64()?))));
        self.0.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(())
    }

    /// The value in microseconds below which such a share of all lies.
    pub(super) fn us(&self, share: f64) -> f64 {
        let total: u64 = self.0.iter().map(|step| step.1).sum();
        let wanted = (total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (us, count) in &self.0 {
            seen += count;
            if seen >= wanted {
                return *us;
            }
        }
        f64::NAN
    }

    pub(super) fn json(&self) -> Value {
        json!({ "p50_us": self.us(0.5), "p99_us": self.us(0.99), "max_us": self.us(1.0) })
    }
}

/// A table in Markdown.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text
}

/// 1234567 as 1,234,567.
pub(super) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number that a measurement has to hold.
pub(super) fn number(said: &Value, name: &str) -> Outcome<f64> {
    said[name].as_f64().ok_or_else(|| format!("a measurement without {name}: {said}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_turn_by_turn_before_the_median() {
        let (ours, theirs) = (Turns(vec![2.0, 30.0, 8.0]), Turns(vec![1.0, 10.0, 2.0]));
        let ratio = ours.to(&theirs);
        assert_eq!((ratio.median, ratio.least, ratio.most), (3.0, 2.0, 4.0));
        assert_eq!(Turns(vec![4.0, 1.0]).median(), 2.5);
    }

    #[test]
    fn goals_say_by_how_much_they_are_missed() {
        assert_eq!(Goal::AtLeast(2.0).verdict(2.0), "≥ 2: met");
        assert_eq!(Goal::AtLeast(2.0).verdict(1.5), "≥ 2: missed by 25 %");
        assert_eq!(Goal::AtMost(1.0).verdict(1.5), "≤ 1: missed by 50 %");
    }

    #[test]
    fn histograms_of_turns_are_put_together() {
        let mut spread = Spread::new();
        spread.add(&json!({ "all": [[10.0, 98], [500.0, 1]] })).unwrap();
        spread.add(&json!({ "all": [[5.0, 100], [900.0, 1]] })).unwrap();
        assert_eq!((spread.us(0.5), spread.us(0.99), spread.us(1.0)), (5.0, 10.0, 900.0));
        assert!(spread.add(&json!({})).is_err());
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [grouped(12.0), grouped(1234.4), grouped(1234567.0)],
            ["12", "1,234", "1,234,567"]
        );
    }
}
