//! Settings: flag over environment over file over default, each with its origin, secrets masked.

use crate::machine::{lines, run, tidings};

#[test]
fn each_setting_has_the_origin_that_won() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = "bootstrap = \"file:1\"\n[kafka]\nlinger.ms = 7\nsasl.password = \"hidden\"\n";
    std::fs::write(directory.path().join("tidings.toml"), file).expect("written");
    let mut command = tidings();
    command.current_dir(directory.path()).env("TIDINGS_BOOTSTRAP", "environment:2");
    command.args(["config", "show", "--json", "-X", "client.id=me"]);
    let ran = run(command, "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let shown = lines(&ran.out).remove(0);
    let setting = |name: &str| {
        let all = shown["settings"].as_array().expect("settings");
        let found = all.iter().find(|setting| setting["name"] == name).expect(name);
        (found["value"].as_str().expect("text"), found["origin"].as_str().expect("text"))
    };
    assert_eq!(setting("bootstrap"), ("environment:2", "environment TIDINGS_BOOTSTRAP"));
    assert_eq!(setting("kafka.linger.ms"), ("7", "file tidings.toml"));
    assert_eq!(setting("kafka.client.id"), ("me", "flag -X"));
    assert_eq!(setting("kafka.sasl.password").0, "****");
    assert_eq!(setting("log"), ("text", "default"));
    assert!(!ran.out.contains("hidden"));
}

#[test]
fn a_flag_goes_before_the_environment() {
    let mut command = tidings();
    command.env("TIDINGS_BOOTSTRAP", "environment:2");
    command.args(["config", "show", "--bootstrap", "flag:3"]);
    let text = run(command, "").out;
    let line = text.lines().find(|line| line.contains("bootstrap ")).expect("a line");
    assert!(line.contains("flag:3") && line.contains("flag --bootstrap"), "{line}");
}
