//! `tidings new NAME`: a service that compiles, runs on `tidings dev` and has a test. It is made
//! from files in this binary, without a network; the library is used by its path, as it is not
//! published.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::output::{self, Screen};

/// Where the library lay when this binary was built: beside the sources that it was built from.
const BUILT_BESIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tidings");

/// The files of a new service: where they go, and what is in them.
const TEMPLATE: [(&str, &str); 7] = [
    ("Cargo.toml", include_str!("../template/Cargo.toml.in")),
    ("tidings.toml", include_str!("../template/tidings.toml.in")),
    ("README.md", include_str!("../template/README.md.in")),
    (".gitignore", include_str!("../template/gitignore.in")),
    ("src/lib.rs", include_str!("../template/lib.rs.in")),
    ("src/main.rs", include_str!("../template/main.rs.in")),
    ("tests/service.rs", include_str!("../template/test.rs.in")),
];

/// Flags of `tidings new`.
#[derive(Debug, clap::Args)]
pub struct NewArgs {
    /// The service's name, which becomes the directory, the crate and the consumer group; a path
    /// such as services/payments makes it there
    name: PathBuf,
    /// The directory of the library's crate [default: beside the sources of this binary]
    #[arg(long, value_name = "PATH", env = "TIDINGS_CRATE")]
    tidings: Option<PathBuf>,
    /// Say which files would be made, and make none
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Makes the service.
pub fn run(args: &NewArgs, screen: &Screen) -> Result<(), Failure> {
    let name = name_of(&args.name)?;
    let library = library(args.tidings.as_deref())?;
    if args.name.exists() {
        return Err(Failure::new(format!("{} exists already", args.name.display()))
            .help("choose another name, or take it away first")
            .exit(Exit::NotAllowed));
    }
    let mut files: Vec<(PathBuf, Vec<u8>)> = TEMPLATE
        .iter()
        .map(|(path, text)| (args.name.join(path), fill(text, &name, &library).into_bytes()))
        .collect();
    // The versions that the library was tested with, which are on this machine already: so the
    // first build needs no network.
    if let Ok(lock) = std::fs::read(library.join("../../Cargo.lock")) {
        files.push((args.name.join("Cargo.lock"), lock));
    }
    if !args.dry_run {
        files.iter().try_for_each(|(path, content)| write(path, content))?;
    }
    report(args, &name, &files, screen)
}

fn report(
    args: &NewArgs,
    name: &str,
    files: &[(PathBuf, Vec<u8>)],
    screen: &Screen,
) -> Result<(), Failure> {
    if args.json {
        let paths: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
        return output::json(json!({"name": name, "files": paths, "dry_run": args.dry_run}));
    }
    if args.dry_run {
        return files
            .iter()
            .try_for_each(|(path, _)| output::line(&format!("would make {}", path.display())));
    }
    let directory = args.name.display();
    let name = screen.bold(&directory.to_string());
    let test = format!("cd {directory} && cargo test");
    output::print(&format!(
        "made {name}\n\n  next  {test:<40} its handlers, without a broker\n        \
         {:<40} a broker, in another terminal\n        {:<40} the service\n",
        "tidings dev", "cargo run",
    ))
}

/// The last part of the path, if it can be a crate and a consumer group.
fn name_of(path: &Path) -> Result<String, Failure> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let rest =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if starts && name.len() <= 64 && name.bytes().all(rest) && !is_reserved(name) {
        return Ok(name.to_owned());
    }
    Err(Failure::usage(format!("`{}` cannot be the name of a service", path.display())).help(
        "1 to 64 of a-z, 0-9, - and _, beginning with a letter and no word of Rust: payments",
    ))
}

/// Names that Cargo or this template would trip over.
fn is_reserved(name: &str) -> bool {
    const WORDS: [&str; 44] = [
        "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
        "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
        "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
        "return", "serde", "std", "test", "tidings", "tokio", "trait", "type", "use", "while",
        "yield",
    ];
    WORDS.contains(&name)
}

/// The library's crate as a path that holds from everywhere.
fn library(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let path = given.unwrap_or(Path::new(BUILT_BESIDE));
    let found = path.canonicalize().ok().filter(|path| path.join("Cargo.toml").is_file());
    found.ok_or_else(|| {
        Failure::not_found(format!("the library is not at {}", path.display()))
            .because("it is not published, so a new service uses it by its path")
            .help("name the directory of its crate:  tidings new NAME --tidings PATH")
    })
}

fn fill(text: &str, name: &str, library: &Path) -> String {
    text.replace("{{name}}", name)
        .replace("{{crate}}", &name.replace('-', "_"))
        .replace("{{tidings}}", &library.display().to_string())
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let cannot = |error| Failure::new(format!("cannot write {}: {error}", path.display()));
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(cannot)?;
    }
    std::fs::write(path, content).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_crates() {
        for (path, name) in [("payments", "payments"), ("services/my-shop_2", "my-shop_2")] {
            assert_eq!(name_of(Path::new(path)).expect("a good name"), name);
        }
        for path in ["", "Payments", "2pay", "pay ments", "..", "async", "tidings", "größe"] {
            assert_eq!(name_of(Path::new(path)).expect_err(path).code(), Exit::Usage, "{path}");
        }
    }

    #[test]
    fn nothing_of_the_template_is_left_to_fill() {
        for (path, text) in TEMPLATE {
            let filled = fill(text, "my-shop", Path::new("/somewhere"));
            assert!(!filled.contains("{{"), "{path}");
        }
    }
}
