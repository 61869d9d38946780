//! Relative links in the documents lead somewhere.

use super::Finding;
use super::source::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (at, line) in file.text.lines().enumerate() {
            for target in targets(line) {
                if !exists(tree, &resolve(&file.path, target)) {
                    let what = format!("the link to {target} leads nowhere");
                    findings.push(Finding::new(&file.path, at + 1, what));
                }
            }
        }
    }
    findings
}

/// What stands in `](...)`, less anchors and addresses of the web.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split('#').next()?;
        let local = !target.is_empty() && !target.contains(':') && !target.contains(' ');
        local.then_some(target)
    })
}

fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Files and directories; a binary file is not in the tree's texts and is left alone.
fn exists(tree: &Tree, path: &str) -> bool {
    let inside = format!("{path}/");
    let picture = [".png", ".gif", ".jpg", ".db"].iter().any(|end| path.ends_with(end));
    path.is_empty()
        || picture
        || tree.files.iter().any(|file| file.path == path || file.path.starts_with(&inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_links_are_found() {
        let readme = ("docs/a.md", "[b](b.md) [c](../src/) [d](no.md#x) [e](https://e) [f](#f)");
        let tree = Tree::of_texts(&[readme, ("docs/b.md", ""), ("src/c.rs", "")]);
        let found: Vec<String> = check(&tree).into_iter().map(|finding| finding.what).collect();
        assert_eq!(found, ["the link to no.md leads nowhere"]);
    }
}
