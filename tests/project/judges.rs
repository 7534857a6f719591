//! What others publish to judge the files of their programs, where it can be had.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use testkit::project;

/// A program of the Python packages that `judges/requirements.txt` names. `None`, and a line that
/// `left_out` is not run, where they cannot be had.
pub fn published(program: &str, left_out: &str) -> Option<PathBuf> {
    Some(testkit::python::environment("tests/project/judges", left_out)?.join(program))
}

/// A program of this machine. `None`, and a line that `left_out` is not run, where it is missing.
pub fn installed(program: &str, left_out: &str) -> Option<PathBuf> {
    let found = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path)
            .map(|folder| folder.join(program))
            .find(|path| path.is_file())
    });
    if found.is_none() {
        eprintln!("{program} is not installed here: {left_out} is not run");
    }
    found
}

/// Runs a judge in the folder of the project: whether it found nothing wrong, and what it said.
pub fn judge(program: impl Into<PathBuf>, arguments: &[&str]) -> (bool, String) {
    let program = program.into();
    let output = Command::new(&program)
        .args(arguments)
        .current_dir(project::root())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output();
    verdict(output.unwrap_or_else(|error| panic!("{}: {error}", program.display())))
}

/// Whether a program ended well, and both its outputs.
pub fn verdict(output: Output) -> (bool, String) {
    let said = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    (output.status.success(), said)
}

/// `file` is what a schema that comes with check-jsonschema says.
#[track_caller]
pub fn expect_schema(schema: &str, files: &[&str]) {
    let Some(program) = published("check-jsonschema", "the schemas of pipelines and manifests")
    else {
        return;
    };
    let schema = format!("vendor.{schema}");
    let arguments = [&["--builtin-schema", &schema][..], files].concat();
    let (good, said) = judge(program, &arguments);
    assert!(good, "{said}");
}
