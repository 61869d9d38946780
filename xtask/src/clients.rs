//! The client suite: kcat, confluent-kafka and kafka-python against our broker (or any other).

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::kafka::{self, Kafka};
use crate::tidings::{self, Broker};
use crate::{Outcome, place, recipes};

/// What is run against what.
#[derive(Debug, Default)]
struct Options {
    /// Where the broker is; none means one of our own.
    bootstrap: Option<String>,
    /// Apache Kafka instead of ours: shows that a scenario asks for what Kafka does.
    kafka: bool,
    release: bool,
    /// The recipes alone.
    recipes: bool,
    /// Words for the suite itself: `--only WORD`, `--client NAME`, `--json FILE`.
    suite: Vec<String>,
}

/// `cargo xtask clients`.
pub(crate) fn command(words: &[String]) -> Outcome {
    let mut options = Options::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().cloned().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--bootstrap" => options.bootstrap = Some(value()?),
            "--kafka" => options.kafka = true,
            "--release" => options.release = true,
            "--recipes" => options.recipes = true,
            "--only" | "--client" | "--json" => {
                let value = value()?;
                options.suite.extend([word.clone(), value]);
            }
            other => return Err(format!("`clients` does not know {other}").into()),
        }
    }
    let python = install()?;
    if let Some(bootstrap) = &options.bootstrap {
        return suite(&python, bootstrap, &options);
    }
    if options.kafka {
        let mut kafka = Kafka::start(&kafka::Options::default())?;
        suite(&python, &kafka.bootstrap(), &options)?;
        return kafka.stop();
    }
    let binary = tidings::build(options.release)?;
    let data = tidings::fresh_dir("clients")?.join("data");
    let broker = Broker::start(&binary, &data, &[])?;
    if !options.recipes {
        suite(&python, broker.bootstrap(), &options)?;
    }
    if options.recipes || options.suite.is_empty() {
        recipes::run(&binary, &python, broker.bootstrap())?;
    }
    broker.stop()
}

fn suite(python: &PathBuf, bootstrap: &str, options: &Options) -> Outcome {
    println!("client suite against {bootstrap}");
    let status = Command::new(python)
        .arg(place::root().join("clients/suite/run.py"))
        .args(["--bootstrap", bootstrap])
        .args(&options.suite)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err("the client suite failed; its rows stand above".into())
    }
}

/// Installs the clients; the answer is the Python that has them.
pub(crate) fn install() -> Outcome<PathBuf> {
    if kafka::need("kcat", "-V", "kcat").is_err() {
        apt_install("kcat")?;
    }
    kafka::need("kcat", "-V", "kcat")?;
    if kafka::need("python3", "--version", "python3").is_err() {
        apt_install("python3")?;
    }
    let requirements = std::fs::read_to_string(place::root().join("clients/requirements.txt"))?;
    let venv = place::target().join("clients-venv");
    let (python, stamp) = (venv.join("bin/python"), venv.join("requirements.txt"));
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == requirements) {
        return Ok(python);
    }
    let make = || Command::new("python3").args(["-m", "venv"]).arg(&venv).status();
    if !make()?.success() {
        // Debian ships Python without its means to make environments.
        apt_install("python3-venv")?;
        if !make()?.success() {
            return Err("python3 cannot make a virtual environment".into());
        }
    }
    let installed = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(place::root().join("clients/requirements.txt"))
        .status()?;
    if !installed.success() {
        return Err("pip could not install the Kafka clients; its words stand above".into());
    }
    // Written last: a half-made environment is made again.
    std::fs::write(&stamp, requirements)?;
    Ok(python)
}

/// Debian's package, as root or through sudo; on other systems the need is only named.
pub(crate) fn apt_install(package: &str) -> Outcome {
    let root = nix::unistd::geteuid().is_root();
    let apt = |words: &[&str]| {
        let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
        if !root {
            command.args(["-n", "apt-get"]);
        }
        command.args(words).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()).status()
    };
    eprintln!("installing {package}");
    let install = ["install", "-y", "-q", package];
    if apt(&install).is_ok_and(|status| status.success()) {
        return Ok(());
    }
    if apt(&["update", "-q"]).is_ok_and(|status| status.success())
        && apt(&install).is_ok_and(|status| status.success())
    {
        return Ok(());
    }
    Err(format!("`{package}` cannot be installed here; do it by hand and run this again").into())
}
