//! Each example runs and prints what stands in `expected`.

use std::path::Path;
use std::process::Command;

fn check(program: &str, name: &str) {
    let output = Command::new(program).output().expect("the example starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} ended with {}:\n{errors}", output.status);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("expected").join(format!("{name}.txt"));
    let expected = std::fs::read_to_string(&path).expect("its output is expected");
    let printed = String::from_utf8(output.stdout).expect("an example prints text");
    assert_eq!(printed, expected, "{name} prints something else than {}", path.display());
}

#[test]
fn publish() {
    check(env!("CARGO_BIN_EXE_example-01-publish"), "01_publish");
}

#[test]
fn handle() {
    check(env!("CARGO_BIN_EXE_example-02-handle"), "02_handle");
}

#[test]
fn cause_and_effect() {
    check(env!("CARGO_BIN_EXE_example-03-cause-and-effect"), "03_cause_and_effect");
}

#[test]
fn failures() {
    check(env!("CARGO_BIN_EXE_example-04-failures"), "04_failures");
}

#[test]
fn test_a_handler() {
    check(env!("CARGO_BIN_EXE_example-05-test-a-handler"), "05_test_a_handler");
}
