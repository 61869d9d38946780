//! The broker alone: its first line, its stop, its data directory, its errors, the check of its
//! files.

use std::net::TcpListener;

use crate::machine::{Machine, lines, run, tidings};

#[test]
fn it_says_where_it_listens_and_stops_cleanly() {
    let mut machine = Machine::start();
    assert!(machine.bootstrap.starts_with("127.0.0.1:"), "{}", machine.bootstrap);
    machine.ok(&["topic", "create", "orders", "--partitions", "1"]);
    machine.publish("orders", "a.b", &["--key", "1"]);
    assert_eq!(machine.stop(), Some(0));

    machine.restart();
    assert_eq!(machine.json(&["event", "tail", "orders", "--until-end"]).len(), 1);
}

#[test]
fn a_port_in_use_is_said_with_who_has_it() {
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = held.local_addr().expect("bound").to_string();
    let mut command = tidings();
    command.args(["broker", "--listen", &address]);
    let ran = run(command, "");
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains(&format!("error: {address} is in use\n  by ")), "{}", ran.err);
    if cfg!(target_os = "linux") {
        assert!(ran.err.contains(&format!("(pid {})", std::process::id())), "{}", ran.err);
    }
    assert!(
        ran.err.contains("help: stop it, or choose another port:  tidings broker"),
        "{}",
        ran.err
    );
}

#[test]
fn a_data_directory_in_use_is_said_with_who_has_it() {
    let machine = Machine::start();
    let mut command = tidings();
    let data = machine.directory.path().join("data");
    command.args(["broker", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
    let ran = run(command, "");
    assert_eq!(ran.code, 1, "{}", ran.err);
    let text = machine.plain(&ran.err);
    assert!(text.contains("error: cannot use DIR/data\n"), "{text}");
    assert!(text.contains("DIR/data is in use by process "), "{text}");
    assert!(text.contains("(tidings, started "), "{text}");
}

#[test]
fn a_newer_format_is_refused() {
    let mut machine = Machine::start();
    assert_eq!(machine.stop(), Some(0));
    let data = machine.directory.path().join("data");
    let file = std::fs::read_dir(&data)
        .expect("the directory")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("format")))
        .expect("a file with the format's version");
    let text = std::fs::read_to_string(&file).expect("text");
    std::fs::write(&file, text.replace('1', "99")).expect("written");
    let mut command = tidings();
    command.args(["broker", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
    let ran = run(command, "");
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("99"), "{}", ran.err);
    assert!(ran.err.contains("newer"), "{}", ran.err);
}

#[test]
fn an_address_that_others_reach_takes_a_word() {
    let mut command = tidings();
    command.args(["broker", "--listen", "0.0.0.0:0"]);
    let ran = run(command, "");
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("--danger-open-listener"), "{}", ran.err);
}

#[test]
fn a_check_agrees_with_what_was_written_and_finds_what_was_changed() {
    let mut machine = Machine::start();
    machine.ok(&["topic", "create", "orders", "--partitions", "2"]);
    for key in ["a", "b", "c"] {
        machine.publish("orders", "a.b", &["--key", key]);
    }
    assert_eq!(machine.stop(), Some(0));
    let data = machine.directory.path().join("data");
    let check = |more: &[&str]| {
        let mut command = tidings();
        command.args(["broker", "check", "--data"]).arg(&data).args(more);
        run(command, "")
    };
    let ran = check(&["--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let report = lines(&ran.out).remove(0);
    assert_eq!((&report["ok"], &report["schema"]), (&true.into(), &1.into()));
    let records = |n: usize| report["partitions"][n]["records"].as_u64().expect("a number");
    assert_eq!(records(0) + records(1), 3);
    assert!(check(&[]).out.ends_with("everything is in order\n"));

    let log = largest_file(&data);
    let mut bytes = std::fs::read(&log).expect("the log");
    let middle = bytes.len() - 10;
    bytes[middle] ^= 0xff;
    std::fs::write(&log, bytes).expect("written");
    let before = std::fs::read(&log).expect("the log");
    let ran = check(&["--json"]);
    assert_eq!(ran.code, 5, "{}{}", ran.out, ran.err);
    assert_eq!(lines(&ran.out)[0]["ok"], false);
    assert!(ran.err.contains(" in ") && ran.err.starts_with("error: "), "{}", ran.err);
    assert_eq!(std::fs::read(&log).expect("the log"), before, "a check changes nothing");
}

#[test]
fn there_is_nothing_to_check_where_nothing_is() {
    let mut command = tidings();
    command.args(["broker", "check", "--data", "/nowhere/at/all"]);
    let ran = run(command, "");
    assert_eq!((ran.code, ran.err.as_str()), (3, "error: no directory /nowhere/at/all\n"));
}

/// The largest log file below a directory: one with records in it.
fn largest_file(directory: &std::path::Path) -> std::path::PathBuf {
    let mut next = vec![directory.to_owned()];
    let mut found = Vec::new();
    while let Some(directory) = next.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory").filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                next.push(path);
            } else if path.extension().is_some_and(|extension| extension == "log") {
                found.push((entry.metadata().expect("metadata").len(), path));
            }
        }
    }
    found.into_iter().max().expect("a log").1
}
