//! The module as it is: formatted, valid, and tested with a mocked provider.

use rstest::rstest;
use testkit::project;

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
#[case::with_namespaces("examples/namespaces")]
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
#[case::records("records")]
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

/// Among them are more than twenty wrong values that were accepted once, and the outermost right
/// ones.
#[test]
fn wrong_values_are_refused_and_right_ones_are_not() {
    let Some(tools) = Tools::find() else { return };
    let copy = Copy::variables_only();
    let verdict = tools.terraform("test", &copy.module(), &[]);
    verdict.expect_good();
    let refused = verdict.said.matches("run \"refuses_").count();
    assert!(
        refused > 150,
        "only {refused} were refused: {}",
        verdict.said
    );
}

#[test]
fn each_example_keeps_its_state_in_a_place_of_its_own() {
    for (path, text) in project::files("terraform/examples", "versions.tf") {
        let example = path.parent().unwrap().file_name().unwrap();
        let place = format!("prefix = \"lookup-gitlab-sync/{}\"", example.display());
        assert!(text.contains(&place), "{} has not {place}", path.display());
    }
}

#[test]
fn every_test_file_of_the_module_is_run_here() {
    let known = include_str!("module.rs");
    for (path, _) in project::files("terraform/tests", ".tftest.hcl") {
        let name = path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .replace(".tftest.hcl", "");
        assert!(
            name.starts_with("refuse") || known.contains(&format!("(\"{name}\")")),
            "{name} is not run"
        );
    }
}
