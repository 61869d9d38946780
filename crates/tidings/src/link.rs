//! The way to the cluster, as Kafka's clients report it. Librdkafka says several times a second and
//! in several places that something is wrong, mostly without a word about what to do. Here all of
//! it meets: it becomes a sentence that names the setting, it is told to the log once when it
//! begins and once when it is over, and it is kept, so that whoever waits in vain can say why.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::statistics::Statistics;

use crate::config::Settings;

mod acl;
mod certificate;
mod diagnosis;
mod security;

pub use acl::{Act, NotAllowed};
use security::Security;

/// What lasts is told again at most this often.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// The clients tell their brokers' states every second; one that is older than what another client
/// met says nothing.
const STALE: Duration = Duration::from_millis(1200);

/// The first wait for an answer; the following ones double, so that a slow answer comes in time.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// How many callbacks of a client are served after a question: some ten come with each failure.
pub const CALLBACKS: usize = 64;

/// What the clients of one program know about their cluster. Clones share it; it is the context of
/// each client.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    security: Security,
    /// Tells the log as well; a command tells its user instead.
    logs: bool,
    /// A broker has answered once, so it speaks what we speak.
    was_up: AtomicBool,
    /// Looked at for every acknowledgement.
    is_down: AtomicBool,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    last: Option<Trouble>,
    /// An authorizer's refusal of something that the client does by itself, such as finding out who
    /// coordinates a group: the question that needed it would only time out.
    refusal: Option<RDKafkaErrorCode>,
    down_since: Option<Instant>,
    /// Whether the log knows that it is down.
    down_said: bool,
    said_at: Option<Instant>,
    unsaid: u64,
    /// What was told within the last seconds, and when.
    lines: HashMap<String, Instant>,
}

/// Why the cluster cannot be used, as a sentence that names the setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    kind: TroubleKind,
    sentence: String,
    reason: String,
}

/// What kind of trouble it is; later ones say more than earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TroubleKind {
    /// A connection was closed, which happens every day.
    Closed,
    /// No broker can be reached.
    Unreachable,
    /// The other side speaks something else: TLS, or none, or wants a password.
    Protocol,
    /// The broker's certificate is not trusted, or the broker does not trust ours.
    Certificate,
    /// The broker refuses the user, the password or the mechanism.
    Credentials,
}

/// Why a question had no answer.
#[derive(Clone, Debug)]
pub struct Unanswered {
    /// What is wrong with the way, if that is known.
    pub trouble: Option<Box<Trouble>>,
    /// The client's own error.
    pub error: KafkaError,
}

impl Trouble {
    /// What kind it is.
    pub fn kind(&self) -> TroubleKind {
        self.kind
    }

    /// Whether so many questions without an answer are enough. One more than one: of several
    /// brokers another one may be in order. Whoever speaks something else may be starting.
    fn is_over(&self, failures: u32) -> bool {
        match self.kind {
            TroubleKind::Credentials | TroubleKind::Certificate => failures >= 2,
            TroubleKind::Protocol => failures >= 3,
            TroubleKind::Unreachable | TroubleKind::Closed => false,
        }
    }

