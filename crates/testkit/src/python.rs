//! Python with published packages in it, in a virtual environment outside the clone.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::project;

/// What the pinned versions need, and what Debian leaves out of Python.
const PROBE: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";

/// What pip says when the index cannot be reached, rather than that it has no such version.
const UNREACHABLE: &str = "after connection broken by";

/// The programs of an environment that has what `requirements.txt` and `constraints.txt` in
/// `folder` of the project name. `None`, and a line that `left_out` is not run, where there is no
/// Python 3.10 with `venv` or no package index.
///
/// # Panics
/// If there are both and the packages cannot be installed.
pub fn environment(folder: &str, left_out: &str) -> Option<PathBuf> {
    let usable = Command::new("python3")
        .args(["-c", PROBE])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !usable {
        eprintln!(
            "python3 (3.10 or later, with venv) is not installed here: {left_out} is not run"
        );
        return None;
    }
    let pins = project::path(folder);
    let environment = place(&pins);
    fs::create_dir_all(environment.parent().unwrap()).unwrap();
    let lock = File::create(environment.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let complete = environment.join("complete");
    if !complete.exists() {
        if !install(&environment, &pins) {
            eprintln!("the Python package index cannot be reached: {left_out} is not run");
            return None;
        }
        fs::write(complete, "").unwrap();
    }
    Some(environment.join("bin"))
}

/// One environment for each set of pins, so that a change of them makes a new one.
fn place(pins: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    for file in ["requirements.txt", "constraints.txt"] {
        fs::read_to_string(pins.join(file))
            .unwrap()
            .hash(&mut hasher);
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|cache| !cache.is_empty())
        .map_or_else(
            || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"),
            PathBuf::from,
        );
    cache.join(format!(
        "lookup-gitlab-sync/python-{:016x}",
        hasher.finish()
    ))
}

/// Whether the package index could be reached.
fn install(environment: &Path, pins: &Path) -> bool {
    // One that was begun and not finished.
    if environment.exists() {
        fs::remove_dir_all(environment).unwrap();
    }
    let (made, said) = run(Command::new("python3")
        .args(["-m", "venv"])
        .arg(environment));
    assert!(made, "{said}");
    let (installed, said) = run(Command::new(environment.join("bin/python"))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .arg("--requirement")
        .arg(pins.join("requirements.txt"))
        .arg("--constraint")
        .arg(pins.join("constraints.txt")));
    assert!(installed || said.contains(UNREACHABLE), "{said}");
    installed
}

/// Whether it went well, and what it said about it.
fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
}
