//! Aligned columns without lines: text to the left, numbers to the right, two spaces between.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table as Grid, presets};

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Names and texts.
    Left,
    /// Numbers, so that their digits stand below each other.
    Right,
}

/// A table in the making.
pub struct Table {
    grid: Grid,
    columns: Vec<Align>,
}

impl Table {
    /// A table with these headings; `width` is the terminal's, where there is one.
    pub fn new(columns: &[(&str, Align)], width: Option<usize>) -> Self {
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING).force_no_tty();
        if let Some(width) = width {
            grid.set_content_arrangement(ContentArrangement::Dynamic);
            grid.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        }
        let header: Vec<Cell> =
            columns.iter().map(|(name, align)| cell((*name).to_owned(), *align)).collect();
        grid.set_header(header);
        Self { grid, columns: columns.iter().map(|(_, align)| *align).collect() }
    }

    /// Adds a row; it has as many cells as there are columns.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let row: Vec<Cell> =
            cells.into_iter().zip(&self.columns).map(|(text, align)| cell(text, *align)).collect();
        self.grid.add_row(row);
    }

    /// The lines of the table, each indented by two spaces, without spaces at their ends.
    pub fn render(mut self) -> String {
        for column in self.grid.column_iter_mut() {
            column.set_padding((2, 0));
        }
        let mut text = String::new();
        for line in self.grid.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn cell(text: String, align: Align) -> Cell {
    Cell::new_owned(text).set_alignment(match align {
        Align::Left => CellAlignment::Left,
        Align::Right => CellAlignment::Right,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_clean() {
        let mut table = Table::new(&[("topic", Align::Left), ("records", Align::Right)], None);
        table.row(["orders".to_owned(), "1,204".to_owned()]);
        table.row(["größe".to_owned(), "7".to_owned()]);
        assert_eq!(table.render(), "  topic   records\n  orders    1,204\n  größe         7\n");
    }
}
