//! The directory that is a file.

use std::{error::Error, fs, path::Path};

use lookup_gitlab_sync::{
    config,
    directory::{self, FileDirectory, Standing},
    gate::ErrorKind,
    upstream::FaultScope,
};
use proptest::prelude::*;
use rstest::rstest;

use super::lookup::crsids;

fn written(text: impl AsRef<[u8]>) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}

/// Put in place as the documentation asks: by renaming a finished file over it.
fn replace(path: &Path, text: &str) {
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, path).unwrap();
}

#[tokio::test]
async fn people_are_read_from_json_lines() {
    let lines = "{\"id\":\"ABCD1\",\"cancelled\":false,\"note\":7}\n\n{\"cancelled\":true,\"id\":\"efg234\"}\r\n{\"id\":\"abcd1\",\"cancelled\":false}";
    let file = written(lines);
    let directory = directory::open(
        &config::DirectoryConfig::File(file.path().to_owned()),
        &config::ControlsConfig::default(),
    )
    .unwrap();
    let found = directory
        .standings(&crsids(&["abcd1", "efg234", "nosuch9"]))
        .await
        .unwrap();
    let told = |id: &str| found.told().get(&crsids(&[id])[0]).copied();
    assert_eq!(told("abcd1"), Some(Standing::Current));
    assert_eq!(told("efg234"), Some(Standing::Cancelled));
    assert_eq!(told("nosuch9"), None);
}

#[rstest]
#[case::no_json("nonsense", "is not a JSON object")]
#[case::truncated("{\"id\":\"abcd1\",\"cancel", "is not a JSON object")]
#[case::no_id("{\"cancelled\":true}", "has no well-formed `id`")]
#[case::odd_id("{\"id\":\"a b\",\"cancelled\":true}", "has no well-formed `id`")]
#[case::no_cancelled("{\"id\":\"abcd1\"}", "has no `cancelled` that is true or false")]
#[case::text_cancelled(
    "{\"id\":\"abcd1\",\"cancelled\":\"true\"}",
    "has no `cancelled` that is true or false"
)]
#[test]
fn a_malformed_line_is_told_by_its_number(#[case] line: &str, #[case] what: &str) {
    let file = written(format!("{{\"id\":\"ab1\",\"cancelled\":true}}\n\n{line}\n"));
    let error = FileDirectory::open(file.path()).unwrap_err().to_string();
    assert!(
        error.starts_with("line 3 of the directory file") && error.contains(what),
        "{error}"
    );
}

#[test]
fn two_lines_that_contradict_each_other_are_told_by_their_numbers() {
    let file =
        written("{\"id\":\"ab1\",\"cancelled\":true}\n{\"id\":\"AB1\",\"cancelled\":false}\n");
    let error = FileDirectory::open(file.path()).unwrap_err().to_string();
    assert!(
        error.starts_with("lines 1 and 2") && error.ends_with("about ab1"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_not_there_is_told_with_its_cause() {
    let missing = config::DirectoryConfig::File("/no/such/people.jsonl".into());
    let error = directory::open(&missing, &config::ControlsConfig::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the directory file /no/such/people.jsonl cannot be read"
    );
    assert!(error.source().is_some());
}

#[tokio::test]
async fn a_replaced_file_is_read_again_and_a_broken_one_is_an_error_until_mended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.jsonl");
    replace(&path, "{\"id\":\"ab1\",\"cancelled\":false}\n");
    let directory = directory::open(
        &config::DirectoryConfig::File(path.clone()),
        &config::ControlsConfig::default(),
    )
    .unwrap();
    let ab1 = crsids(&["ab1"]);
    assert_eq!(
        directory.standings(&ab1).await.unwrap().of(ab1[0]),
        Standing::Current
    );
    replace(&path, "{\"id\":\"ab1\",\"cancelled\":true}\n");
    assert_eq!(
        directory.standings(&ab1).await.unwrap().of(ab1[0]),
        Standing::Cancelled
    );
    replace(&path, "{\"id\":\"ab1\"\n");
    let error = directory.standings(&ab1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    assert!(matches!(error.scope, FaultScope::Upstream(_)));
    assert!(
        error.to_string().contains("line 1 of the directory file"),
        "{error}"
    );
    replace(&path, "{\"id\":\"ab1\",\"cancelled\":true}\n\n");
    assert_eq!(
        directory.standings(&ab1).await.unwrap().of(ab1[0]),
        Standing::Cancelled
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = FileDirectory::open(written(bytes).path());
    }
}
