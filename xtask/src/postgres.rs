//! PostgreSQL itself, from Debian's package: what the tests of stores run against.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::User;

use crate::kafka::lasting_port;
use crate::process::{End, Owned, end_requested, tail};
use crate::{Outcome, clients};

mod home;

use home::Home;

/// A start takes a second or two on an idle machine; CI machines are slower.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A fast shutdown writes a checkpoint, so it takes as long as the disk does.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Where Debian puts each version: `15/bin/postgres` and so on.
const VERSIONS: &str = "/usr/lib/postgresql";
const OLDEST: u32 = 15;
const PACKAGE: &str = "postgresql-15";
/// The one whom the package makes, and whom the server runs as when we are root: it refuses root.
const SYSTEM_USER: &str = "postgres";
/// The superuser inside.
const USER: &str = "tidings";

/// Over the defaults. Fsync stays on: a store that promises something is tested on a server that
/// keeps promises. No prepared transactions: nobody may come to need what is off by default.
/// No unix socket: its name would be too long in a deep target directory.
const SETTINGS: [&str; 5] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "wal_level=logical",
    "max_connections=200",
    "max_prepared_transactions=0",
];

/// A running server, ended when dropped.
#[derive(Debug)]
pub(crate) struct Postgres {
    process: Owned,
    cluster: Cluster,
}

/// What a server is started from: its programs, its data and who owns both.
#[derive(Debug)]
struct Cluster {
    programs: PathBuf,
    /// None: it runs as ourselves.
    owner: Option<User>,
    home: Home,
    port: u16,
    password: String,
}

/// `cargo xtask postgres`.
pub(crate) fn command(words: &[String]) -> Outcome {
    let mut stdin_too = false;
    for word in words {
        match word.as_str() {
            "--until-stdin-closes" => stdin_too = true,
            other => return Err(format!("`postgres` does not know {other}").into()),
        }
    }
    let told = end_requested(stdin_too)?;
    let mut postgres = Postgres::start()?;
    println!("listening {}", postgres.addr());
    println!("url {}", postgres.url());
    match postgres.process.end(&told)? {
        End::Told(why) => {
            eprintln!("stopping PostgreSQL: {why}");
            postgres.stop()
        }
        End::Itself(status) => {
            let said = postgres.cluster.said();
            Err(format!("PostgreSQL ended by itself ({status}):\n{said}").into())
        }
    }
}

impl Postgres {
    /// Installs if needed, makes an empty cluster, starts it, waits until it answers.
    pub(crate) fn start() -> Outcome<Self> {
        let cluster = Cluster::prepare()?;
        let mut postgres = Self { process: cluster.spawn()?, cluster };
        postgres.wait_until_it_serves()?;
        Ok(postgres)
    }

    pub(crate) fn url(&self) -> String {
        self.cluster.url()
    }

