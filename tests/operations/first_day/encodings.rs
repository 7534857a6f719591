//! Files that an editor on another system saved in its own way are told as such.

use std::path::Path;
use testkit::{command::Variables, environment::ServiceEnvironment};

use crate::support::environment;

/// `text` behind a byte order mark, and as UTF-16 in both orders.
fn encodings(text: &str) -> [(Vec<u8>, &'static str); 3] {
    let utf_16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        "\u{feff}"
            .encode_utf16()
            .chain(text.encode_utf16())
            .flat_map(bytes)
            .collect()
    };
    [
        (format!("\u{feff}{text}").into_bytes(), "byte order mark"),
        (utf_16(u16::to_le_bytes), "is UTF-16"),
        (utf_16(u16::to_be_bytes), "is UTF-16"),
    ]
}

/// Puts `text` into `file` in each encoding and asks for what is said of it.
async fn are_told(
    scene: &ServiceEnvironment,
    file: &Path,
    text: &str,
    arguments: &[&str],
    variables: Variables<'_>,
) {
    for (bytes, told) in encodings(text) {
        std::fs::write(file, bytes).unwrap();
        let output = scene.run(arguments, variables).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_ne!(output.status.code(), Some(0), "{arguments:?} {variables:?}");
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(said.contains(told), "{arguments:?} {variables:?}: {said}");
        let named = said.contains(name) || said.contains("_file names a file");
        assert!(named, "it names the file, or the setting that does: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_order_mark_and_utf_16_are_told_by_name_in_every_file_that_a_person_gives() {
    let scene = environment(Vec::new(), Vec::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("given.file");
    let name = file.to_str().unwrap();
    let of_config = ["config", "check", "--config", name];
    are_told(&scene, &file, "mode = 'apply'\n", &of_config, &[]).await;
    let token = [("GITLAB_TOKEN", ""), ("GITLAB_TOKEN_FILE", name)];
    are_told(&scene, &file, "glpat-a\n", &["config", "check"], &token).await;
    let authority = [("LOOKUP_GITLAB_SYNC__GITLAB__CA_FILE", name)];
    let pem = "-----BEGIN CERTIFICATE-----\n";
    are_told(&scene, &file, pem, &["config", "check"], &authority).await;
    let directory = [
        ("LOOKUP_GITLAB_SYNC__DIRECTORY__KIND", "file"),
        ("LOOKUP_GITLAB_SYNC__DIRECTORY__PATH", name),
    ];
    let people = "{\"id\":\"abc12\",\"cancelled\":false}\n";
    are_told(&scene, &file, people, &["plan"], &directory).await;
    let population = ["demo", "--gitlab-users", name, "--lookup-people", name];
    are_told(&scene, &file, "[]", &population, &[]).await;
    let document = ["namespaces", "record", "42", "--file", name];
    are_told(&scene, &file, "{\"provision\":{}}", &document, &[]).await;
}
