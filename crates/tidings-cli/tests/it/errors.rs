//! What goes wrong before a command can begin, told by its text.

use std::net::TcpListener;

use crate::machine::{run, tidings};

fn tried(arguments: &[&str]) -> (i32, String) {
    let mut command = tidings();
    command.args(arguments);
    let ran = run(command, "");
    (ran.code, ran.err)
}

#[test]
fn nobody_listens_there() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let address = free.to_string();
    for command in [
        &["topic", "ls"][..],
        &["group", "ls"],
        &["event", "tail", "orders"],
        &["event", "get", "x"],
        &["flow", "x"],
        &["dlq", "ls"],
        &["dlq", "show", "x"],
        &["dlq", "groups"],
        &["dlq", "republish", "x", "--to", "orders"],
        &["event", "publish", "orders", "--type", "a.b", "--data", "1"],
    ] {
        let (code, text) = tried(&[command, &["--bootstrap", &address]].concat());
        assert_eq!(code, 1, "{command:?}: {text}");
        assert_eq!(
            text,
            format!(
                "error: no broker at {address}\n  {address}: connection refused\n  \
                 help: start one:  tidings dev\n  \
                 help: or name another:  --bootstrap HOST:PORT  or TIDINGS_BOOTSTRAP\n"
            )
        );
    }
}

#[test]
fn a_name_that_does_not_exist() {
    let (code, text) = tried(&["topic", "ls", "--bootstrap", "no-such-host.invalid:9092"]);
    assert_eq!(code, 1);
    assert!(
        text.starts_with("error: no broker at no-such-host.invalid:9092\n  no-such-host"),
        "{text}"
    );
}

#[test]
fn settings_that_do_not_exist_are_answered_with_the_nearest() {
    let (code, text) = tried(&["topic", "ls", "-X", "liner.ms=2"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("did you mean `linger.ms`?"), "{text}");
    let (code, text) = tried(&["topic", "ls", "-X", "linger.ms"]);
    assert_eq!((code, text.as_str()), (2, "error: `-X linger.ms` is not NAME=VALUE\n"));
}

/// The tests run a build without the feature; `cargo xtask secured` runs one with it.
#[cfg(not(feature = "tls"))]
#[test]
fn a_build_without_tls_names_the_one_that_has_it() {
    let (code, text) = tried(&["topic", "ls", "-X", "security.protocol=SASL_SSL"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("cargo install --path crates/tidings-cli --features tls"), "{text}");
}

#[test]
fn a_password_is_shown_nowhere() {
    let given = ["-X", "sasl.username=ada", "-X", "sasl.password=hunter2"];
    for command in [&["config", "show"][..], &["config", "show", "--json"]] {
        let mut shown = tidings();
        shown.args(command).args(given);
        let ran = run(shown, "");
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.contains("****") && ran.out.contains("ada"), "{}", ran.out);
        assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"), "{}", ran.err);
        assert!(ran.err.contains("`security.protocol` to SASL_SSL"), "{}", ran.err);
    }
}

#[test]
fn wrong_usage_is_code_2() {
    for arguments in [
        &[][..],
        &["nonsense"],
        &["topic"],
        &["event", "tail"],
        &["event", "tail", "t", "--from", "yesterday"],
        &["event", "tail", "t", "--from", "5"],
        &["dlq"],
        &["dlq", "show"],
        &["dlq", "republish", "x"],
        &["dlq", "republish", "--to", "orders"],
        &["dlq", "republish", "--to", "orders", "--all-of", "x", "y"],
        &["dev", "--exit"],
        &["dev", "--demo", "shop", "--rate", "fast"],
        &["dev", "--bootstrap", "127.0.0.1:1"],
        &["broker", "--durability", "none"],
        &["new", "Capital"],
    ] {
        let (code, text) = tried(arguments);
        assert_eq!(code, 2, "{arguments:?}: {text}");
        assert!(!text.is_empty() && !text.contains("panicked"), "{arguments:?}: {text}");
    }
}

#[test]
fn the_version_and_the_completions_need_no_broker() {
    let mut command = tidings();
    command.arg("--version");
    assert_eq!(run(command, "").out, concat!("tidings ", env!("CARGO_PKG_VERSION"), "\n"));
    let mut command = tidings();
    command.args(["completions", "bash"]);
    let ran = run(command, "");
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("_tidings()"), "{}", ran.out);
}
