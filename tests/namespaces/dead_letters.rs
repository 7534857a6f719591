//! Dead letters of the pipeline in the operator's commands, which need neither GitLab's token nor a
//! directory for them.

use std::process::Output;

use serde_json::{Value, json};
use testkit::postgres::TestDatabase;
use testkit::wait::until;

use crate::{
    stages::{NamespaceStages, trial_without_dates},
    worker_fixture::bought,
};

impl NamespaceStages {
    /// Buys for a namespace that GitLab does not have: the id of the dead letter that comes of it.
    async fn refused(&self, id: i64) -> String {
        assert_eq!(self.buy(id, &bought(5)).await, 201);
        self.attempts(id, 1).await;
        let mut listed = Vec::new();
        until("the dead letter", async || {
            listed = self.listed(id).await;
            !listed.is_empty()
        })
        .await;
        listed[0]["id"].as_str().unwrap().to_owned()
    }

    /// What `dead-letters list` says of a namespace.
    async fn listed(&self, id: i64) -> Vec<Value> {
        let id = id.to_string();
        let list = ["dead-letters", "list", "--namespace", &id, "--output=json"];
        lines(&self.run(&list).await)
    }

    /// What `dead-letters show` says: to a person, and to a program.
    async fn shown(&self, database: Option<&str>, letter: &str) -> (String, Value) {
        let told = self
            .run_with(database, &["dead-letters", "show", letter])
            .await;
        assert!(told.status.success(), "{told:?}");
        let json = ["dead-letters", "show", letter, "--output=json"];
        let json = lines(&self.run_with(database, &json).await);
        (String::from_utf8(told.stdout).unwrap(), json[0].clone())
    }
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn a_namespaces_dead_letter_is_listed_by_namespace_and_by_topic() {
    let database = TestDatabase::create().await;
    let stages = NamespaceStages::new(&database.url, None).await;
    let letter = stages.refused(77).await;
    let listed = stages.listed(77).await;
    assert_eq!(listed.len(), 1);
    for (field, value) in [
        ("topic", "namespace-sync"),
        ("reason", "refused"),
        ("detail", "404 Namespace Not Found"),
        ("namespace_id", "77"),
        ("stage", "namespace-worker"),
    ] {
        assert_eq!(listed[0][field], value, "{field}");
    }
    assert!(stages.listed(78).await.is_empty());
    let table = ["dead-letters", "list", "--topic", "namespace-sync"];
    let table = String::from_utf8(stages.run(&table).await.stdout).unwrap();
    assert!(
        table.contains("namespace 77") && table.contains(&letter),
        "{table}"
    );
}

#[tokio::test]
async fn show_tells_what_the_ledger_knows_and_what_would_be_sent_now() {
    let database = TestDatabase::create().await;
    let stages = NamespaceStages::new(&database.url, None).await;
    let letter = stages.refused(77).await;
    let (told, shown) = stages.shown(Some(&stages.database), &letter).await;
    for words in [
        "newest sync 1, recorded",
        "1: failed (404): ",
        "404 Namespace Not Found",
        "sync 1 of namespace 77 is sent",
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
    assert_eq!(shown["ledger"]["state"], "recorded");
    assert_eq!(shown["ledger"]["due"], true);
    assert_eq!(shown["ledger"]["newest"]["attempts"][0]["state"], "failed");
    assert_eq!(shown["now"], "namespace_sync");

    // Later news of the same namespace, and the old letter again.
    stages.group(77).await;
    assert_eq!(stages.buy(77, &trial_without_dates(7)).await, 201);
    assert_eq!(stages.attempts(77, 1).await, ["partially_failed"]);
    let (told, shown) = stages.shown(Some(&stages.database), &letter).await;
    for words in [
        "newest sync 2, recorded",
        "2: partially_failed (422)",
        "part base_product",
        "part storage",
        "nothing: sync 2 was answered, and not requested since",
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
    let parts = &shown["ledger"]["newest"]["attempts"][0]["parts"];
    assert_eq!(parts["base_product"]["status"], "error");
    assert_eq!(parts["storage"], json!({ "status": "success" }));
    assert_eq!(shown["now"], "nothing");
}

#[tokio::test]
async fn show_says_plainly_that_the_ledger_is_not_configured_or_does_not_answer() {
    let database = TestDatabase::create().await;
    let stages = NamespaceStages::new(&database.url, None).await;
    let letter = stages.refused(77).await;
    let (told, shown) = stages.shown(None, &letter).await;
    let words = "not known: namespaces.ledger_database_url is not configured here";
    assert!(told.contains(words), "{told}");
    assert_eq!(shown["ledger"], json!({ "state": "not_configured" }));
    assert_eq!(shown["now"], "namespace_sync");

    let mut nowhere = url::Url::parse(&stages.database).unwrap();
    nowhere.set_path("nothing_there");
    nowhere.query_pairs_mut().append_pair("password", "geheim");
    let json = ["dead-letters", "show", &letter, "--output=json"];
    let shown = lines(&stages.run_with(Some(nowhere.as_str()), &json).await);
    assert_eq!(shown[0]["ledger"]["state"], "unreadable");
    let problem = shown[0]["ledger"]["problem"].as_str().unwrap();
    assert!(problem.contains("nothing_there"), "{problem}");
    assert!(!shown[0].to_string().contains("geheim"), "{shown:?}");

    // A database without the ledger's tables stays without them.
    let empty = TestDatabase::create().await;
    let shown = lines(&stages.run_with(Some(&empty.url), &json).await);
    assert_eq!(shown[0]["ledger"]["state"], "unreadable");
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .fetch_one(&empty.pool().await)
            .await
            .unwrap();
    assert_eq!(tables, 0, "showing has created tables");
}

#[tokio::test]
async fn a_replay_is_foretold_and_then_sent_and_a_discard_is_kept_in_a_file() {
    let database = TestDatabase::create().await;
    let stages = NamespaceStages::new(&database.url, None).await;
    stages.refused(77).await;
    stages.refused(78).await;
    let topic = "--topic=namespace-sync";
    let foretold = [
        "dead-letters",
        "replay",
        topic,
        "--dry-run",
        "--output=json",
    ];
    let foretold = lines(&stages.run(&foretold).await);
    assert_eq!(foretold.len(), 2);
    for line in &foretold {
        assert_eq!(line["now"], "namespace_sync", "{line}");
    }

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("discarded.jsonl");
    let path = file.to_str().unwrap();
    let discard = [
        "dead-letters",
        "discard",
        "--namespace=78",
        "--yes",
        "--file",
        path,
    ];
    let discarded = stages.run(&discard).await;
    assert!(discarded.status.success(), "{discarded:?}");
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert!(kept.to_string().contains("namespace-worker"), "{kept}");

    stages.group(77).await;
    let replayed = stages.run(&["dead-letters", "replay", topic]).await;
    assert!(replayed.status.success(), "{replayed:?}");
    stages.arrived(77).await;
    assert_eq!(stages.seats(77).await, Some(5));
    stages.quiet().await;
    let listed = lines(&stages.run(&["dead-letters", "list", "--output=json"]).await);
    assert!(listed.is_empty(), "{listed:?}");
    assert_eq!(stages.states(78).await, ["failed"]);
}
