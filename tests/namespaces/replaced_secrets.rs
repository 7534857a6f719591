//! Keys and passwords that are replaced in their files while the service runs.

use std::{fs, path::PathBuf, time::Duration};

use lookup_gitlab_sync::{
    config::Secret,
    namespaces::{database::DatabaseSettings, ledger::Ledger, portal::signing_keys::SigningKeys},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use testkit::{
    postgres::{PostgresServer, TestDatabase},
    wait::until,
};
use url::Url;

use crate::{
    key_files::{KeyFiles, replace},
    receiver::Turn,
    stages::{NamespaceStages, Stage},
    worker_fixture::{WorkerFixture, bought, document, settings, word},
};

/// A server that asks one role for a password, and the file with that role's address.
struct Role {
    server: PostgresServer,
    database: TestDatabase,
    folder: TempDir,
}

impl Role {
    /// The password is `first`.
    async fn new() -> Self {
        let server = PostgresServer::start(|data| {
            let rules = "local all all trust\n\
                         host all postgres 127.0.0.1/32 trust\n\
                         host all sync 127.0.0.1/32 scram-sha-256\n";
            fs::write(data.join("pg_hba.conf"), rules).unwrap();
            Vec::new()
        });
        let database = TestDatabase::create_on(&server.url()).await;
        let role = Self {
            server,
            database,
            folder: TempDir::new().unwrap(),
        };
        role.run("CREATE ROLE sync SUPERUSER LOGIN PASSWORD 'first'")
            .await;
        role.put("first");
        role
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("address")
    }

    /// Puts the address with this password into the file.
    fn put(&self, password: &str) {
        let mut url = Url::parse(&self.database.url).unwrap();
        url.set_username("sync").unwrap();
        url.set_password(Some(password)).unwrap();
        replace(&self.file(), url.as_str());
    }

    /// Changes the password at the server, and ends every session of the role.
    async fn change(&self, password: &str) {
        self.run(&format!("ALTER ROLE sync PASSWORD '{password}'"))
            .await;
        self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sync'")
            .await;
    }

    async fn run(&self, statement: &str) {
        let mut connection = PgConnection::connect(self.server.url().as_str())
            .await
            .unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .unwrap();
    }

    fn settings(&self) -> DatabaseSettings {
        DatabaseSettings {
            url: Secret::of_file(&self.file()).unwrap(),
            ..settings(&self.database.url)
        }
    }
}

/// A session that was ended a moment ago is met once, as after a restart of the server.
async fn until_usable<T, E: std::fmt::Debug>(ask: impl AsyncFn() -> Result<T, E>) -> T {
    for _ in 0..10 {
        if let Ok(answer) = ask().await {
            return answer;
        }
    }
    ask().await.unwrap()
}

#[tokio::test]
async fn a_changed_password_is_read_again_when_the_server_refuses_the_old_one() {
    let role = Role::new().await;
    let ledger = Ledger::open(&role.settings()).await.unwrap();
    ledger.record(42, &document(1), None).await.unwrap();
    role.change("second").await;
    let refused = ledger.record(42, &document(2), None).await;
    assert!(refused.is_err(), "the file still holds the old password");
    role.put("second");
    let recorded = until_usable(async || ledger.record(42, &document(2), None).await).await;
    assert!(recorded.unwrap().changed);
}

#[tokio::test]
async fn a_file_that_holds_no_address_is_passed_over_until_it_does() {
    let role = Role::new().await;
    let ledger = Ledger::open(&role.settings()).await.unwrap();
    role.change("second").await;
    for text in ["", "second", "postgres://h/d?sslpassword=second"] {
        replace(&role.file(), text);
        assert!(ledger.ready().await.is_err(), "{text:?}");
    }
    role.put("second");
    until_usable(async || ledger.ready().await).await;
}

#[tokio::test]
async fn a_password_changed_under_the_running_stages_stops_none_of_them() {
    let role = Role::new().await;
    let mut stages = NamespaceStages::idle(&role.database.url).await;
    stages.receiver.forward_to(&stages.address(Stage::Api));
    let file = role.file().display().to_string();
    let files = [
        (
            "LOOKUP_GITLAB_SYNC__NAMESPACES__LEDGER_DATABASE_URL_FILE",
            file.as_str(),
        ),
        (
            "LOOKUP_GITLAB_SYNC__NAMESPACES__PROVISIONING_DATABASE_URL_FILE",
            file.as_str(),
        ),
    ];
    for stage in [Stage::Portal, Stage::Api, Stage::Worker] {
        stages.start_with(stage, &files).await;
    }
    stages.group(42).await;
    assert_eq!(stages.buy(42, &bought(1)).await, 201);
    stages.arrived(42).await;
    role.put("second");
    role.change("second").await;
    until("the portal records again", async || {
        stages.buy(42, &bought(2)).await < 300
    })
    .await;
    stages.arrived(42).await;
    assert_eq!(stages.seats(42).await, Some(2));
}

fn key_id(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

async fn published(keys: &SigningKeys) -> Vec<String> {
    let set = keys.published().await;
    set.keys
        .into_iter()
        .map(|key| key.common.key_id.unwrap())
        .collect()
}

#[tokio::test]
async fn a_refused_token_has_the_signing_key_read_again() {
    let fixture = WorkerFixture::new().await;
    fixture.receiver.then([Turn::Json(
        401,
        serde_json::json!({ "message": "401 Unauthorized" }),
    )]);
    fixture.key.replace_by(&KeyFiles::new());
    fixture.record(1).await;
    assert_eq!(word(&fixture.deliver().await), "done: completed");
    let signed: Vec<_> = fixture
        .receiver
        .calls()
        .iter()
        .map(|call| key_id(&call.token))
        .collect();
    assert_eq!(signed.len(), 2);
    assert_ne!(signed[0], signed[1], "the second token is of the new key");
}

#[tokio::test(start_paused = true)]
async fn replaced_keys_sign_and_are_published_within_half_a_minute() {
    let (first, second, last) = (KeyFiles::new(), KeyFiles::new(), KeyFiles::new());
    let portal = "https://portal.example.ac.uk".parse().unwrap();
    let keys = SigningKeys::load(&portal, &first.private(), &[last.public()]).unwrap();
    let before = published(&keys).await;
    first.replace_by(&second);
    replace(&last.public(), fs::read(second.public()).unwrap());
    keys.refresh().await;
    assert_eq!(
        published(&keys).await,
        before,
        "they are not read each time"
    );
    tokio::time::advance(Duration::from_secs(30)).await;
    keys.refresh().await;
    let after = published(&keys).await;
    assert_eq!(after.len(), 1, "the published key is the one that signs");
    assert!(!before.contains(&after[0]));
    let token = keys.token(jiff::Timestamp::now()).unwrap();
    assert_eq!(key_id(&token), after[0]);
}

#[tokio::test]
async fn key_files_that_cannot_be_used_change_nothing() {
    let (first, other) = (KeyFiles::new(), KeyFiles::new());
    let portal = "https://portal.example.ac.uk".parse().unwrap();
    let keys = SigningKeys::load(&portal, &first.private(), &[other.public()]).unwrap();
    let before = published(&keys).await;
    replace(&first.private(), "no key");
    keys.reload().await;
    assert_eq!(published(&keys).await, before);
    first.replace_by(&KeyFiles::new());
    fs::remove_file(other.public()).unwrap();
    keys.reload().await;
    assert_eq!(published(&keys).await, before, "all of them or none");
}

/// The worker signs with the new key within 30 s, and the API asks the portal for the key it does
/// not know.
#[tokio::test]
async fn a_key_rotated_under_the_running_stages_signs_the_next_calls() {
    let database = TestDatabase::create().await;
    let stages = NamespaceStages::new(&database.url, None).await;
    stages.group(42).await;
    assert_eq!(stages.buy(42, &bought(1)).await, 201);
    stages.arrived(42).await;
    stages.key.replace_by(&KeyFiles::new());
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(stages.buy(42, &bought(2)).await, 201);
    stages.arrived(42).await;
    assert_eq!(stages.seats(42).await, Some(2));
    let calls = stages.receiver.calls();
    let signed: Vec<_> = calls.iter().map(|call| key_id(&call.token)).collect();
    assert_ne!(signed.first(), signed.last());
}
