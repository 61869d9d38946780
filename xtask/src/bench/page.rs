//! docs/benchmarks.md: the tables in it are what the command has printed, between two comments.

use std::fs;

use crate::{Outcome, place};

const PAGE: &str = "docs/benchmarks.md";

/// Puts what a row has printed into its place on the page.
pub(super) fn write(row: &str, markdown: &str) -> Outcome {
    let file = place::root().join(PAGE);
    let page = replaced(&fs::read_to_string(&file)?, row, markdown)?;
    Ok(fs::write(file, page)?)
}

fn replaced(page: &str, row: &str, markdown: &str) -> Outcome<String> {
    let (begin, end) = (format!("<!-- {row} -->\n"), format!("<!-- end of {row} -->\n"));
    let missing = || format!("{PAGE} has no place for {row}: {}", begin.trim());
    let (before, rest) = page.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}\n{}\n\n{end}{after}", markdown.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_replaced_and_nothing_else() {
        let page =
            "a\n<!-- B1 -->\n\nold\n\n<!-- end of B1 -->\n<!-- B17 -->\n<!-- end of B17 -->\n";
        let now = replaced(page, "B1", "new\n\n").unwrap();
        assert_eq!(now, page.replace("old", "new"));
        assert!(replaced(page, "B2", "new").is_err());
    }
}
