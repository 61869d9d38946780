//! The house's rules as a check: who may depend on whom, budgets, what no file may hold.
//! It is also a test, so that `cargo test --workspace` finds what CI would.

mod arrows;
mod budgets;
mod formats;
mod layout;
mod links;
mod source;
mod words;

use std::fmt;

use crate::{Outcome, place};
use source::Tree;

/// A place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// `cargo xtask tidy`.
pub(crate) fn command(words: &[String]) -> Outcome {
    if let Some(word) = words.first() {
        return Err(format!("`tidy` takes no words, not even {word}").into());
    }
    let tree = Tree::of(&place::root())?;
    let findings = check(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} files, nothing found", tree.files.len());
            Ok(())
        }
        1 => Err("one thing is untidy".into()),
        many => Err(format!("{many} things are untidy").into()),
    }
}

/// Every rule over every file.
fn check(tree: &Tree) -> Vec<Finding> {
    let rules =
        [arrows::check, budgets::check, formats::check, layout::check, links::check, words::check];
    let mut findings: Vec<Finding> = rules.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_tree_is_tidy() {
        let tree = Tree::of(&place::root()).expect("the tree can be read");
        let findings = check(&tree);
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    }
}
