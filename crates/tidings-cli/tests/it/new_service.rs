//! A new service outside of the workspace: made, tested offline, and running on a broker.

use std::path::Path;
use std::process::Command;

use crate::machine::{Machine, Running, lines, run, tidings, until};

fn make(at: &Path) -> crate::machine::Ran {
    let mut command = tidings();
    command.arg("new").arg(at);
    run(command, "")
}

#[test]
fn a_new_service_tests_itself_offline_and_runs() {
    let machine = Machine::start();
    let at = machine.directory.path().join("my-greeter");
    let ran = make(&at);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("cargo test"), "{}", ran.out);
    // The crates that this very test was built with need not be built again.
    let target = Path::new(env!("CARGO_BIN_EXE_tidings")).ancestors().nth(2).expect("a target");
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments).arg("--offline").current_dir(&at);
        // As the workspace builds them, so that they are the same.
        command.args(["--config", "profile.dev.debug='line-tables-only'"]);
        command.args(["--config", "profile.dev.package.'*'.opt-level=1"]);
        command.args(["--config", "profile.dev.package.'*'.debug=false"]);
        command.env("CARGO_TARGET_DIR", target);
        run(command, "")
    };
    let tested = cargo(&["test"]);
    assert_eq!(tested.code, 0, "{}{}", tested.out, tested.err);
    assert!(tested.out.contains("a_guest_is_greeted ... ok"), "{}", tested.out);
    assert_eq!(cargo(&["build"]).code, 0);

    let mut service = Command::new(target.join("debug/my-greeter"));
    service.current_dir(&at).env("TIDINGS_BOOTSTRAP", &machine.bootstrap).env("RUST_LOG", "warn");
    let mut service = Running(service.spawn().expect("the service starts"));
    until("the service makes its topic", || {
        let listed = machine.json(&["topic", "ls"]).remove(0);
        let topics = listed["topics"].as_array()?.len();
        (topics >= 1).then_some(())
    });
    let published = machine.json(&[
        "event",
        "publish",
        "guests",
        "--type",
        "com.example.guest.arrived.v1",
        "--key",
        "Ada",
        "--data",
        r#"{"guest":"Ada"}"#,
    ]);
    // The topic of the greetings is made with the first of them.
    let greeted = until("the guest is greeted", || {
        let ran = machine.run(&["event", "tail", "greetings", "--until-end", "--json"]);
        lines(&ran.out).into_iter().next()
    });
    assert_eq!(greeted["data"]["greeting"], "Good day, Ada!");
    assert_eq!(greeted["causationid"], published[0]["id"]);
    assert_eq!(greeted["source"], "/my-greeter");
    service.terminate();
    assert_eq!(service.wait(), Some(0));
}

#[test]
fn nothing_is_overwritten_and_a_dry_run_makes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path().join("payments");
    let mut command = tidings();
    command.args(["new", "--dry-run"]).arg(&at);
    let ran = run(command, "");
    assert!(
        ran.code == 0 && ran.out.contains("would make") && !at.exists(),
        "{}{}",
        ran.out,
        ran.err
    );
    std::fs::create_dir(&at).expect("made");
    let ran = make(&at);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("payments exists already"), "{}", ran.err);
    let mut command = tidings();
    command.args(["new", "--tidings", "/nowhere"]).arg(directory.path().join("other"));
    let ran = run(command, "");
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("error: the library is not at /nowhere"), "{}", ran.err);
}
