//! `--output` of the commands that need the ledger; the others are in
//! `tests/operations/first_day/outputs.rs`.
use serde_json::Value;
use testkit::{output_form::is_of_form, postgres::TestDatabase};

use crate::{
    stages::{NamespaceStages, Stage},
    worker_fixture::bought,
};

#[tokio::test]
async fn every_namespace_command_prints_the_form_that_is_asked_for_and_nothing_else() {
    let database = TestDatabase::create().await;
    let stages = NamespaceStages::new(&database.url, None).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bought.json");
    std::fs::write(&file, bought(3).to_string()).unwrap();
    let calls = [
        // Nothing is recorded yet.
        &["namespaces", "history", "42"][..],
        &[
            "namespaces",
            "record",
            "42",
            "--file",
            file.to_str().unwrap(),
        ],
        &["namespaces", "resync", "42"],
        &["namespaces", "history", "42"],
    ];
    for call in calls {
        for form in ["table", "json", "csv"] {
            let arguments = [call, &["--output", form]].concat();
            let output = stages.run(&arguments).await;
            assert!(output.status.success(), "{arguments:?}: {output:?}");
            is_of_form(form, &output).unwrap_or_else(|why| panic!("{arguments:?}: {why}"));
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn the_example_is_recorded_as_it_is_printed() {
    let database = TestDatabase::create().await;
    let stages = NamespaceStages::idle(&database.url).await;
    let example = stages.run(&["namespaces", "record", "--example"]).await;
    assert!(example.status.success(), "{example:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bought.json");
    std::fs::write(&file, &example.stdout).unwrap();
    let file = file.to_str().unwrap();
    let recorded = stages
        .run(&["namespaces", "record", "42", "--file", file])
        .await;
    assert!(recorded.status.success(), "{recorded:?}");
    let history = ["namespaces", "history", "42", "--output", "json"];
    let history = text(&stages.run(&history).await.stdout);
    let history: Value = serde_json::from_str(&history).unwrap();
    let printed: Value = serde_json::from_slice(&example.stdout).unwrap();
    assert_eq!(history["document"], printed, "every field is known");
    for wrong in [&["--example", "42"][..], &["42"], &["--file", file]] {
        let wrong = [&["namespaces", "record"], wrong].concat();
        let refused = stages.run(&wrong).await;
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}: {refused:?}");
    }
}

#[tokio::test]
async fn the_tables_of_a_new_ledger_are_made_without_a_word() {
    let database = TestDatabase::create().await;
    let stages = NamespaceStages::idle(&database.url).await;
    let history = stages.run(&["namespaces", "history", "42"]).await;
    assert!(history.status.success(), "{history:?}");
    assert_eq!(text(&history.stderr), "namespace 42 has no recorded sync\n");
}

#[tokio::test]
async fn the_history_shows_what_was_bought_the_newest_first_at_both_widths() {
    let database = TestDatabase::create().await;
    let mut stages = NamespaceStages::new(&database.url, None).await;
    stages.group(42).await;
    assert_eq!(stages.buy(42, &bought(30)).await, 201);
    stages.arrived(42).await;
    let again = ["namespaces", "resync", "42", "--follow"];
    assert!(stages.run(&again).await.status.success());
    assert_eq!(stages.stop(Stage::Worker).await, Some(0));
    assert_eq!(stages.buy(42, &bought(31)).await, 201);
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d").unwrap();
    for width in ["80", "120"] {
        let history = stages
            .run_as(&["namespaces", "history", "42"], &[("COLUMNS", width)])
            .await;
        let table = text(&history.stdout);
        let table = time.replace_all(&table, "2026-11-01 02:00:03");
        insta::assert_snapshot!(format!("history_{width}"), table);
    }
}
