//! Drawing in place: the live part of the terminal is erased and written again.

use console::Term;

use crate::failure::Failure;

/// The part of the terminal that changes.
pub struct Live {
    term: Term,
    lines: usize,
}

impl Live {
    /// Begins below what is on the terminal now.
    pub fn begin() -> Self {
        Self { term: Term::buffered_stdout(), lines: 0 }
    }

    /// Replaces what was drawn before.
    pub fn draw(&mut self, text: &str) -> Result<(), Failure> {
        self.term.clear_last_lines(self.lines)?;
        self.term.write_str(text)?;
        self.term.flush()?;
        self.lines = text.lines().count();
        Ok(())
    }
}
