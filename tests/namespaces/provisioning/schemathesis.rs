//! Schemathesis as a judge: calls made from `schemas/provisioning.openapi.yaml`, right and wrong
//! ones, to the real service.

use std::{
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::json;
use testkit::{
    portal::{TestPortal, now},
    postgres::TestDatabase,
    service::provisioning_api,
};
use tokio::{process::Command, time::timeout};

use super::fixture::HEADER;

/// How long anything is waited for; a machine under load is slow.
const PATIENCE: Duration = Duration::from_mins(10);

#[tokio::test]
async fn schemathesis_finds_no_answer_that_is_not_documented() {
    let Some(programs) =
        testkit::python::environment("tests/namespaces/provisioning/schemathesis", "schemathesis")
    else {
        return;
    };
    let (database, portal) = (TestDatabase::create().await, TestPortal::start().await);
    let (_service, address) =
        provisioning_api(testkit::service_binary!(), &database.url, &portal.address).await;
    sqlx::raw_sql(
        "INSERT INTO namespaces (id, name, path, type, organization_id) OVERRIDING SYSTEM VALUE
         VALUES (42, 'acme', 'acme', 'Group', 7)",
    )
    .execute(&database.pool().await)
    .await
    .unwrap();
    let judged = judge(&programs.join("schemathesis"), &address, &token(&portal)).await;
    let said = String::from_utf8_lossy(&judged.stdout);
    assert!(judged.status.success(), "{said}");
    eprintln!("{said}");
    let subscriptions: i64 = sqlx::query_scalar("SELECT count(*) FROM gitlab_subscriptions")
        .fetch_one(&database.pool().await)
        .await
        .unwrap();
    assert_eq!(subscriptions, 1, "some call was a good one");
}

/// Good for as long as a slow machine takes.
fn token(portal: &TestPortal) -> String {
    let mut claims = portal.claims();
    claims["exp"] = json!(now() + 3600);
    portal.key.sign(&portal.key.header(), &claims)
}

/// With more arguments from `SCHEMATHESIS_ARGS`, such as `--seed 7 --max-examples 5000`, for more
/// than the suite has time for.
async fn judge(schemathesis: &Path, address: &str, token: &str) -> Output {
    let root = testkit::project::root();
    let folder = tempfile::tempdir().unwrap();
    let more = std::env::var("SCHEMATHESIS_ARGS").unwrap_or_default();
    let run = Command::new(schemathesis)
        .arg("--config-file")
        .arg(root.join("tests/namespaces/provisioning/schemathesis/schemathesis.toml"))
        .arg("run")
        .arg(root.join("schemas/provisioning.openapi.yaml"))
        .args(["--url", address])
        .args(["--header", &format!("{HEADER}: {token}")])
        .args(["--seed", "20261122", "--max-examples", "200"])
        .args(["--generation-database", "none", "--no-color"])
        .args(more.split_whitespace())
        .env("NO_PROXY", "127.0.0.1")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    timeout(PATIENCE, run).await.expect("it ends").unwrap()
}
