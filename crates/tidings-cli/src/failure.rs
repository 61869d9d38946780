//! How a command fails: what happened to which thing, why as far as is known, and the next command
//! to try, with the exit code that scripts rely on. One shape for every error that people see.

use std::fmt;

/// The exit codes of every command; nothing else is ever returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All of it was done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line itself was wrong.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// It exists, and may not be done now or by this caller.
    NotAllowed = 4,
    /// A check ran and found something wrong.
    CheckFailed = 5,
    /// It timed out, or only a part was done.
    Partly = 6,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error for people: a sentence, lines of reason, lines of help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    what: String,
    why: Vec<String>,
    help: Vec<String>,
}

impl Failure {
    /// A failure with exit code 1; `what` says what happened, to which thing, where.
    pub fn new(what: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, what: what.into(), why: Vec::new(), help: Vec::new() }
    }

    /// The command line makes no sense (exit code 2).
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(what).exit(Exit::Usage)
    }

    /// What was named does not exist (exit code 3).
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(what).exit(Exit::NotFound)
    }

    /// What the library could not do: exit code 4 where the broker does not allow it.
    pub fn of(error: &tidings::Error) -> Self {
        let exit = if error.is_not_allowed() { Exit::NotAllowed } else { Exit::Failed };
        Self::new(causes(error)).exit(exit)
    }

    /// Ends with another exit code.
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Adds a line of reason.
    pub fn because(mut self, why: impl fmt::Display) -> Self {
        self.why.push(why.to_string());
        self
    }

    /// Adds a line that says what to do next.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// The exit code of the process.
    pub fn code(&self) -> Exit {
        self.exit
    }

    /// The text for standard error; `colour` only adds emphasis, it never carries meaning alone.
    pub fn render(&self, colour: bool) -> String {
        let paint = |codes: &str, text: &str| match colour {
            true => format!("\x1b[{codes}m{text}\x1b[0m"),
            false => text.to_owned(),
        };
        let mut text = format!("{} {}\n", paint("1;31", "error:"), self.what);
        for line in self.why.iter().flat_map(|why| why.lines()) {
            text.push_str(&format!("  {line}\n"));
        }
        for help in &self.help {
            text.push_str(&format!("  {} {help}\n", paint("1;36", "help:")));
        }
        text
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Failure {}

/// Writing to a closed pipe is how `| head` ends a stream: `main` turns it into a quiet end.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(String::new()).exit(Exit::Done);
        }
        Self::new(format!("cannot write the output: {error}"))
    }
}

/// The chain of causes of an error, one line, without repeating what a cause already says.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let line = cause.to_string();
        if !text.contains(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_what_why_and_help() {
        let failure = Failure::new("127.0.0.1:9092 is in use")
            .because("by tidings (pid 4711)")
            .help("choose another port:  tidings dev --listen 127.0.0.1:0");
        assert_eq!(
            failure.render(false),
            "error: 127.0.0.1:9092 is in use\n  by tidings (pid 4711)\n  \
             help: choose another port:  tidings dev --listen 127.0.0.1:0\n"
        );
        assert!(failure.render(true).contains("\x1b[1;31merror:\x1b[0m 127"));
    }

    #[test]
    fn a_closed_pipe_is_a_quiet_end() {
        let failure = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(failure.code(), Exit::Done);
    }
}
