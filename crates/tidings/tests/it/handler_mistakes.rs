//! The usual mistakes with handlers, and the sentence that the compiler says about each.
//!
//! Two exclusive arguments are found while code is generated, which these tests do not do (they
//! check, as building would compile Kafka's client again): that one is a doc test of `FromEvent`.

#[path = "../ui/handlers/ok.rs"]
#[allow(dead_code, reason = "it must compile; nobody calls it")]
mod shapes;

#[test]
fn each_mistake_is_named_in_one_sentence() {
    let cases = trybuild::TestCases::new();
    for mistake in [
        "event_not_first",
        "no_arguments",
        "not_an_argument",
        "not_async",
        "not_send",
        "returns_no_event",
        "returns_no_result",
    ] {
        cases.compile_fail(format!("tests/ui/handlers/{mistake}.rs"));
    }
}
