//! R7: the disk is full, a real one (a small tmpfs). Writers are told to try again, readers read,
//! nothing that was acknowledged is lost or damaged, and writers go on soon after there is space,
//! without a restart.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{DeleteTopicsRequest, GroupId, OffsetCommitRequest};
use kafka_protocol::protocol::StrBytes;

use super::process::{Process, check};
use super::records::Writer;
use super::{row, size};
use crate::support::{Wire, name, topic};

const STORAGE_ERROR: i16 = 56;
const MIB: usize = 1 << 20;

/// A file system of its own that is full soon; unmounted when dropped.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(mib: usize) -> Small {
        let dir = tempfile::tempdir().expect("a directory");
        let options = format!("size={mib}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir.path());
        let status = mount.status().expect("mount can be run");
        assert!(status.success(), "mounting a tmpfs needs root, or CAP_SYS_ADMIN in a container");
        Small(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file that takes all that is left but `bytes`.
    fn fill_but(&self, bytes: usize) {
        let space = free_bytes(self.path());
        let file = std::fs::File::create(self.path().join("ballast")).expect("created");
        let ballast = vec![7; space.saturating_sub(bytes)];
        std::io::Write::write_all(&mut &file, &ballast).expect("written");
    }

    fn free_ballast(&self) {
        std::fs::remove_file(self.path().join("ballast")).expect("removed");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// By `df`, which every machine has.
fn free_bytes(path: &Path) -> usize {
    let output = Command::new("df").args(["--output=avail", "-B1"]).arg(path).output().expect("df");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().last().and_then(|line| line.trim().parse().ok()).expect("a number")
}

fn commit(wire: &mut Wire, offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic =
        OffsetCommitRequestTopic::default().with_name(name("t")).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str("g")))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    wire.call(7, &request).topics[0].partitions[0].error_code
}

fn delete_topic(wire: &mut Wire, topic: &str) -> i16 {
    let request =
        DeleteTopicsRequest::default().with_topic_names(vec![name(topic)]).with_timeout_ms(5_000);
    wire.call(4, &request).responses[0].error_code
}

/// Writes until it is refused, at most for this many records.
fn fill(writer: &mut Writer, wire: &mut Wire, most: usize) {
    for _ in 0..most {
        let produced = writer.write(wire);
        if produced.error != 0 {
            assert_eq!(produced.error, STORAGE_ERROR, "retriable: {produced:?}");
            let said = produced.message.expect("a sentence");
            assert!(said.contains("disk is full"), "{said}");
            return;
        }
    }
    panic!("{most} records fit");
}

/// How long until a write is taken again.
fn until_written(writer: &mut Writer, wire: &mut Wire) -> Duration {
    let began = Instant::now();
    loop {
        if writer.write(wire).error == 0 {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(5), "not within 5 s of space");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "needs the release binary and root, for a small tmpfs: cargo xtask disk"]
fn a_full_disk_refuses_writers_serves_readers_and_recovers() {
    let small = Small::mount(64);
    let home = tempfile::tempdir().expect("a directory");
    let data = small.path().join("data");
    let flags = ["--data", data.to_str().expect("UTF-8")];
    let broker = Process::start(home.path(), &flags);
    let mut wire = Wire::connect(broker.addr);
    topic(&mut wire, "old", 1, &[]);
    topic(&mut wire, "t", 2, &[("segment.bytes", "4194304")]);
    let mut old = Writer::new("old", 0, 512 << 10);
    for _ in 0..32 {
        assert_eq!(old.write(&mut wire).error, 0);
    }
    let mut writers = [Writer::new("t", 0, 64 << 10), Writer::new("t", 1, 999)];
    assert_eq!(commit(&mut wire, 0), 0);
    fill(&mut writers[0], &mut wire, 2_000);
    fill(&mut writers[1], &mut wire, 200_000);
    // Everything that was acknowledged is served, to the byte.
    for writer in writers.iter().chain([&old]) {
        assert_eq!(writer.verify(&mut wire), 0, "nothing but what was acknowledged");
    }
    // Records have left room for what must go on: who has handled something can say so.
    let commits = (1..=2_000).filter(|offset| commit(&mut wire, *offset) == 0).count();
    row("R7.full.commits", commits, "2000");
    assert_eq!(commits, 2_000, "{}", broker.log());
    let (created, said) = crate::topics::create(&mut wire, "new", 1, 1, &[]);
    row("R7.full.create_topic_code", created, "0");
    assert_eq!(created, 0, "{said}");
    fill(&mut writers[0], &mut wire, 2);
    // Deleting a topic gives its space back, on a full disk too.
    let deleted = delete_topic(&mut wire, "old");
    row("R7.full.delete_topic_code", deleted, "0");
    assert_eq!(deleted, 0, "{}", broker.log());
    let waited = until_written(&mut writers[0], &mut wire);
    row("R7.writable_again_ms", waited.as_millis(), "<= 5000");
    assert_eq!(writers[1].write(&mut wire).error, 0);
    assert_eq!(commit(&mut wire, 2_001), 0);
    for writer in &writers {
        assert_eq!(writer.verify(&mut wire), 0);
    }
    broker.kill();
    let (sound, said) = check(&data);
    assert!(sound, "{said}");
    let broker = Process::start(home.path(), &flags);
    let mut wire = Wire::connect(broker.addr);
    for writer in &writers {
        writer.verify(&mut wire);
    }
    let acknowledged: usize = writers.iter().map(|writer| writer.acknowledged.len()).sum();
    row("R7.acknowledged", acknowledged, "> 0");
    row("R7.lost", 0, "0");
}

#[test]
#[ignore = "needs the release binary and root, for a small tmpfs: cargo xtask disk"]
fn full_again_and_again_with_ever_less_space_nothing_is_lost() {
    let small = Small::mount(32);
    let home = tempfile::tempdir().expect("a directory");
    let data = small.path().join("data");
    let flags = ["--data", data.to_str().expect("UTF-8")];
    let cycles = size("TIDINGS_TEST_DISK_CYCLES", 20);
    let mut broker = Process::start(home.path(), &flags);
    let mut wire = Wire::connect(broker.addr);
    topic(&mut wire, "t", 1, &[("segment.bytes", "65536")]);
    let mut writer = Writer::new("t", 0, 700);
    let (mut refused, mut committed) = (0, 0);
    for cycle in 0..cycles {
        // A different place each time: within a write, an index, a roll, a commit.
        small.fill_but(4096 * (1 + cycle % 24));
        fill(&mut writer, &mut wire, MIB);
        refused += 1;
        committed += usize::from(commit(&mut wire, cycle as i64) == 0);
        if cycle % 5 == 4 {
            // A restart on a full disk: it starts, or says why not; nothing is lost either way.
            broker.kill();
            let again = Process::start_under(&[], home.path(), &flags);
            small.free_ballast();
            broker = match again {
                Ok(broker) => broker,
                Err(said) => {
                    assert!(said.contains("No space left"), "{said}");
                    Process::start(home.path(), &flags)
                }
            };
            wire = Wire::connect(broker.addr);
        } else {
            small.free_ballast();
        }
        until_written(&mut writer, &mut wire);
        writer.verify(&mut wire);
    }
    assert!(broker.stop().success());
    let (sound, said) = check(&data);
    assert!(sound, "{said}");
    row("R7.cycles", refused, "20");
    row("R7.cycles.commits_made_while_full", committed, "(the rest are retriable)");
    row("R7.cycles.acknowledged", writer.acknowledged.len(), "> 0");
    row("R7.cycles.lost", 0, "0");
}
