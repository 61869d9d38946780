//! Keeps the services running: each that ends is started again after a pause that doubles while it
//! keeps dying, and begins anew when it has lived for a while. One task per service owns its
//! process and reports what happens.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::child::Running;
use crate::limits;

/// What happens to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A process was started.
    Started {
        /// The service.
        name: &'static str,
        /// The process.
        pid: u32,
    },
    /// It serves health and metrics.
    Serves {
        /// The service.
        name: &'static str,
        /// Where.
        address: SocketAddr,
    },
    /// It logged trouble, or wrote something that is no log.
    Said {
        /// The service.
        name: &'static str,
        /// What.
        text: String,
    },
    /// Its process has ended and will be started again.
    Ended {
        /// The service.
        name: &'static str,
        /// How: `was killed (signal 9)`.
        how: String,
        /// Its exit code, if it had one.
        code: Option<i32>,
        /// The pause before the next start.
        pause: Duration,
    },
}

/// The services and who keeps them.
pub struct Supervisor {
    keepers: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

/// What a keeper needs to start its service.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// This very program.
    pub program: PathBuf,
    /// The environment of every service.
    pub variables: Vec<(String, String)>,
}

impl Supervisor {
    /// Starts the services and keeps them running.
    pub fn start(
        names: &'static [&'static str],
        recipe: &Recipe,
        news: &mpsc::Sender<News>,
    ) -> Self {
        let (stop, _) = watch::channel(false);
        let keepers = names
            .iter()
            .map(|name| tokio::spawn(keep(name, recipe.clone(), news.clone(), stop.subscribe())))
            .collect();
        Self { keepers, stop }
    }

    /// Stops all of them, at the same time, and waits until they have ended.
    pub async fn shut_down(self) {
        // Without a keeper left there is nobody to tell.
        let _ = self.stop.send(true);
        for keeper in self.keepers {
            let _ = keeper.await;
        }
    }
}

async fn keep(
    name: &'static str,
    mut recipe: Recipe,
    news: mpsc::Sender<News>,
    mut stop: watch::Receiver<bool>,
) {
    // A stable name lets a service that was killed go on at once in its group.
    recipe.variables.push(("TIDINGS_INSTANCE".to_owned(), name.to_owned()));
    let mut pause = Pause::default();
    loop {
        let born = Instant::now();
        let mut code = None;
        let how = match Running::start(&recipe.program, name, &recipe.variables, &news) {
            Err(error) => format!("cannot be started: {error}"),
            Ok(mut running) => {
                tell(&news, News::Started { name, pid: running.pid() }).await;
                tokio::select! {
                    ended = running.ended() => match ended {
                        Ok(status) => {
                            code = status.code();
                            how(status)
                        }
                        Err(error) => format!("is lost: {error}"),
                    },
                    () = told_to_stop(&mut stop) => return running.stop().await,
                }
            }
        };
        let pause = pause.after(born.elapsed());
        tell(&news, News::Ended { name, how, code, pause }).await;
        tokio::select! {
            () = sleep(pause) => {}
            () = told_to_stop(&mut stop) => return,
        }
    }
}

/// The supervisor says so, or is gone.
async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Nobody listens any more only while the whole command ends.
async fn tell(news: &mpsc::Sender<News>, told: News) {
    let _ = news.send(told).await;
}

fn how(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was killed (signal {signal})"),
        (None, Some(0)) => "ended by itself".to_owned(),
        (None, code) => format!("failed (exit code {})", code.unwrap_or(-1)),
    }
}

/// The pause before the next start.
#[derive(Debug, Default)]
struct Pause {
    last: Option<Duration>,
}

impl Pause {
    fn after(&mut self, life: Duration) -> Duration {
        let next = match self.last {
            Some(last) if life < limits::STEADY_LIFE => (last * 2).min(limits::RESTART_LONGEST),
            _ => limits::RESTART_FIRST,
        };
        self.last = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_while_a_service_keeps_dying_and_begins_anew_after_a_life() {
        let mut pause = Pause::default();
        let short = Duration::from_millis(50);
        let pauses: Vec<u128> = (0..8).map(|_| pause.after(short).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
        assert_eq!(pause.after(limits::STEADY_LIFE), limits::RESTART_FIRST);
    }

    #[test]
    fn how_a_process_ended_is_said() {
        assert_eq!(how(ExitStatus::from_raw(9)), "was killed (signal 9)");
        assert_eq!(how(ExitStatus::from_raw(1 << 8)), "failed (exit code 1)");
        assert_eq!(how(ExitStatus::from_raw(0)), "ended by itself");
    }
}
