//! One process of a service: started, listened to, stopped. Its standard input is a pipe that
//! nobody writes to; when this process ends, however it ends, the pipe breaks and the service stops
//! itself.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::supervisor::News;
use crate::limits;

/// A running process.
pub struct Running {
    child: Child,
    pid: u32,
}

impl Running {
    /// Starts `program shop-service NAME` with these variables, and reports what its log tells.
    pub fn start(
        program: &Path,
        name: &'static str,
        variables: &[(String, String)],
        news: &mpsc::Sender<News>,
    ) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(["shop-service", name])
            .envs(variables.iter().map(|(name, value)| (name, value)))
            // Its log is read here, not by people: the line with the address must not be filtered.
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C on the terminal is this process's to pass on: a second signal means "at once".
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let pid = child.id().unwrap_or_default();
        if let Some(log) = child.stderr.take() {
            tokio::spawn(listen(name, log, news.clone()));
        }
        Ok(Self { child, pid })
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the end of the process.
    pub async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        // The pipe of standard input must stay open meanwhile, which `Child::wait` would close.
        let held = self.child.stdin.take();
        let ended = self.child.wait().await;
        drop(held);
        ended
    }

    /// Asks it to stop, and kills it when it takes too long.
    pub async fn stop(mut self) {
        if let Ok(pid) = i32::try_from(self.pid) {
            // It may have ended already; then there is nothing to stop.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if timeout(limits::STOP_GRACE, self.ended()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// Reads the service's log, one JSON object per line, as long as it lives.
async fn listen(name: &'static str, log: impl AsyncRead + Unpin, news: mpsc::Sender<News>) {
    let mut lines = BufReader::new(log);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = limits::LOG_LINE_BYTES as u64;
        match (&mut lines).take(limit).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if let Some(told) = understand(name, &line)
            && news.send(told).await.is_err()
        {
            return;
        }
    }
}

/// What a line of the log means here: where the service serves its metrics, or that it has trouble.
fn understand(name: &'static str, line: &[u8]) -> Option<News> {
    let text = String::from_utf8_lossy(line).trim().to_owned();
    if text.is_empty() {
        return None;
    }
    let Ok(log) = serde_json::from_str::<serde_json::Value>(&text) else {
        return Some(News::Said { name, text });
    };
    if let Some(address) = log["http_addr"].as_str().and_then(|text| text.parse().ok()) {
        return Some(News::Serves { name, address });
    }
    // A failed attempt that is tried again stands in the table's own column.
    let is_retry = !log["attempt"].is_null() && log["level"] == "WARN";
    match log["level"].as_str() {
        Some("ERROR" | "WARN") if !is_retry => {
            let message = log["message"].as_str().unwrap_or(&text).to_owned();
            let text = match log["error"].as_str() {
                Some(error) => format!("{message}: {error}"),
                None => message,
            };
            Some(News::Said { name, text })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_tells_where_metrics_are_and_what_is_wrong() {
        for (line, told) in [
            (
                r#"{"level":"INFO","message":"serving","http_addr":"127.0.0.1:4711"}"#,
                Some(News::Serves { name: "a", address: ([127, 0, 0, 1], 4711).into() }),
            ),
            (r#"{"level":"INFO","message":"order placed"}"#, None),
            (r#"{"level":"WARN","message":"attempt failed","attempt":1,"error":"busy"}"#, None),
            (
                r#"{"level":"WARN","message":"cannot commit","error":"broker is away"}"#,
                Some(News::Said { name: "a", text: "cannot commit: broker is away".to_owned() }),
            ),
            ("error: no data\n", Some(News::Said { name: "a", text: "error: no data".to_owned() })),
            ("\n", None),
        ] {
            assert_eq!(understand("a", line.as_bytes()), told, "{line}");
        }
    }
}
