//! `--output` of the commands that need the ledger; the others are in
//! `tests/operations/first_day/outputs.rs`.
use testkit::{output_form::is_of_form, postgres::TestDatabase};

use crate::{stages::NamespaceStages, worker_fixture::bought};

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
