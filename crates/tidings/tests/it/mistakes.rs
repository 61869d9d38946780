//! The usual mistakes with the derive macros and with handlers, each by the text that its author
//! will read. With `MISTAKES=overwrite` what the compiler says now becomes what is expected.
//!
//! The compiler is called on the very libraries that this test was linked with: tools for such
//! tests build all dependencies anew, Kafka's client among them, and that costs minutes.
//!
//! Two exclusive arguments are found while code is generated, which these tests do not do: that
//! mistake is a doc test of `FromEvent`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Compiles, and so tells which libraries belong together.
const GOOD: &str = "tests/ui/handlers/ok.rs";

#[test]
fn a_mistake_with_a_derive_gets_one_sentence_at_its_place() {
    check("tests/ui/derive");
}

#[test]
fn a_mistake_with_a_handler_is_named_in_one_sentence() {
    check("tests/ui/handlers");
}

fn check(directory: &str) {
    let mut wrong = String::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).expect("the cases are there") {
        let file = entry.expect("it can be listed").path();
        let is_case = file.extension().is_some_and(|extension| extension == "rs");
        if !is_case || file == Path::new(GOOD) {
            continue;
        }
        seen += 1;
        let said = compiler_says(&file);
        let expected = file.with_extension("stderr");
        if std::env::var_os("MISTAKES").is_some_and(|what| what == "overwrite") {
            std::fs::write(&expected, &said).expect("written");
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != said {
            let _ =
                writeln!(wrong, "{} is not what is said of it now:\n{said}", expected.display());
        }
    }
    assert!(seen > 0, "no cases in {directory}");
    assert!(wrong.is_empty(), "{wrong}");
}

fn compiler_says(file: &Path) -> String {
    static LIBRARIES: OnceLock<Vec<Library>> = OnceLock::new();
    let ran = compile(file, LIBRARIES.get_or_init(libraries));
    assert!(!ran.status.success(), "{} compiles", file.display());
    without_other_places(&String::from_utf8_lossy(&ran.stderr))
}

fn compile(file: &Path, libraries: &[Library]) -> Output {
    let out = tempfile::tempdir().expect("a directory");
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2024", "--crate-type=bin", "--emit=metadata", "--diagnostic-width=140"]);
    rustc.arg("--out-dir").arg(out.path()).arg(file);
    for Library { name, at } in libraries {
        rustc.arg("--extern").arg(format!("{name}={}", at.display()));
        let beside = at.parent().expect("it is a file");
        rustc.arg("-L").arg(format!("dependency={}", beside.display()));
    }
    rustc.output().expect("rustc runs")
}

/// The libraries that a case may use, as cargo built them for the tests that run just now.
fn libraries() -> Vec<Library> {
    let mut cargo = Command::new(env!("CARGO"));
    // All of the workspace, as that decides about features: nothing is built then.
    cargo.args(["test", "--workspace", "--lib", "--no-run", "--offline", "--locked"]);
    let ran = cargo.arg("--message-format=json").output().expect("cargo runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let lines = ran.stdout.split(|byte| *byte == b'\n');
    let built = lines.filter_map(|line| library(&serde_json::from_slice(line).ok()?));
    let (mut libraries, mut serdes) = (Vec::new(), Vec::new());
    for library in built {
        if library.name == "serde" { &mut serdes } else { &mut libraries }.push(library);
    }
    // Cargo builds serde for procedural macros too; only with its own does the library go along.
    for serde in serdes {
        libraries.push(serde);
        if compile(Path::new(GOOD), &libraries).status.success() {
            return libraries;
        }
        libraries.pop();
    }
    let said = compile(Path::new(GOOD), &libraries).stderr;
    panic!("{GOOD} does not compile:\n{}", String::from_utf8_lossy(&said));
}

struct Library {
    name: String,
    at: PathBuf,
}

fn library(message: &serde_json::Value) -> Option<Library> {
    let name = message["target"]["name"].as_str()?;
    let wanted = ["tidings", "serde"].contains(&name)
        && message["target"]["kind"] == serde_json::json!(["lib"])
        && message["profile"]["test"] == false;
    let mut files = message["filenames"].as_array()?.iter().filter_map(|file| file.as_str());
    let file = files.find(|file| wanted && file.ends_with(".rlib"))?;
    Some(Library { name: name.to_owned(), at: file.into() })
}

/// Of places outside the case only the file is kept, and margins get one width: neither is to
/// change whenever a line is added to the library.
fn without_other_places(text: &str) -> String {
    let (mut kept, mut elsewhere) = (String::new(), false);
    for line in text.lines() {
        let rest = line.trim_start();
        let margin = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.starts_with("error: aborting due to") {
            break;
        }
        if let Some(place) = rest.strip_prefix("--> ").or(rest.strip_prefix("::: ")) {
            elsewhere = !place.starts_with("tests/ui");
            let file = place.split(':').next().unwrap_or_default();
            let file = file.rsplit_once("/src/").map_or(file, |(_, file)| file);
            let _ = writeln!(kept, "   --> {}", if elsewhere { file } else { place });
        } else if margin.trim_start().starts_with('|') || rest == "..." {
            if !elsewhere {
                let number = &rest[..rest.len() - margin.len()];
                let _ = writeln!(kept, "{number:>3} {}", margin.trim_start());
            }
        } else if let Some(remark) = rest.strip_prefix("= ") {
            let _ = writeln!(kept, "    = {}", without_count(remark));
        } else {
            let _ = writeln!(kept, "{}", without_count(line));
        }
    }
    kept.trim_end().to_owned() + "\n"
}

/// How many other types implement a trait is of no interest.
fn without_count(line: &str) -> String {
    let count = line.trim_start().strip_prefix("and ").and_then(|l| l.strip_suffix(" others"));
    match count {
        Some(count) => line.replace(count, "some"),
        None => line.trim_end().to_owned(),
    }
}
