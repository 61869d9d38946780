//! The usual mistakes with handlers, and the sentence that the compiler says about each.

#[test]
fn each_mistake_is_named_in_one_sentence() {
    let cases = trybuild::TestCases::new();
    // The one that passes makes trybuild build, not only check: what is counted in `const` needs it.
    cases.pass("tests/ui/handlers/ok.rs");
    for mistake in [
        "event_not_first",
        "no_arguments",
        "not_an_argument",
        "not_async",
        "not_send",
        "returns_no_event",
        "returns_no_result",
        "two_exclusive",
    ] {
        cases.compile_fail(format!("tests/ui/handlers/{mistake}.rs"));
    }
}
