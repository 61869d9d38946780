//! Apache Kafka itself, as plain jars from Maven Central: the oracle for everything on its wire.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use crate::process::{Owned, end_requested, tail};
use crate::{Outcome, place};

/// Format and start take 3 s on an idle machine; CI machines are slower.
const START_LIMIT: Duration = Duration::from_secs(120);
/// A controlled shutdown takes about a second.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Any 16 bytes in base64: the node is alone, so the id only has to be well formed.
const CLUSTER_ID: &str = "dGlkaW5ncy1vcmFjbGUtMQ";

/// How a node is started.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) heap_mb: u32,
    /// Lines for server.properties beyond (and over) our own.
    pub(crate) settings: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { heap_mb: 1024, settings: Vec::new() }
    }
}

/// A running node, ended when dropped.
#[derive(Debug)]
pub(crate) struct Kafka {
    process: Owned,
    addr: SocketAddr,
    data: PathBuf,
}

/// `cargo xtask kafka`.
pub(crate) fn command(words: &[String]) -> Outcome {
    let mut options = Options::default();
    let mut stdin_too = false;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--heap-mb" => options.heap_mb = value()?.parse()?,
            "--set" => options.settings.push(value()?.clone()),
            "--until-stdin-closes" => stdin_too = true,
            other => return Err(format!("`kafka` does not know {other}").into()),
        }
    }
    let told = end_requested(stdin_too)?;
    let mut kafka = Kafka::start(&options)?;
    println!("listening {}", kafka.addr);
    loop {
        match told.recv_timeout(Duration::from_millis(200)) {
            Ok(why) => {
                eprintln!("stopping Apache Kafka: {why}");
                return kafka.stop();
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(status) = kafka.process.child().try_wait()? {
                    return Err(format!("Apache Kafka ended by itself: {status}").into());
                }
            }
            Err(RecvTimeoutError::Disconnected) => return kafka.stop(),
        }
    }
}

impl Kafka {
    /// Installs if needed, formats a fresh data directory, starts, waits until it serves.
    pub(crate) fn start(options: &Options) -> Outcome<Self> {
        let jars = install()?;
        let (port, controller_port) = two_free_ports()?;
        let data = place::target().join("kafka").join(format!("node-{port}"));
        fs::create_dir_all(&data)?;
        let properties = data.join("server.properties");
        let text = include_str!("../kafka/server.properties")
            .replace("@PORT@", &port.to_string())
            .replace("@CONTROLLER_PORT@", &controller_port.to_string())
            .replace("@DATA@", &data.join("log").display().to_string());
        fs::write(&properties, text + &options.settings.join("\n") + "\n")?;

        let log = data.join("node.out");
        let formatted = java(&jars, options)
            .args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
            .arg(&properties)
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?)
            .status()?;
        if !formatted.success() {
            return Err(format!("Kafka cannot format its log:\n{}", tail(&log, 4000)).into());
        }
        let process = java(&jars, options)
            .arg("kafka.Kafka")
            .arg(&properties)
            .stdin(Stdio::null())
            .stdout(File::options().append(true).open(&log)?)
            .stderr(File::options().append(true).open(&log)?)
            .spawn()?;
        let addr = SocketAddr::from(([127, 0, 0, 1], port));
        let mut kafka = Self { process: Owned::new(process), addr, data };
        kafka.wait_until_it_serves(&log)?;
        Ok(kafka)
    }

    pub(crate) fn bootstrap(&self) -> String {
        self.addr.to_string()
    }

    pub(crate) fn stop(&mut self) -> Outcome {
        self.process.stop(STOP_LIMIT)?;
        fs::remove_dir_all(&self.data)?;
        Ok(())
    }

    /// The port opens when the broker is about to serve; clients then retry for themselves.
    fn wait_until_it_serves(&mut self, log: &Path) -> Outcome {
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(self.addr).is_err() {
            if let Some(status) = self.process.child().try_wait()? {
                return Err(format!("Kafka did not start ({status}):\n{}", tail(log, 4000)).into());
            }
            if Instant::now() > deadline {
                return Err(format!("Kafka does not serve after {START_LIMIT:?}").into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

/// The directory of jars, filled by Maven on first use.
pub(crate) fn install() -> Outcome<PathBuf> {
    need("java", "-version", "openjdk-17-jre-headless")?;
    let home = place::target().join("kafka");
    let jars = home.join("lib-4.3.1");
    if jars.is_dir() {
        return Ok(jars);
    }
    need("mvn", "-version", "maven")?;
    fs::create_dir_all(&home)?;
    let partial = home.join(format!("lib-partial-{}", std::process::id()));
    eprintln!("fetching Apache Kafka 4.3.1 from Maven Central (about 54 MB)");
    let fetched = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(place::root().join("xtask/kafka/pom.xml"))
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", partial.display()))
        .stdout(std::io::stderr())
        .status()?;
    if !fetched.success() {
        return Err("Maven could not fetch Apache Kafka; its words stand above".into());
    }
    // A rename makes the install whole or absent, also when two chores run at once.
    if let Err(error) = fs::rename(&partial, &jars)
        && !jars.is_dir()
    {
        return Err(error.into());
    }
    Ok(jars)
}

/// A tool that must be there; its absence is a failure that says what to install.
pub(crate) fn need(tool: &str, probe: &str, package: &str) -> Outcome {
    let probed = Command::new(tool).arg(probe).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match probed {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("`{tool}` cannot be run; install it: apt-get install {package}").into()),
    }
}

fn java(jars: &Path, options: &Options) -> Command {
    let mut java = Command::new("java");
    java.arg(format!("-Xmx{}m", options.heap_mb))
        .arg("-XX:+UseG1GC")
        .arg(format!(
            "-Dlog4j2.configurationFile={}",
            place::root().join("xtask/kafka/log4j2.yaml").display()
        ))
        .arg("-cp")
        .arg(format!("{}/*", jars.display()));
    java
}

/// Kafka cannot report a port that it picked itself, so it is given ones that are free now.
fn two_free_ports() -> Outcome<(u16, u16)> {
    let one = TcpListener::bind("127.0.0.1:0")?;
    let two = TcpListener::bind("127.0.0.1:0")?;
    Ok((one.local_addr()?.port(), two.local_addr()?.port()))
}
