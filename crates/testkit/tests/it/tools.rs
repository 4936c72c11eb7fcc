//! Programs that are not ours are found or named as missing.

#[test]
fn missing_program_is_named_with_the_cure() {
    let skip = testkit::program("no-such-program").expect_err("nobody has it");
    assert_eq!(skip.to_string(), "no no-such-program (`cargo xtask setup` installs it)");
}

#[test]
fn python_without_a_distribution_is_not_found() {
    let skip = testkit::python(&["no-such-distribution"]).expect_err("nobody has it");
    assert!(skip.to_string().starts_with("no python3 with no-such-distribution"), "{skip}");
}

#[test]
fn node_without_a_package_is_not_found() {
    let skip = testkit::node(&["no-such-package"]).expect_err("nobody has it");
    assert!(skip.to_string().starts_with("no node with no-such-package"), "{skip}");
}

#[test]
fn cargo_is_on_the_path() {
    let cargo = testkit::program("cargo").expect("it runs this test");
    assert!(cargo.command().arg("--version").output().expect("it starts").status.success());
}
