//! Lengths: lines, functions, files. What is over its budget is split, not excused; a function that
//! was over it when the rule came stands in `xtask/ratchet.toml` and may only shrink.

use super::Finding;
use super::source::{Source, Tree, indent};

const LINE_COLUMNS: usize = 100;
const FUNCTION_LINES: usize = 70;
const FILE_LINES: usize = 800;
const RATCHET: &str = "xtask/ratchet.toml";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        if file.path.ends_with(".rs") || file.path.ends_with(".py") {
            findings.extend(long_lines(file));
        }
    }
    for file in tree.rust() {
        let lines = file.lines_without_tests();
        if lines.len() > FILE_LINES {
            let what = format!("{} lines without tests, {FILE_LINES} is the end", lines.len());
            findings.push(Finding::new(&file.path, 1, what));
        }
    }
    findings.extend(long_functions(tree));
    findings
}

fn long_lines(file: &Source) -> Vec<Finding> {
    let too_long = |line: &str| line.chars().count() > LINE_COLUMNS && !line.contains("://");
    (file.text.lines().enumerate())
        .filter(|(_, line)| too_long(line))
        .map(|(at, _)| Finding::new(&file.path, at + 1, format!("over {LINE_COLUMNS} columns")))
        .collect()
}

/// Functions over the budget, less those that the ratchet holds where they are.
fn long_functions(tree: &Tree) -> Vec<Finding> {
    let ratchet = tree.find(RATCHET).map(|file| file.text.as_str()).unwrap_or_default();
    let mut held: toml::Table = match ratchet.parse() {
        Ok(held) => held,
        Err(error) => return vec![Finding::new(RATCHET, 1, format!("is no TOML: {error}"))],
    };
    let mut findings = Vec::new();
    for file in tree.rust() {
        for (name, line, length) in functions(file) {
            if length <= FUNCTION_LINES {
                continue;
            }
            let key = format!("{}#{name}", file.path);
            let limit = held.remove(&key).and_then(|limit| limit.as_integer());
            let limit = limit.and_then(|limit| usize::try_from(limit).ok());
            if length > limit.unwrap_or(FUNCTION_LINES) {
                let what = format!("`{name}` has {length} lines, {FUNCTION_LINES} is the budget");
                findings.push(Finding::new(&file.path, line, what));
            }
        }
    }
    let gone = |key: &String| Finding::new(RATCHET, 1, format!("{key} needs no excuse any more"));
    findings.extend(held.keys().map(gone));
    findings
}

/// (name, line, lines) of every function with a body, by rustfmt's shape: it ends at its indent.
fn functions(file: &Source) -> Vec<(String, usize, usize)> {
    let lines = file.lines_without_tests();
    let mut found = Vec::new();
    for (at, (number, line)) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        if line.trim_end().ends_with([';', '}']) {
            continue;
        }
        let depth = indent(line);
        let end = lines[at + 1..].iter().position(|(_, line)| {
            indent(line) == depth
                && line[depth..].starts_with(['}', ')'])
                && line.ends_with(['}', ';'])
        });
        let Some(end) = end else { continue };
        found.push((name, *number, end + 2));
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let mut words = line.split_whitespace().peekable();
    let modifiers = ["pub", "async", "const", "extern", "default"];
    while let Some(word) = words.next() {
        if word == "fn" {
            let name = words.next()?;
            let end = name.find(['(', '<']).unwrap_or(name.len());
            return Some(name[..end].to_owned());
        }
        if !modifiers.contains(&word) && !word.starts_with("pub(") && !word.starts_with('"') {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str, ratchet: &str) -> Vec<String> {
        let tree = Tree::of_texts(&[("crates/x/src/a.rs", text), (RATCHET, ratchet)]);
        check(&tree).into_iter().map(|finding| finding.what).collect()
    }

    fn function(lines: usize) -> String {
        format!(
            "impl A {{\n    pub async fn long(\n        a: u8,\n    ) -> u8 {{\n{}    }}\n}}\n",
            "        a;\n".repeat(lines - 4)
        )
    }

    #[test]
    fn lines_have_100_columns() {
        assert_eq!(faults(&"x".repeat(100), ""), [""; 0]);
        assert_eq!(faults(&"x".repeat(101), ""), ["over 100 columns"]);
        assert_eq!(faults(&"ä".repeat(100), ""), [""; 0]);
    }

    #[test]
    fn functions_have_70_lines_and_the_ratchet_only_shrinks() {
        assert_eq!(faults(&function(70), ""), [""; 0]);
        assert_eq!(faults(&function(71), ""), ["`long` has 71 lines, 70 is the budget"]);
        let held = "\"crates/x/src/a.rs#long\" = 72";
        assert_eq!(faults(&function(72), held), [""; 0]);
        assert_eq!(faults(&function(73), held), ["`long` has 73 lines, 70 is the budget"]);
        assert_eq!(
            faults(&function(70), held),
            ["crates/x/src/a.rs#long needs no excuse any more"]
        );
    }

    #[test]
    fn files_have_800_lines() {
        assert_eq!(faults(&"a\n".repeat(800), ""), [""; 0]);
        assert_eq!(faults(&"a\n".repeat(801), ""), ["801 lines without tests, 800 is the end"]);
    }

    #[test]
    fn signatures_without_a_body_are_no_functions() {
        assert_eq!(function_name("    fn a(&self) -> u8;").as_deref(), Some("a"));
        assert_eq!(function_name("pub(crate) const fn row<T>(").as_deref(), Some("row"));
        assert_eq!(function_name("    // fn a() {"), None);
    }
}