    /// The client's own words.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Waiting does not help: somebody has to change a setting, here or there.
    pub fn is_refusal(&self) -> bool {
        matches!(self.kind, TroubleKind::Credentials | TroubleKind::Certificate)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl Link {
    /// For a service: what happens on the way is told to the log.
    pub fn new(settings: &Settings) -> Link {
        Link::with(settings, true)
    }

    /// For a command: what happens is only kept.
    pub fn quiet(settings: &Settings) -> Link {
        Link::with(settings, false)
    }

    fn with(settings: &Settings, logs: bool) -> Link {
        let shared = Shared {
            security: Security::of(settings),
            logs,
            was_up: AtomicBool::new(false),
            is_down: AtomicBool::new(false),
            told: Mutex::default(),
        };
        Link { shared: Arc::new(shared) }
    }

    /// A client's configuration, so that it tells all that is wanted here.
    pub fn tell_all(config: &mut ClientConfig) {
        // Closed connections are told at this level, and nothing else that is passed on.
        config.set_log_level(RDKafkaLogLevel::Info);
    }

    /// What is wrong now.
    pub fn trouble(&self) -> Option<Trouble> {
        self.lock().last.clone()
    }

    /// Asks until there is an answer or the time is up; a refusal ends it early. `ask` waits for
    /// the answer as long as it is told, and then serves the client's callbacks: [`CALLBACKS`] of
    /// them, since a client's poll serves one.
    pub fn ask<T>(
        &self,
        limit: Duration,
        mut ask: impl FnMut(Duration) -> KafkaResult<T>,
    ) -> Result<T, Unanswered> {
        let deadline = Instant::now() + limit;
        let mut wait = FIRST_WAIT;
        let mut failures = 0;
        loop {
            let began = Instant::now();
            let error = match ask(wait.min(deadline.saturating_duration_since(began))) {
                Ok(answer) => {
                    self.up();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let trouble = self.trouble();
            failures += 1;
            if let Some(code) = self.lock().refusal.take() {
                return Err(Unanswered { trouble: None, error: KafkaError::Global(code) });
            }
            let is_over = trouble.as_ref().is_some_and(|trouble| trouble.is_over(failures));
            if !is_about_the_way(&error) || is_over || Instant::now() >= deadline {
                return Err(Unanswered { trouble: self.examined().map(Box::new), error });
            }
            // It may fail at once, again and again.
            std::thread::sleep(Duration::from_millis(50).saturating_sub(began.elapsed()));
            wait *= 2;
        }
    }

    /// The sentence for an act that the broker does not allow.
    pub fn not_allowed(&self, act: Act<'_>) -> NotAllowed {
        self.shared.security.not_allowed(act)
    }

    /// A broker has answered.
    pub fn up(&self) {
        if !self.shared.was_up.load(Ordering::Relaxed) {
            self.shared.was_up.store(true, Ordering::Relaxed);
        }
        if !self.shared.is_down.load(Ordering::Relaxed) {
            return;
        }
        let mut told = self.lock();
        let since = told.down_since.take();
        self.shared.is_down.store(false, Ordering::Relaxed);
        told.last = None;
        if let (Some(since), true, true) = (since, told.down_said, self.shared.logs) {
            let after = format!("{:.1} s", since.elapsed().as_secs_f32());
            let bootstrap = &self.shared.security.bootstrap;
            tracing::info!(bootstrap, "Kafka answers again after {after}");
        }
        told.down_said = false;
    }

    /// What the statistics of a client say about its brokers.
    pub(crate) fn heard(&self, statistics: &Statistics) {
        let is_recent = || self.lock().down_since.is_none_or(|at| at.elapsed() < STALE);
        if !self.shared.is_down.load(Ordering::Relaxed) || is_recent() {
            return;
        }
        if statistics.brokers.values().any(|broker| broker.state == "UP") {
            self.up();
        }
    }

    /// Tells the log, unless the same was told a moment ago; `what` says what is the same.
    pub(crate) fn say(&self, what: &str, sentence: fmt::Arguments<'_>) {
        if self.shared.logs && self.is_due(what) {
            tracing::warn!(bootstrap = self.shared.security.bootstrap, "{sentence}");
        }
    }

    fn is_due(&self, what: &str) -> bool {
        let now = Instant::now();
        let mut told = self.lock();
        let is_due = told.lines.get(what).is_none_or(|at| now - *at >= SAY_EVERY);
        if is_due {
            told.lines.retain(|_, at| now - *at < SAY_EVERY);
            told.lines.insert(what.to_owned(), now);
        }
        is_due
    }

    /// What is wrong now, exactly: a certificate is looked at by ourselves, since librdkafka does
    /// not say what is wrong with it. Blocks for a handshake then.
    pub fn examined(&self) -> Option<Trouble> {
        let mut trouble = self.trouble()?;
        if trouble.kind == TroubleKind::Certificate {
            self.shared.security.examine(&mut trouble.sentence, &trouble.reason);
        }
        Some(trouble)
    }

    fn note(&self, code: Option<RDKafkaErrorCode>, reason: &str) {
        let mut trouble = self.shared.security.diagnose(code, reason);
        if trouble.kind == TroubleKind::Protocol && self.shared.was_up.load(Ordering::Relaxed) {
            trouble.kind = TroubleKind::Closed;
        }
        let now = Instant::now();
        let mut told = self.lock();
        if told.last.as_ref().is_none_or(|last| last.kind <= trouble.kind) {
            told.last = Some(trouble.clone());
        }
        self.shared.is_down.store(true, Ordering::Relaxed);
        told.down_since.get_or_insert(now);
        if trouble.kind == TroubleKind::Closed {
            return;
        }
        if told.said_at.is_some_and(|at| now - at < SAY_EVERY) {
            told.unsaid += 1;
            return;
        }
        told.said_at = Some(now);
        told.down_said = true;
        let unsaid = std::mem::take(&mut told.unsaid);
        if self.shared.logs {
            let bootstrap = &self.shared.security.bootstrap;
            let reason = &trouble.reason;
            tracing::warn!(bootstrap, reason, unsaid, "{trouble}");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Told> {
        self.shared.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Link {
    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        if code == Some(RDKafkaErrorCode::GroupAuthorizationFailed) {
            self.lock().refusal = code;
        } else if is_about_the_way(&error) {
            self.note(code, reason);
        } else {
            self.say(&error.to_string(), format_args!("Kafka's client: {reason}"));
        }
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        use RDKafkaLogLevel::{Debug, Info, Notice, Warning};
        match (facility, level) {
            // What fails for good comes by `error` too.
            ("FAIL", Warning | Notice | Info) => {
                tracing::debug!(facility, "librdkafka: {line}");
                self.note(None, line);
            }
            ("FAIL" | "ERROR" | "FATAL" | "SSL", _) | (_, Debug | Info | Notice) => {
                tracing::debug!(facility, "librdkafka: {line}");
            }
            _ => self.say(facility, format_args!("Kafka's client: {facility}: {line}")),
        }
    }

    fn stats(&self, statistics: Statistics) {
        self.heard(&statistics);
    }
}

impl ConsumerContext for Link {}

impl ProducerContext for Link {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// Is it about reaching a broker, and not about what was asked?
pub(crate) fn is_about_the_way(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::SSL
                | Code::Authentication
                | Code::SaslAuthenticationFailed
                | Code::UnsupportedSASLMechanism
                | Code::IllegalSASLState
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::NetworkException
                | Code::BadMessage
        )
    )
}

#[cfg(test)]
mod tests;