    /// Runs a script, a superuser's, and returns what its queries printed: a line per row, columns
    /// between bars. The first error ends it.
    pub(crate) fn psql(&self, script: &str) -> Outcome<String> {
        let words = ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"];
        let mut psql = self
            .cluster
            .program("psql")
            .arg(self.url())
            .args(words)
            .args(["--set", "ON_ERROR_STOP=1", "--file", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = psql.stdin.take().ok_or("psql has no standard input")?;
        let ran = std::thread::scope(|scope| {
            // Beside the reading: either side would wait for the other once a pipe is full.
            scope.spawn(move || stdin.write_all(script.as_bytes()));
            psql.wait_with_output()
        })?;
        if ran.status.success() {
            return Ok(String::from_utf8(ran.stdout)?);
        }
        let said = String::from_utf8_lossy(&ran.stderr);
        Err(format!("psql failed ({}):\n{said}", ran.status).into())
    }

    /// A fast shutdown: sessions are cut off, all else ends in order. Anything but a clean end is
    /// an error, also one that came before this.
    pub(crate) fn stop(mut self) -> Outcome {
        if self.process.child().try_wait()?.is_none() {
            self.process.signal(Signal::SIGINT);
        }
        match self.process.wait(STOP_LIMIT)? {
            Some(status) if status.success() => self.cluster.home.remove(),
            Some(status) => {
                let said = self.cluster.said();
                Err(format!("PostgreSQL did not end well ({status}):\n{said}").into())
            }
            None => Err(format!("PostgreSQL does not end within {STOP_LIMIT:?}").into()),
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.cluster.port))
    }

    /// An open port is too early, it refuses sessions while it starts: a query has to be answered.
    fn wait_until_it_serves(&mut self) -> Outcome {
        let deadline = Instant::now() + START_LIMIT;
        while !self.cluster.answers()? {
            if let Some(status) = self.process.child().try_wait()? {
                let said = self.cluster.said();
                return Err(format!("PostgreSQL did not start ({status}):\n{said}").into());
            }
            if Instant::now() > deadline {
                let said = self.cluster.said();
                let limit = START_LIMIT;
                return Err(format!("PostgreSQL does not serve after {limit:?}:\n{said}").into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Postgres {
    /// Not kill -9 at once: its helpers would outlive it a moment and write where we remove.
    fn drop(&mut self) {
        if let Ok(None) = self.process.child().try_wait() {
            self.process.signal(Signal::SIGQUIT);
            let _late = self.process.wait(STOP_LIMIT);
        }
    }
}

impl Cluster {
    fn prepare() -> Outcome<Self> {
        let programs = install()?;
        let owner = owner()?;
        let port = lasting_port()?;
        let home = Home::make(port, owner.as_ref())?;
        let cluster = Self { programs, owner, home, port, password: random_word()? };
        cluster.init()?;
        Ok(cluster)
    }

    /// An empty cluster. What it loses when the machine fails at this moment is of no interest.
    fn init(&self) -> Outcome {
        let password = self.home.path().join("password");
        fs::write(&password, &self.password)?;
        home::give(&password, self.owner.as_ref())?;
        let log = File::create(self.log())?;
        let mut initdb = self.program("initdb");
        initdb.arg("--pgdata").arg(self.data()).arg("--pwfile").arg(&password);
        initdb.args(["--username", USER, "--auth=scram-sha-256", "--no-sync"]);
        initdb.args(["--encoding=UTF8", "--locale=C"]);
        let made = initdb.stdout(log.try_clone()?).stderr(log).status()?;
        if made.success() {
            return Ok(());
        }
        Err(format!("PostgreSQL's initdb failed ({made}):\n{}", self.said()).into())
    }

    fn spawn(&self) -> Outcome<Owned> {
        // Over what initdb said, which came well.
        let log = File::create(self.log())?;
        let mut postgres = self.program("postgres");
        postgres.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        postgres.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        Ok(Owned::new(postgres.stdout(log.try_clone()?).stderr(log).spawn()?))
    }

    fn answers(&self) -> Outcome<bool> {
        let asked = self
            .program("psql")
            .args([&self.url(), "--no-psqlrc", "--command", "SELECT 1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        Ok(asked.success())
    }

    fn url(&self) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// A program of the package, run by the owner of the data in a directory that is open to it.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.home.path()).stdin(Stdio::null());
        if let Some(owner) = &self.owner {
            command.uid(owner.uid.as_raw()).gid(owner.gid.as_raw());
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("postgres.out")
    }

    /// Its last words, for an error message.
    fn said(&self) -> String {
        tail(&self.log(), 4000)
    }
}

/// The directory of the newest version's programs, installed on first use.
fn install() -> Outcome<PathBuf> {
    if let Some(programs) = newest(Path::new(VERSIONS)) {
        return Ok(programs);
    }
    clients::apt_install(PACKAGE)?;
    newest(Path::new(VERSIONS))
        .ok_or_else(|| format!("`{PACKAGE}` left no server in {VERSIONS}").into())
}

/// By number: 9.6, which is older than 15, is no whole one.
fn newest(versions: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(versions).ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let programs = |version: u32| versions.join(version.to_string()).join("bin");
    names
        .filter(|version| *version >= OLDEST)
        .filter(|version| programs(*version).join("postgres").is_file())
        .max()
        .map(programs)
}

/// Whom the server runs as; none is ourselves.
fn owner() -> Outcome<Option<User>> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(None);
    }
    match User::from_name(SYSTEM_USER)? {
        Some(user) => Ok(Some(user)),
        None => Err(format!(
            "PostgreSQL refuses to run as root, and there is no user `{SYSTEM_USER}`; \
             install {PACKAGE} or run this as somebody else"
        )
        .into()),
    }
}

/// A password that the machine's other users do not know: loopback is theirs too.
fn random_word() -> Outcome<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
