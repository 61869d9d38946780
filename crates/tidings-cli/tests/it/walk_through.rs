//! The guide "a parked key, from alarm to drained", done: every command of the page, in its order,
//! as it stands there. What a command prints must hold every line that the page shows, numbers,
//! ids and times apart.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::machine::{PATIENCE, Running, run, tidings};

const GUIDE: &str = include_str!("../../../../docs/guides/a-parked-key.md");

/// A command of the page, and the lines that it is said to print.
struct Step {
    command: &'static str,
    shown: Vec<&'static str>,
}

/// The running shop, and what differs from the page.
struct Walk {
    directory: tempfile::TempDir,
    bootstrap: String,
    /// What stands on the page, and what it is here: the address of metrics, the id of order 8.
    here: BTreeMap<String, String>,
    _shop: Running,
}

#[test]
fn the_page_is_true() {
    let mut steps = steps().into_iter();
    let first = steps.next().expect("a command");
    let mut walk = Walk::start(&first);
    let mut count = 0;
    for step in steps {
        walk.take(&step);
        count += 1;
    }
    assert!(count >= 12, "the page has {count} commands");
}

/// The commands in the blocks of the page: each line behind `$ `, with what follows it.
fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in GUIDE.lines() {
        match line.strip_prefix("$ ") {
            _ if line.starts_with("```") => inside = line == "```console",
            Some(command) if inside => steps.push(Step { command, shown: Vec::new() }),
            None if inside && !line.is_empty() => {
                steps.last_mut().expect("a command before it").shown.push(line);
            }
            _ => {}
        }
    }
    steps
}

impl Walk {
    /// Starts the shop as the page does, on a free port, and learns from its banner where it is.
    fn start(first: &Step) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let words = first.command.strip_prefix("tidings ").expect("a command of ours");
        let mut command = tidings();
        command.args(words.split(' ')).args(["--listen", "127.0.0.1:0"]);
        command.current_dir(directory.path()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary");
        let err = BufReader::new(child.stderr.take().expect("piped"));
        let shop = Running(child);
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                // Read to the end, so that the shop never waits for its reader.
                let _gone = tell.send(line);
            }
        });
        let word = |line: &str, before: &str, end: char| {
            let rest = line.split_once(before)?.1;
            Some(rest.split(end).next().unwrap_or(rest).to_owned())
        };
        let (mut bootstrap, mut metrics) = (None, None);
        while bootstrap.is_none() || metrics.is_none() {
            let line = told.recv_timeout(PATIENCE).expect("a banner with both addresses");
            bootstrap = bootstrap.or_else(|| word(&line, "   broker ", ' '));
            metrics = metrics.or_else(|| word(&line, "curl -s http://", '/'));
        }
        let shown = word(GUIDE, "curl -s http://", '/').expect("the page names the metrics");
        let here = BTreeMap::from([(shown, metrics.expect("found"))]);
        Self { directory, bootstrap: bootstrap.expect("found"), here, _shop: shop }
    }

    /// Runs a command. One that only reads is run again until it shows what it is said to.
    fn take(&mut self, step: &Step) {
        let mut command = step.command.to_owned();
        for (shown, real) in &self.here {
            command = command.replace(shown.as_str(), real);
        }
        let acts = command.contains(" redrive ") || command.starts_with("rm ");
        let deadline = Instant::now() + PATIENCE;
        let printed = loop {
            let printed = self.run(&command);
            if acts || lacks(&step.shown, &printed).is_empty() || Instant::now() > deadline {
                break printed;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let lacks = lacks(&step.shown, &printed);
        assert!(lacks.is_empty(), "`{command}` lacks {lacks:#?} in:\n{printed}");
        // The page calls order 8 by the beginning of its event's id, which is another one here.
        if let (Some(shown), Some(real)) =
            (id_of_order_8(&step.shown), id_of_order_8(&lines(&printed)))
        {
            self.here.insert(shown.to_owned(), real.to_owned());
        }
    }

    /// As a shell would, with this binary on the path.
    fn run(&self, command: &str) -> String {
        if let Some(rest) = command.strip_prefix("curl -s http://") {
            return metrics(rest);
        }
        let binary = Path::new(env!("CARGO_BIN_EXE_tidings"));
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(self.directory.path());
        shell.env("PATH", format!("{}:{path}", binary.parent().expect("a directory").display()));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("TIDINGS_")) {
                shell.env_remove(name);
            }
        }
        shell.env_remove("CLICOLOR_FORCE").env("TIDINGS_BOOTSTRAP", &self.bootstrap);
        let ran = run(shell, "");
        format!("{}{}", ran.out, ran.err)
    }
}

/// What `curl -s http://HOST:PORT/PATH | grep ^PREFIX` prints: not every machine has curl.
fn metrics(command: &str) -> String {
    let (url, grep) = command.split_once(" | grep ^").expect("a pipe");
    let (address, path) = url.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(address).expect("the service");
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.lines().filter(|line| line.starts_with(grep)).map(|line| format!("{line}\n")).collect()
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// The first word of the line about the key 8.
fn id_of_order_8<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let words = |line: &&'a str| line.split_whitespace().collect::<Vec<_>>();
    lines.iter().map(words).find(|words| words.get(1..3) == Some(&["parked", "8"])).map(|w| w[0])
}

/// The lines of the page that were not printed, as often as they stand there.
fn lacks(shown: &[&str], printed: &str) -> Vec<String> {
    let mut there: Vec<String> = printed.lines().map(plain).collect();
    let mut lacks = Vec::new();
    for line in shown.iter().map(|line| plain(line)) {
        match there.iter().position(|printed| *printed == line) {
            Some(at) => drop(there.swap_remove(at)),
            None => lacks.push(line),
        }
    }
    lacks
}

/// A line without what differs from run to run: every word with a digit, units of time, and which
/// branch of a tree comes first. What metrics say is exact.
fn plain(line: &str) -> String {
    if line.starts_with("tidings_") || line.contains('{') {
        return line.to_owned();
    }
    let word = |word: &str| match word {
        "ms" | "s" | "min" => "TIME".to_owned(),
        word if word.contains(|c: char| c.is_ascii_digit()) => "N".to_owned(),
        word => word.to_owned(),
    };
    let words = line.split_whitespace().filter(|word| !word.chars().all(|c| "│├└─".contains(c)));
    words.map(word).collect::<Vec<_>>().join(" ")
}
