//! Mistakes in the attributes.

/// Each case is a program and the whole of what the compiler says about it.
#[test]
fn mistakes_name_the_variant_and_the_fix() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
