//! The usual mistakes with the derive macros, each by the text that its author will read.

#[test]
fn a_mistake_gets_one_sentence_at_its_place() {
    trybuild::TestCases::new().compile_fail("tests/ui/derive/*.rs");
}
