//! Python with the published clients in it, in a virtual environment outside the clone.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const REQUIREMENTS: &str = include_str!("requirements.txt");
const CONSTRAINTS: &str = include_str!("constraints.txt");
/// What the pinned versions need, and what Debian leaves out of Python.
const PROBE: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";

/// The interpreter, with the clients installed. `None`, and a line that says so, where there is no Python 3.10 with `venv`.
///
/// # Panics
/// If there is one and the clients cannot be installed.
pub fn with_clients() -> Option<PathBuf> {
    let usable = Command::new("python3")
        .args(["-c", PROBE])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !usable {
        eprintln!(
            "python3 (3.10 or later, with venv) is not installed here: the published Python clients are not run"
        );
        return None;
    }
    let environment = place();
    fs::create_dir_all(environment.parent().unwrap()).unwrap();
    let lock = File::create(environment.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let complete = environment.join("complete");
    if !complete.exists() {
        install(&environment);
        fs::write(complete, "").unwrap();
    }
    Some(environment.join("bin/python"))
}

/// One environment for each set of pins, so that a change of them makes a new one.
fn place() -> PathBuf {
    let mut pins = DefaultHasher::new();
    (REQUIREMENTS, CONSTRAINTS).hash(&mut pins);
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|cache| !cache.is_empty())
        .map_or_else(
            || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"),
            PathBuf::from,
        );
    cache.join(format!("lookup-gitlab-sync/python-{:016x}", pins.finish()))
}

fn install(environment: &Path) {
    // One that was begun and not finished.
    if environment.exists() {
        fs::remove_dir_all(environment).unwrap();
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    run(Command::new("python3")
        .args(["-m", "venv"])
        .arg(environment));
    run(Command::new(environment.join("bin/python"))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .arg("--requirement")
        .arg(here.join("requirements.txt"))
        .arg("--constraint")
        .arg(here.join("constraints.txt")));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
