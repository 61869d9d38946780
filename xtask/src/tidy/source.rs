//! The files that the rules look at, and which of their lines are product code.

use std::path::Path;
use std::process::Command;

use crate::Outcome;

/// Every text file that belongs to the project.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) files: Vec<Source>,
}

/// One file; `path` is relative to the root, with forward slashes.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

impl Tree {
    /// What Git tracks or would track.
    pub(super) fn of(root: &Path) -> Outcome<Self> {
        let listed = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            .current_dir(root)
            .output()?;
        if !listed.status.success() {
            return Err("git cannot list the files; tidy needs a clone".into());
        }
        let mut tree = Self::default();
        for path in String::from_utf8(listed.stdout)?.split('\0').filter(|path| !path.is_empty()) {
            // A file that was removed and not committed yet, or one that is no text.
            let Ok(text) = std::fs::read_to_string(root.join(path)) else { continue };
            tree.files.push(Source { path: path.to_owned(), text });
        }
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        tree.files.dedup_by(|a, b| a.path == b.path);
        Ok(tree)
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    pub(super) fn find(&self, path: &str) -> Option<&Source> {
        self.files.iter().find(|file| file.path == path)
    }

    #[cfg(test)]
    pub(super) fn of_texts(files: &[(&str, &str)]) -> Self {
        let source =
            |&(path, text): &(&str, &str)| Source { path: path.to_owned(), text: text.to_owned() };
        Self { files: files.iter().map(source).collect() }
    }
}

impl Source {
    /// Tests, benchmarks and examples of compile errors: other rules hold for them.
    pub(super) fn is_test(&self) -> bool {
        let inside =
            ["/tests/", "/benches/", "/fixtures/", "/testing/", "/examples/", "/src/test/"];
        inside.iter().any(|dir| self.path.contains(dir))
            || ["/tests.rs", "/testing.rs", "_tests.rs"].iter().any(|end| self.path.ends_with(end))
    }

    /// The code of a library that people depend on, and of the binary that they run.
    pub(super) fn is_product(&self) -> bool {
        self.path.starts_with("crates/") && self.path.contains("/src/") && !self.is_test()
    }

    /// The numbered lines outside of `#[cfg(test)]` items.
    ///
    /// rustfmt's shape is relied on: an item ends at a line that is its indent and a brace.
    pub(super) fn lines_without_tests(&self) -> Vec<(usize, &str)> {
        if self.is_test() {
            return Vec::new();
        }
        let mut kept = Vec::new();
        let mut lines = self.text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            if !line.trim_start().starts_with("#[cfg(test)]") {
                kept.push((at + 1, line));
                continue;
            }
            let indent = indent(line);
            for (_, line) in lines.by_ref() {
                let closes = line.trim() == "}" || line.trim_end().ends_with(';');
                let one_line = line.trim_end().ends_with('}');
                if line.len() > indent && line[..indent].trim().is_empty() {
                    let starts_here = !line[indent..].starts_with(' ');
                    if starts_here && (closes || (one_line && !line.trim_start().starts_with('#')))
                    {
                        break;
                    }
                }
            }
        }
        kept
    }
}

/// How many spaces a line starts with.
pub(super) fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Whether a line is a comment as a whole.
pub(super) fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> Vec<usize> {
        let source = Source { path: "crates/x/src/a.rs".into(), text: text.into() };
        source.lines_without_tests().into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn test_items_are_left_out() {
        assert_eq!(kept("a\n#[cfg(test)]\nmod tests {\n    b\n}\nc\n"), [1, 6]);
        assert_eq!(kept("a\n#[cfg(test)]\nmod tests;\nc\n"), [1, 4]);
        assert_eq!(kept("a\n#[cfg(test)]\n#[allow(x)]\nmod t {\n    fn b() {}\n}\nc\n"), [1, 7]);
        assert_eq!(
            kept("i {\n    #[cfg(test)]\n    fn t() {\n        b\n    }\n    c\n}\n"),
            [1, 6, 7]
        );
    }

    #[test]
    fn tests_and_products_are_told_apart() {
        let of = |path: &str| Source { path: path.into(), text: String::new() };
        assert!(of("crates/x/src/a/tests.rs").is_test());
        assert!(of("crates/x/tests/it/main.rs").is_test());
        assert!(of("crates/x/src/test.rs").is_product());
        assert!(!of("xtask/src/main.rs").is_product());
    }
}
