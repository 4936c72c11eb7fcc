//! Mistakes that the derives find.

#[test]
fn messages_name_the_field_and_the_fix() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
