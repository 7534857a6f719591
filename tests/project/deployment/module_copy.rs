//! A copy of the Terraform module that a test may break.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use testkit::project::{files, root};

/// The module and the schemas it reads, in a folder of their own: Terraform writes beside what it
/// checks.
pub struct Copy(TempDir);

impl Copy {
    /// A faithful copy.
    pub fn new() -> Self {
        let copy = Self(TempDir::new().unwrap());
        for folder in ["terraform", "schemas"] {
            for (path, text) in files(folder, "") {
                let target = copy.path().join(path.strip_prefix(root()).unwrap());
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                fs::write(target, text).unwrap();
            }
        }
        copy
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where the module is.
    pub fn module(&self) -> PathBuf {
        self.path().join("terraform")
    }

    /// Replaces the first `from` in a file of the module, which must be there.
    pub fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.module().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains(from),
            "{file} no longer holds what this test breaks: {from}"
        );
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// Leaves of a test file only what stands before its first `run`, and the one named `run`.
    pub fn only(&self, file: &str, run: &str) {
        let path = self.module().join("tests").join(file);
        let text = fs::read_to_string(&path).unwrap();
        let (head, _) = text.split_once("run \"").unwrap();
        let (_, rest) = text
            .split_once(&format!("run \"{run}\" {{\n"))
            .unwrap_or_else(|| panic!("{file} has no run {run}"));
        let (body, _) = rest.split_once("\n}\n").unwrap();
        fs::write(path, format!("{head}run \"{run}\" {{\n{body}\n}}\n")).unwrap();
    }
}
