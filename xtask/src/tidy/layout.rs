//! Where files lie and how they begin: a small root, a first line that says why a file exists, one
//! integration binary per crate.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::source::Tree;

const ROOT_ENTRIES: usize = 20;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let root: BTreeSet<&str> =
        tree.files.iter().filter_map(|file| file.path.split('/').next()).collect();
    if root.len() >= ROOT_ENTRIES {
        let what =
            format!("{} entries in the root, fewer than {ROOT_ENTRIES} shall be", root.len());
        findings.push(Finding::new(".", 1, what));
    }
    let mut binaries: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in tree.rust() {
        let first = file.text.lines().next().unwrap_or_default();
        if !first.starts_with("//! ") {
            let what = "the first line is no `//!` that says why the file exists";
            findings.push(Finding::new(&file.path, 1, what));
        }
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if ["mod.rs", "util.rs", "utils.rs", "helpers.rs", "misc.rs", "common.rs"].contains(&name) {
            findings.push(Finding::new(&file.path, 1, format!("no file is called {name}")));
        }
        if let Some((krate, inside)) = file.path.split_once("/tests/")
            && (!inside.contains('/') || inside.ends_with("/main.rs"))
            && !krate.contains("/src")
        {
            binaries.entry(krate).or_default().push(&file.path);
        }
    }
    for (krate, paths) in binaries.iter().filter(|(_, paths)| paths.len() > 1) {
        let what = format!("{krate} has {} integration binaries, one shall be", paths.len());
        findings.push(Finding::new(paths[1], 1, what));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of_texts(files)).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn files_say_why_they_exist() {
        assert_eq!(faults(&[("crates/a/src/lib.rs", "//! Why.\n")]), [""; 0]);
        assert_eq!(faults(&[("crates/a/src/lib.rs", "use std::fs;\n")]).len(), 1);
        assert_eq!(
            faults(&[("crates/a/src/util.rs", "//! Why.\n")]),
            ["no file is called util.rs"]
        );
    }

    #[test]
    fn the_root_is_small() {
        let names: Vec<String> = (0..20).map(|n| format!("file-{n}")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        assert_eq!(faults(&files[..19]), [""; 0]);
        assert_eq!(faults(&files).len(), 1);
    }

    #[test]
    fn one_integration_binary_is_enough() {
        let one = ("crates/a/tests/it/main.rs", "//! A.\n");
        assert_eq!(faults(&[one, ("crates/a/tests/it/more.rs", "//! B.\n")]), [""; 0]);
        assert_eq!(faults(&[one, ("crates/a/tests/more.rs", "//! B.\n")]).len(), 1);
    }
}
