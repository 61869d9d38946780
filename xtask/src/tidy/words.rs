//! What no file may hold: shortcuts that meet bytes from outside, unfinished work, paths of one
//! machine.

use super::Finding;
use super::source::{Source, Tree, is_comment};

/// Not in product code; a line above that starts so excuses one with its reason.
const EXCUSE: &str = "// tidy: ";
const SHORTCUTS: [(&str, &str); 7] = [
    (".unwrap()", "`unwrap` in product code: bytes from outside may meet it"),
    ("panic!(", "`panic!` in product code"),
    ("todo!(", "unfinished"),
    ("unimplemented!(", "unfinished"),
    ("dbg!(", "a leftover of debugging"),
    ("fn get_", "the `get_` prefix says nothing"),
    ("unsafe {", "unsafe code"),
];
/// A library leaves standard output to its user.
const PRINTS: [&str; 2] = ["println!(", "eprintln!("];
/// Each is written in two halves, so that this file may be looked at too.
const UNFINISHED: [(&str, &str); 7] = [
    ("FIX", "ME"),
    ("HA", "CK"),
    ("TO", "DO"),
    ("for", " now"),
    ("not yet", " implemented"),
    ("in a real", " system"),
    ("simpl", "ified"),
];
const MACHINES: [(&str, &str); 4] =
    [("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/"), ("bash", "_jobs")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| file.is_product()) {
        findings.extend(shortcuts(file));
    }
    for file in tree.files.iter().filter(|file| is_prose_or_code(&file.path)) {
        findings.extend(everywhere(file));
    }
    findings
}

fn shortcuts(file: &Source) -> Vec<Finding> {
    let library = !file.path.starts_with("crates/tidings-cli/");
    let mut findings = Vec::new();
    let mut before = "";
    for (number, line) in file.lines_without_tests() {
        if !is_comment(line) && !before.trim_start().starts_with(EXCUSE) {
            for (word, what) in SHORTCUTS {
                if line.contains(word) {
                    findings.push(Finding::new(&file.path, number, what));
                }
            }
            if library && PRINTS.iter().any(|print| line.contains(print)) {
                findings.push(Finding::new(&file.path, number, "a library does not print"));
            }
        }
        before = line;
    }
    findings
}

fn everywhere(file: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        let holds = |(a, b): &(&str, &str)| {
            let word = format!("{a}{b}");
            line.match_indices(&word).any(|(from, _)| stands_alone(line, from, word.len()))
        };
        // A loop over moments is code.
        let is_loop = line.contains(&format!("{}{} in ", "for", " now"));
        if !is_loop && UNFINISHED.iter().any(holds) {
            findings.push(Finding::new(&file.path, at + 1, "reads like unfinished work"));
        }
        if MACHINES.iter().any(|(a, b)| line.contains(&format!("{a}{b}"))) {
            findings.push(Finding::new(&file.path, at + 1, "a path of one machine"));
        }
    }
    findings
}

/// Whether the match is a word of its own, not a part of a longer one.
fn stands_alone(line: &str, from: usize, length: usize) -> bool {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    !letter(line[..from].chars().next_back()) && !letter(line[from + length..].chars().next())
}

fn is_prose_or_code(path: &str) -> bool {
    let ends = [".rs", ".md", ".toml", ".py", ".java", ".sh", ".xml", ".ci/run", ".sql"];
    ends.iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of_texts(&[(path, text)])).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn shortcuts_are_for_tests() {
        let code = "fn a() {\n    b().unwrap();\n}\n";
        assert_eq!(faults("crates/x/src/a.rs", code).len(), 1);
        assert_eq!(faults("crates/x/src/a/tests.rs", code), [""; 0]);
        let excused = "fn a() {\n    // tidy: the lock is ours\n    b().unwrap();\n}\n";
        assert_eq!(faults("crates/x/src/a.rs", excused), [""; 0]);
        let test = "#[cfg(test)]\nmod tests {\n    fn a() {\n        b().unwrap();\n    }\n}\n";
        assert_eq!(faults("crates/x/src/a.rs", test), [""; 0]);
    }

    #[test]
    fn libraries_do_not_print_and_the_binary_does() {
        let code = "fn a() {\n    println!(\"x\");\n}\n";
        assert_eq!(faults("crates/x/src/a.rs", code), ["a library does not print"]);
        assert_eq!(faults("crates/tidings-cli/src/a.rs", code), [""; 0]);
    }

    #[test]
    fn unfinished_work_and_machines_are_found() {
        let unfinished = format!("It works {} {}.", "for", "now");
        assert_eq!(faults("docs/a.md", &unfinished), ["reads like unfinished work"]);
        assert_eq!(faults("docs/a.md", "Wait for nowhere."), [""; 0]);
        assert_eq!(faults("crates/x/src/a.rs", "for now in [1, 2] {"), [""; 0]);
        let path = format!("See /{}/main.", "work");
        assert_eq!(faults("docs/a.md", &path), ["a path of one machine"]);
    }
}
