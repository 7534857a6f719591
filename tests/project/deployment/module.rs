//! The module as it is: formatted, valid, and tested with a mocked provider.

use rstest::rstest;

use super::{module_copy::Copy, tools::Tools};

#[test]
fn the_module_and_its_examples_are_formatted() {
    let Some(tools) = Tools::find() else { return };
    tools
        .terraform("fmt", &Copy::new().module(), &[])
        .expect_good();
}

#[rstest]
#[case::module("")]
#[case::production("examples/production")]
#[case::staging("examples/staging")]
#[case::development("examples/development")]
fn the_module_and_its_examples_are_valid(#[case] folder: &str) {
    let Some(tools) = Tools::find() else { return };
    tools
        .terraform("validate", &Copy::new().module().join(folder), &[])
        .expect_good();
}

#[test]
fn the_static_check_finds_nothing() {
    let Some(tools) = Tools::find() else { return };
    tools.static_check(&Copy::new().module()).expect_good();
}

#[rstest]
#[case::alerts("alerts")]
#[case::namespaces("namespaces")]
#[case::permissions("permissions")]
#[case::pubsub("pubsub")]
#[case::refusals("refusals")]
#[case::registry("registry")]
#[case::stages("stages")]
fn the_modules_own_tests_pass(#[case] file: &str) {
    let Some(tools) = Tools::find() else { return };
    let filter = format!("-filter=tests/{file}.tftest.hcl");
    let verdict = tools.terraform("test", &Copy::new().module(), &[&filter]);
    verdict.expect_good();
    assert!(
        !verdict.said.contains("Success! 0 passed"),
        "nothing was tested: {}",
        verdict.said
    );
}

#[test]
fn every_test_file_of_the_module_is_run_here() {
    let known = include_str!("module.rs");
    for (path, _) in testkit::project::files("terraform/tests", ".tftest.hcl") {
        let name = path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .replace(".tftest.hcl", "");
        assert!(
            known.contains(&format!("(\"{name}\")")),
            "{name} is not run"
        );
    }
}
