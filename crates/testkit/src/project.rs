//! The project's own files. Where they are is asked when a test runs: a build folder that two
//! checkouts share would else read the files of the other.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The project's root: the folder of the workspace that the running test belongs to.
pub fn root() -> PathBuf {
    // Cargo and nextest tell it to what they run; both also start it in the folder of its package.
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env::current_dir().unwrap(), PathBuf::from);
    package
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").exists())
        .unwrap_or_else(|| panic!("no project around {}", package.display()))
        .to_owned()
}

/// The path of one of the project's files or folders.
pub fn path(relative: impl AsRef<Path>) -> PathBuf {
    root().join(relative)
}

/// The text of one of the project's files.
pub fn read(relative: impl AsRef<Path>) -> String {
    let path = path(relative);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `folder` whose name ends with `ending`, with its text.
pub fn files(folder: &str, ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![path(folder)];
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder);
        for entry in entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
