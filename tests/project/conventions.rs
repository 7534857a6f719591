//! Holds the conventions of the source: one name for one type, short files, one style of modules.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::LazyLock,
};

use regex::Regex;
use testkit::project;

/// A file past this is two ideas.
const MOST_LINES: usize = 400;

/// Names that more than one type still has. The list only shrinks.
const SHARED_NAMES: &[&str] = &[];

/// Files that are still too long. The list only shrinks.
const LONG_FILES: &[&str] = &[];

/// Files that still do not say what they are. The list only shrinks.
const UNDESCRIBED_FILES: &[&str] = &[];

/// Roots of modules that still stand inside their folders. The list only shrinks.
const INNER_ROOTS: &[&str] = &[];

/// Every Rust file of the project by its path from the root, with its text.
fn files() -> Vec<(String, String)> {
    let relative = |(path, text): (PathBuf, String)| {
        let path = path.strip_prefix(project::root()).unwrap();
        (path.display().to_string(), text)
    };
    ["src", "crates", "tests", "benches"]
        .into_iter()
        .flat_map(|folder| project::files(folder, ".rs"))
        .map(relative)
        .collect()
}

/// What is wrong and not excepted, or excepted and no longer wrong.
fn assert_only(wrong: &BTreeSet<String>, excepted: &[&str], what: &str) {
    let excepted: BTreeSet<String> = excepted.iter().map(|&name| name.to_owned()).collect();
    let new: Vec<&String> = wrong.difference(&excepted).collect();
    assert!(new.is_empty(), "{what}: {new:#?}");
    let mended: Vec<&String> = excepted.difference(wrong).collect();
    assert!(
        mended.is_empty(),
        "take these out of the list of exceptions: {mended:#?}"
    );
}

/// The definition of a type. Associated types have no name of their own.
static TYPE: LazyLock<Regex> = LazyLock::new(|| {
    let visible = r"(?:pub(?:\([^)]*\))? )?";
    Regex::new(&format!(
        r"(?m)^(?:    )*{visible}(?:struct|enum|trait|union) ([A-Z]\w*)|^{visible}type ([A-Z]\w*)"
    ))
    .unwrap()
});

/// The types that `text` defines outside its module of tests.
fn types(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    TYPE.captures_iter(code)
        .map(|found| found.get(1).or(found.get(2)).unwrap().as_str().to_owned())
        .collect()
}

#[test]
fn no_two_types_share_a_name() {
    let mut places = BTreeMap::<String, Vec<String>>::new();
    for (path, text) in files() {
        let is_source = path.starts_with("src/") || path.contains("/src/");
        if is_source && !path.ends_with("/tests.rs") && !path.contains("/tests/") {
            for name in types(&text) {
                places.entry(name).or_default().push(path.clone());
            }
        }
    }
    assert!(places.len() > 300, "the reader of types finds some");
    places.retain(|_, files| files.len() > 1);
    let shared = places.keys().cloned().collect();
    places.retain(|name, _| !SHARED_NAMES.contains(&name.as_str()));
    assert_only(&shared, SHARED_NAMES, &format!("{places:#?}\nshared names"));
}

#[test]
fn no_file_is_longer_than_one_idea() {
    let long = files()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > MOST_LINES)
        .map(|(path, _)| path)
        .collect();
    assert_only(&long, LONG_FILES, "longer than 400 lines");
}

#[test]
fn every_file_says_what_it_is() {
    let silent = files()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| path)
        .collect();
    assert_only(&silent, UNDESCRIBED_FILES, "no //! line at the beginning");
}

#[test]
fn the_root_of_a_module_stands_beside_its_folder() {
    let inner = files()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| path.ends_with("/mod.rs"))
        .collect();
    assert_only(&inner, INNER_ROOTS, "name.rs beside name/, not name/mod.rs");
}

#[test]
fn types_are_found_and_tests_are_left_out() {
    let text = "pub(crate) struct One<T>(T);\nmod a {\n    enum Two {}\n}\ntype Three = u8;\n\
                impl Iterator for One {\n    type Item = u8;\n}\n#[cfg(test)]\nmod tests {\n    struct Four;\n}\n";
    assert_eq!(types(text), ["One", "Two", "Three"]);
}

/// What a list of columns says, in the block of a row that begins at `row`.
fn columns(row: &str, list: &str) -> Vec<String> {
    let list = Regex::new(&format!(
        r"const {list}: &'static \[&'static str\] =\s*&\[([^\]]*)\]"
    ))
    .unwrap();
    let names = list
        .captures(row)
        .map_or("", |found| found.get(1).unwrap().as_str());
    let names = names
        .split(',')
        .map(|name| name.trim().trim_matches('"').to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn what_a_table_says_of_its_columns_is_about_columns_that_it_has() {
    let mut said = 0;
    for (path, text) in files()
        .iter()
        .filter(|(path, _)| path.starts_with("src/cli/"))
    {
        for row in text.split("OutputRow for ").skip(1) {
            let has = columns(row, "COLUMNS");
            for list in ["SENTENCES", "YIELDING"] {
                for name in columns(row, list) {
                    said += 1;
                    assert!(
                        has.contains(&name),
                        "{path}: {list} names {name}, of {has:?}"
                    );
                }
            }
        }
    }
    assert!(said > 20, "the reader of columns finds some: {said}");
}
