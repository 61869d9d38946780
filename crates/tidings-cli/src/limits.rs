//! Every cap, time limit and default size of the commands, with its unit and the reason for it.

use std::time::Duration;

/// How long to wait for a TCP connection to a bootstrap address: a broker on the same continent
/// answers within 0.3 s, and a person should know within seconds that nobody is there.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long to wait for an answer to a metadata, offsets or group request.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a change of topics may take: Kafka's controller needs seconds for many partitions.
pub const ADMIN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a scan waits without a single record before it gives up: longer than a broker's fetch
/// wait and a reconnect, shorter than a person's patience.
pub const SCAN_STALL: Duration = Duration::from_secs(20);

/// Logs with at most this many records are scanned whole when no range is given: at a few hundred
/// thousand records per second that is about a second.
pub const WHOLE_SCAN_RECORDS: i64 = 500_000;

/// The range of a scan of a longer log, when none is given.
pub const DEFAULT_SCAN_BACK: Duration = Duration::from_secs(60 * 60);

/// An id made from a UUID of version 7 or 8 carries the time of its first cause; clocks of
/// different machines differ, so a scan starts this much earlier.
pub const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// How many events a flow's index may hold: at about 400 bytes each that is 800 MB, the most that
/// a laptop spares; beyond it the command asks for a narrower range.
pub const FLOW_INDEX_EVENTS: usize = 2_000_000;

/// How many dead letters are held to be listed, counted or chosen from: at about 1 KiB each that is
/// 500 MB at most; beyond it the command asks for a narrower range.
pub const DEAD_LETTERS: usize = 500_000;

/// How many lines of dead letters are printed for people; JSON has them all.
pub const DEAD_LETTER_LINES: usize = 200;

/// How many copies of one dead letter are shown, the newest ones: a retry a day for three weeks.
pub const DEAD_LETTER_COPIES: usize = 20;

/// How many dead letters the beginning of an id may stand for before the search for them ends: it
/// is ambiguous with two, and a person wants to see some of them.
pub const DEAD_LETTER_MATCHES: usize = 64;

/// How much of an error's sentence is kept per dead letter: other frameworks put whole documents
/// into it.
pub const REASON_BYTES: usize = 2_000;

/// How many lines of an error's causes or stack are printed for people.
pub const STACK_LINES: usize = 20;

/// How many dead letters are republished before they are marked: enough to fill batches on every
/// partition; this many at most are sent again after a crash between the two.
pub const REPUBLISH_TOGETHER: usize = 500;

/// The bytes of dead letters that are held while they are republished.
pub const REPUBLISH_TOGETHER_BYTES: usize = 16 * 1024 * 1024;

/// How many events `--from -N` may ask for: they are held in memory to be put in order of time.
pub const LAST_N_RECORDS: u64 = 100_000;

/// How many nodes of a tree are printed for people; JSON has them all.
pub const FLOW_TREE_LINES: usize = 1_000;

/// How deep a tree of causes may be: a business process has tens of steps; deeper chains are hung
/// on their ancestor at this depth.
pub const FLOW_DEPTH: usize = 200;

/// The longest line of a JSON-lines file: eight times Kafka's default of 1 MiB per record, so that
/// a too large event is refused by the broker's limit with its reason, and a binary file early.
pub const JSON_LINE_BYTES: usize = 8 * 1024 * 1024;

/// How many bad lines of one file are printed; all are counted.
pub const BAD_LINES_SHOWN: u64 = 20;

/// How much of a file is held in memory to be checked before anything is published.
pub const CHECK_FIRST_BYTES: u64 = 512 * 1024 * 1024;

/// How many events of a file are on their way to the broker: enough to fill batches on every
/// partition, few enough to be held in memory at their largest size.
pub const EVENTS_IN_FLIGHT: usize = 10_000;

/// The buffer for reading files of events: a large read costs the disk one seek.
pub const READ_BUFFER_BYTES: usize = 256 * 1024;

/// The largest file given by `--data @FILE`.
pub const DATA_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// How many characters of an event's data fit the one line for people when there is no terminal.
pub const LINE_CHARS: usize = 200;

/// Topics and partitions that one `group` command looks at: each costs an entry of one request.
pub const GROUP_PARTITIONS: usize = 100_000;

/// How long a service may take to stop after SIGTERM before it is killed: its own limit is 25 s.
pub const STOP_GRACE: Duration = Duration::from_secs(28);

/// The first and the longest pause before a stopped service is started again. The pause doubles
/// with each death and starts anew after a life of `STEADY_LIFE`.
pub const RESTART_FIRST: Duration = Duration::from_millis(200);
/// The longest pause between two starts of a service that keeps dying.
pub const RESTART_LONGEST: Duration = Duration::from_secs(10);
/// A service that lived this long is steady again: its next restart is immediate.
pub const STEADY_LIFE: Duration = Duration::from_secs(10);

/// How long the demo's banner waits for what it tells of the services, which start in a fraction of
/// it.
pub const BANNER_WAIT: Duration = Duration::from_secs(3);

/// How often the live table is drawn: faster than this nobody reads.
pub const REDRAW_EVERY: Duration = Duration::from_millis(500);
/// How often it is looked whether the demo is through and whether a service is back: an absence is
/// told to a fifth of a second, and looking costs the demo nothing that shows.
pub const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How much news of services may wait to be shown; a service that talks more waits itself.
pub const NEWS_WAITING: usize = 256;

/// How many lines of notes the live screen keeps below its table.
pub const NOTES_KEPT: usize = 8;

/// The longest line of a service's log that is read; the rest of a longer one is cut.
pub const LOG_LINE_BYTES: usize = 64 * 1024;

/// The largest answer read from a service's `/metrics`: ours are some 20 KiB.
pub const METRICS_BYTES: usize = 4 * 1024 * 1024;
/// How long a scrape of a service's `/metrics` may take.
pub const SCRAPE_TIMEOUT: Duration = Duration::from_millis(800);

/// How long `dlq redrive` waits for answers unless told otherwise: an instance hears of an act
/// within half a second, and its answer goes through the outbox.
pub const ACT_WAIT: Duration = Duration::from_secs(15);

/// How long one look for answers takes.
pub const ACT_POLL: Duration = Duration::from_millis(250);
