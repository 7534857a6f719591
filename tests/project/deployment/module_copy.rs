//! A copy of the Terraform module that a test may break.

use std::{
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;
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

    /// Leaves of the module its variables and the tests that refuse their wrong values: without
    /// resources a test of a value takes no time.
    pub fn variables_only() -> Self {
        let copy = Self::new();
        copy.keep(&copy.module(), |name| {
            let is_module = Path::new(name).extension().is_some_and(|it| it == "tf");
            !is_module || name.starts_with("variables") || name == "versions.tf"
        });
        copy.keep(&copy.module().join("tests"), |name| {
            name.starts_with("refuse")
        });
        copy
    }

    /// Removes every file of a folder whose name is not kept.
    fn keep(&self, folder: &Path, kept: impl Fn(&str) -> bool) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_file() && !kept(&name) {
                fs::remove_file(self.path().join(&path)).unwrap();
            }
        }
    }

    /// Every `depends_on` of the module, below the resource that it belongs to.
    pub fn order(&self) -> String {
        let resource =
            Regex::new(r#"(?ms)^(?:resource|data) "(\w+)" "(\w+)" \{$(.*?)^\}$"#).unwrap();
        let waits = Regex::new(r"(?s)depends_on\s*= \[(.*?)\]\n").unwrap();
        let mut lines = Vec::new();
        for file in files_of(&self.module()) {
            let text = fs::read_to_string(file).unwrap();
            for found in resource.captures_iter(&text) {
                let Some(waits) = waits.captures(&found[3]) else {
                    continue;
                };
                let names = waits[1]
                    .split(',')
                    .map(str::trim)
                    .filter(|it| !it.is_empty());
                lines.push(format!("{}.{}", &found[1], &found[2]));
                lines.extend(names.map(|name| format!("  {name}")));
            }
        }
        lines.join("\n")
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

/// The module's own files, in order.
pub fn files_of(module: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(module)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "tf"))
        .collect();
    files.sort();
    files
}
