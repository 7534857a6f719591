//! A ledger, a receiver, and workers that are handed deliveries one by one.

use std::{sync::Arc, time::Duration};

use lookup_gitlab_sync::{
    config::CallsConfig,
    messaging::{Delivery, Disposition, Handler, HoldPoint},
    namespaces::{
        contract::document::Document,
        database::DatabaseSettings,
        ledger::{Ledger, RecordedSync, history::SyncHistory},
        portal::signing_keys::SigningKeys,
        worker::{NamespaceWorker, client::ProvisioningClient, identity_token::IdentityTokens},
    },
    pause::WriteSwitch,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::postgres::TestDatabase;

use crate::{key_files::KeyFiles, receiver::Receiver};

pub const NAMESPACE: i64 = 42;

pub struct WorkerFixture {
    pub ledger: Ledger,
    pub receiver: Receiver,
    pub worker: Arc<NamespaceWorker>,
    pub pool: PgPool,
    pub key: KeyFiles,
    keys: SigningKeys,
    database: TestDatabase,
}

impl WorkerFixture {
    pub async fn new() -> Self {
        Self::with(Duration::from_mins(1), Duration::from_secs(30)).await
    }

    /// With the deadline of a call, and how long a lost call may go on.
    pub async fn with(timeout: Duration, settle: Duration) -> Self {
        Self::on(TestDatabase::create().await, timeout, settle).await
    }

    pub async fn on(database: TestDatabase, timeout: Duration, settle: Duration) -> Self {
        let ledger = Ledger::open(&settings(&database.url)).await.unwrap();
        let receiver = Receiver::start().await;
        let files = KeyFiles::new();
        let portal = "https://portal.example.ac.uk".parse().unwrap();
        let keys = SigningKeys::load(&portal, &files.private(), &[] as &[&str]).unwrap();
        let switch = WriteSwitch::unwatched();
        let worker = worker(&ledger, &receiver, &keys, timeout, settle, switch, None);
        Self {
            pool: database.pool().await,
            worker: Arc::new(worker),
            ledger,
            receiver,
            key: files,
            keys,
            database,
        }
    }

    /// Another process, as far as the ledger can tell.
    pub fn another_worker(&self, settle: Duration) -> Arc<NamespaceWorker> {
        let timeout = Duration::from_mins(1);
        Arc::new(worker(
            &self.ledger,
            &self.receiver,
            &self.keys,
            timeout,
            settle,
            WriteSwitch::unwatched(),
            None,
        ))
    }

    /// A worker in a process whose writes this switch allows.
    pub fn worker_when(&self, writes_when: WriteSwitch) -> NamespaceWorker {
        self.usual_worker(writes_when, None)
    }

    /// A worker that shows these tokens beside the portal's.
    pub fn worker_with(&self, identity: IdentityTokens) -> NamespaceWorker {
        self.usual_worker(WriteSwitch::unwatched(), Some(identity))
    }

    fn usual_worker(
        &self,
        writes_when: WriteSwitch,
        identity: Option<IdentityTokens>,
    ) -> NamespaceWorker {
        let (timeout, settle) = (Duration::from_mins(1), Duration::from_secs(30));
        let (ledger, receiver, keys) = (&self.ledger, &self.receiver, &self.keys);
        worker(
            ledger,
            receiver,
            keys,
            timeout,
            settle,
            writes_when,
            identity,
        )
    }

    pub fn url(&self) -> String {
        self.database.url.clone()
    }

    pub async fn record(&self, seats: i64) -> RecordedSync {
        self.ledger
            .record(NAMESPACE, &document(seats), Some("tests"))
            .await
            .unwrap()
            .expect("it says something")
    }

    /// What recording this for the namespace comes to; `None` for nothing.
    pub async fn try_to_record(&self, document: &Value) -> Result<Option<RecordedSync>, String> {
        let document = Document::parse(document.to_string().as_bytes())
            .map_err(|invalid| invalid.explained())?;
        let recorded = self
            .ledger
            .record(NAMESPACE, &document, Some("tests"))
            .await;
        recorded.map_err(|error| error.to_string())
    }

    pub async fn resync(&self) {
        self.ledger
            .ask_again(NAMESPACE, None)
            .await
            .unwrap()
            .unwrap();
    }

    /// A first delivery of the namespace's message.
    pub async fn deliver(&self) -> Disposition {
        self.worker.handle(delivery(1)).await
    }

    /// Every sync, the newest first.
    pub async fn history(&self) -> Vec<SyncHistory> {
        self.ledger
            .history(NAMESPACE, 100, Duration::from_mins(1))
            .await
            .unwrap()
    }

    /// The states of the newest sync's attempts.
    pub async fn states(&self) -> Vec<&'static str> {
        let history = self.history().await;
        let states = history[0]
            .attempts
            .iter()
            .map(|attempt| attempt.state.as_str());
        states.collect()
    }
}

pub fn settings(url: &str) -> DatabaseSettings {
    let mut settings = DatabaseSettings::new(url.to_owned().into());
    // A busy machine is no outage.
    settings.acquire_timeout = Duration::from_secs(30);
    settings.lock_timeout = Duration::from_secs(30);
    settings
}

fn worker(
    ledger: &Ledger,
    receiver: &Receiver,
    keys: &SigningKeys,
    timeout: Duration,
    settle: Duration,
    writes_when: WriteSwitch,
    identity: Option<IdentityTokens>,
) -> NamespaceWorker {
    let calls = CallsConfig {
        timeout,
        ..CallsConfig::default()
    };
    let base = receiver.address.parse().unwrap();
    let provisioner =
        ProvisioningClient::new(&base, &calls, keys.clone(), identity, writes_when).unwrap();
    NamespaceWorker::new(ledger.clone(), provisioner, settle)
}

pub fn delivery(attempt: u32) -> Arc<Delivery> {
    Arc::new(Delivery {
        message_id: "7".to_owned(),
        body: format!(r#"{{"namespace_id":{NAMESPACE}}}"#).into(),
        attributes: [("run".to_owned(), "r".to_owned())].into(),
        publish_time: None,
        delivery_attempt: Some(attempt),
    })
}

pub fn document(seats: i64) -> Document {
    Document::parse(bought(seats).to_string().as_bytes()).unwrap()
}

pub fn bought(seats: i64) -> Value {
    json!({ "provision": {
        "base_product": { "plan_code": "premium", "start_date": "2026-01-01", "end_date": "2027-01-01", "seats": seats,
            "trial": false },
        "storage": { "additional_purchased_storage_size": 100, "additional_purchased_storage_ends_on": null },
    } })
}

/// What became of a delivery, in one word.
pub fn word(disposition: &Disposition) -> String {
    match disposition {
        Disposition::Done(outcome) => format!("done: {}", outcome.result.as_deref().unwrap()),
        Disposition::Retry(_) => "retry".to_owned(),
        Disposition::Hold(hold) => match &hold.at {
            HoldPoint::Gate(gate) => format!("hold: {}", gate.upstream().as_str()),
            HoldPoint::Pause(_) => "hold: pause".to_owned(),
        },
        Disposition::DeadLetter(letter) => format!("dead: {}: {}", letter.reason, letter.detail),
    }
}
