//! Persisted formats are documented: code and page name each other.

use super::Finding;
use super::source::{Tree, is_comment};

const PAGES: &str = "docs/formats/";
/// Constants that only a format that is written somewhere has.
const MARKS: [&str; 3] = ["const MAGIC", "const FORMAT_VERSION", "const JOURNAL_FORMAT"];

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
        {
            let what = format!("writes a format and names no page of {PAGES}");
            findings.push(Finding::new(&file.path, line, what));
        }
        named.extend(pages);
    }
    for file in tree.files.iter().filter(|file| file.path.starts_with(PAGES)) {
        let index = file.path.ends_with("/README.md");
        if !index && !named.contains(&file.path.as_str()) {
            findings.push(Finding::new(&file.path, 1, "no code names this page"));
        }
    }
    findings
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
        assert_eq!(faults(&[("docs/formats/old.md", "")]), ["no code names this page"]);
    }

    #[test]
    fn a_format_without_a_page_is_found() {
        let code = ("crates/log/src/a.rs", "const MAGIC: [u8; 4] = *b\"TDNG\";\n");
        assert_eq!(faults(&[code]), ["writes a format and names no page of docs/formats/"]);
    }
}
