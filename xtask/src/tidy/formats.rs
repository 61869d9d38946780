//! Persisted formats are documented: the code names its page, or the page names its code.

use super::Finding;
use super::source::{Source, Tree, is_comment};

const PAGES: &str = "docs/formats/";
/// Constants that only a format that is written somewhere has.
const MARKS: [&str; 3] = ["const MAGIC:", "const FORMAT_VERSION:", "const JOURNAL_FORMAT:"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut named: Vec<&str> = Vec::new();
    for file in tree.rust().filter(|file| !file.path.starts_with("xtask/")) {
        let pages: Vec<&str> = file.text.split_whitespace().filter_map(page).collect();
        for page in &pages {
            if tree.find(page).is_none() {
                findings.push(Finding::new(
                    &file.path,
                    1,
                    format!("names {page}, which is not there"),
                ));
            }
        }
        let marked = (file.lines_without_tests().into_iter())
            .find(|(_, line)| !is_comment(line) && MARKS.iter().any(|mark| line.contains(mark)));
        if let Some((line, _)) = marked
            && pages.is_empty()
            && file.is_product()
            && !pages_of(tree).any(|page| code(&page.text).any(|name| is_named(&file.path, name)))
        {
            let what = format!("writes a format and names no page of {PAGES}");
            findings.push(Finding::new(&file.path, line, what));
        }
        named.extend(pages);
    }
    for file in pages_of(tree) {
        let names_code = code(&file.text).any(|name| {
            tree.rust().any(|source| source.is_product() && is_named(&source.path, name))
        });
        if !names_code && !named.contains(&file.path.as_str()) {
            findings.push(Finding::new(&file.path, 1, "no code names this page, nor it any code"));
        }
    }
    findings
}

fn pages_of(tree: &Tree) -> impl Iterator<Item = &Source> {
    let is_page = |file: &&Source| file.path.starts_with(PAGES) && file.path.ends_with(".md");
    tree.files.iter().filter(is_page).filter(|file| !file.path.ends_with("/README.md"))
}

/// The Rust files that a page names in backticks.
fn code(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2).filter(|name| name.ends_with(".rs"))
}

/// Whether `name` is the end of the path, from a directory's border on.
fn is_named(path: &str, name: &str) -> bool {
    path.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// A word of a text as the path of a page, without the punctuation around it.
fn page(word: &str) -> Option<&str> {
    let at = word.find(PAGES)?;
    let end = word[at..].find(".md")? + at + ".md".len();
    Some(&word[at..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of_texts(files)).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn code_and_pages_name_each_other() {
        let code = ("crates/log/src/index.rs", "//! The index (`docs/formats/index.md`).\n");
        assert_eq!(faults(&[code, ("docs/formats/index.md", "")]), [""; 0]);
        assert_eq!(faults(&[code]), ["names docs/formats/index.md, which is not there"]);
        let old = "no code names this page, nor it any code";
        assert_eq!(faults(&[("docs/formats/old.md", "By `index.rs`.")]), [old]);
    }

    #[test]
    fn a_format_without_a_page_is_found() {
        let code = ("crates/log/src/a.rs", "const MAGIC: [u8; 4] = *b\"TDNG\";\n");
        assert_eq!(faults(&[code, ("docs/formats/a.md", "Written by `a.rs`.")]), [""; 0]);
        assert_eq!(faults(&[code]), ["writes a format and names no page of docs/formats/"]);
    }
}
