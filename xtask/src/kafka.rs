//! Apache Kafka itself, as plain jars from Maven Central: the oracle for everything on its wire.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::process::{End, Owned, end_requested, tail};
use crate::{Outcome, maven, place};

mod secured;

pub(crate) use secured::Secured;

/// Format and start take 3 s on an idle machine; CI machines are slower.
const START_LIMIT: Duration = Duration::from_secs(120);
/// A controlled shutdown takes about a second.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Any 16 bytes in base64: the node is alone, so the id only has to be well formed.
const CLUSTER_ID: &str = "dGlkaW5ncy1vcmFjbGUtMQ";

const PROPERTIES: &str = "server.properties";
/// What the node says, beside its data.
const LOG: &str = "node.out";

/// How a node is started.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) heap_mb: u32,
    /// Lines for server.properties beyond (and over) our own.
    pub(crate) settings: Vec<String>,
    /// With TLS, passwords and an authorizer.
    pub(crate) secured: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { heap_mb: 1024, settings: Vec::new(), secured: false }
    }
}

/// A node that can be started: formatted, with its port and its settings.
#[derive(Debug)]
pub(crate) struct Node {
    jars: PathBuf,
    options: Options,
    addr: SocketAddr,
    data: PathBuf,
    secured: Option<Secured>,
}

/// A running node, ended when dropped.
#[derive(Debug)]
pub(crate) struct Kafka {
    process: Owned,
    node: Node,
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
            "--secured" => options.secured = true,
            "--until-stdin-closes" => stdin_too = true,
            other => return Err(format!("`kafka` does not know {other}").into()),
        }
    }
    let told = end_requested(stdin_too)?;
    let mut kafka = Kafka::start(&options)?;
    println!("listening {}", kafka.node.addr);
    if let Some(secured) = kafka.secured() {
        secured.print();
    }
    match kafka.process.end(&told)? {
        End::Told(why) => {
            eprintln!("stopping Apache Kafka: {why}");
            kafka.stop()
        }
        End::Itself(status) => Err(format!("Apache Kafka ended by itself: {status}").into()),
    }
}

impl Node {
    /// Installs if needed, and formats a fresh data directory.
    pub(crate) fn prepare(options: &Options) -> Outcome<Self> {
        let jars = install()?;
        let (port, controller_port) = two_free_ports()?;
        let data = place::target().join("kafka").join(format!("node-{port}"));
        fs::create_dir_all(&data)?;
        let text = include_str!("../kafka/server.properties")
            .replace("@PORT@", &port.to_string())
            .replace("@CONTROLLER_PORT@", &controller_port.to_string())
            .replace("@DATA@", &data.join("log").display().to_string());
        let addr = SocketAddr::from(([127, 0, 0, 1], port));
        let secured = options.secured.then(|| Secured::prepare(&data)).transpose()?;
        let (more, users) = match &secured {
            Some(secured) => (secured.properties(port, controller_port), Secured::format_words()),
            None => Default::default(),
        };
        let node = Self { jars, options: options.clone(), addr, data, secured };
        let properties = node.data.join(PROPERTIES);
        fs::write(&properties, text + &more + &options.settings.join("\n") + "\n")?;

        let formatted = java(&node.jars, options)
            .args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
            .arg(&properties)
            .args(users)
            .stdout(File::create(node.log())?)
            .stderr(File::options().append(true).open(node.log())?)
            .status()?;
        if !formatted.success() {
            let said = tail(&node.log(), 4000);
            return Err(format!("Kafka cannot format its log:\n{said}").into());
        }
        Ok(node)
    }

    /// The command that runs it; on the same port and data however often.
    pub(crate) fn command(&self) -> Command {
        let mut java = java(&self.jars, &self.options);
        java.arg("kafka.Kafka").arg(self.data.join(PROPERTIES));
        java
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where its words go.
    pub(crate) fn log(&self) -> PathBuf {
        self.data.join(LOG)
    }

    /// Its data goes.
    pub(crate) fn remove(&self) -> Outcome {
        Ok(fs::remove_dir_all(&self.data)?)
    }

    fn spawn(&self) -> Outcome<Owned> {
        let log = File::options().append(true).open(self.log())?;
        let mut java = self.command();
        java.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Owned::new(java.spawn()?))
    }
}

impl Kafka {
    /// Prepares a node, starts it, waits until it serves.
    pub(crate) fn start(options: &Options) -> Outcome<Self> {
        let node = Node::prepare(options)?;
        let mut kafka = Self { process: node.spawn()?, node };
        kafka.wait_until_it_serves()?;
        if options.secured {
            Secured::allow(&kafka.node.jars, options, &kafka.bootstrap())?;
        }
        Ok(kafka)
    }

    /// Its further listeners, if it was started with them.
    pub(crate) fn secured(&self) -> Option<&Secured> {
        self.node.secured.as_ref()
    }

    /// kill -9: nothing is said, nothing is written any more. [`restart`](Self::restart) goes on
    /// from what is on its disk.
    pub(crate) fn kill(&mut self) -> Outcome {
        self.process.signal(Signal::SIGKILL);
        match self.process.wait(STOP_LIMIT)? {
            Some(_) => Ok(()),
            None => Err("Kafka outlives kill -9".into()),
        }
    }

    /// Starts it again on its port with its data, and waits until it serves: after a kill that
    /// takes `broker.session.timeout.ms` and some seconds.
    pub(crate) fn restart(&mut self) -> Outcome {
        self.process = self.node.spawn()?;
        self.wait_until_it_serves()
    }

    pub(crate) fn bootstrap(&self) -> String {
        self.node.addr.to_string()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) fn stop(&mut self) -> Outcome {
        self.process.stop(STOP_LIMIT)?;
        self.node.remove()
    }

    /// The port opens when the broker is about to serve; clients then retry for themselves.
    fn wait_until_it_serves(&mut self) -> Outcome {
        let log = &self.node.log();
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(self.node.addr).is_err() {
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
    maven::jars("xtask/kafka/pom.xml", "kafka/lib-4.3.1", "Apache Kafka 4.3.1 (about 54 MB)")
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
pub(crate) fn two_free_ports() -> Outcome<(u16, u16)> {
    let one = lasting_port()?;
    loop {
        let two = lasting_port()?;
        if one != two {
            return Ok((one, two));
        }
    }
}

/// A port that is free now and that no outgoing connection is given while its server is dead:
/// one below those that the kernel hands out by itself.
pub(crate) fn lasting_port() -> Outcome<u16> {
    for _ in 0..1_000 {
        let drawn = std::time::UNIX_EPOCH.elapsed()?.subsec_nanos() / 64 % 12_000;
        let port = 20_000 + u16::try_from(drawn)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port between 20000 and 32000 is free".into())
}
