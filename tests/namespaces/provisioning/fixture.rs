//! A service on its own port and database, with a portal, and what a test does with them.

use std::{sync::Arc, time::Duration};

use lookup_gitlab_sync::namespaces::provisioning::{
    self, ProvisioningSettings, ProvisioningState, database,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::{
    portal::TestPortal,
    postgres::TestDatabase,
    row_gate::{RowGate, wait_for},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

pub const HEADER: &str = "X-Customers-Dot-Internal-Token";

/// Every table that provisioning writes.
const TABLES: [&str; 10] = [
    "plans",
    "namespaces",
    "namespace_limits",
    "gitlab_subscriptions",
    "gitlab_subscription_histories",
    "subscription_add_ons",
    "subscription_add_on_purchases",
    "ci_namespace_monthly_usages",
    "ci_pending_builds",
    "namespace_settings",
];

pub struct ProvisioningFixture {
    pub portal: Arc<TestPortal>,
    /// The test's own way to the tables.
    pub pool: PgPool,
    pub address: String,
    pub client: reqwest::Client,
    pub server: JoinHandle<std::io::Result<()>>,
    stop: DropGuard,
    database: Arc<TestDatabase>,
}

impl ProvisioningFixture {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// One whose settings differ from the defaults.
    pub async fn with(change: impl FnOnce(&mut ProvisioningSettings)) -> Self {
        Self::on(TestDatabase::create().await, change).await
    }

    pub async fn on(
        database: TestDatabase,
        change: impl FnOnce(&mut ProvisioningSettings),
    ) -> Self {
        Self::start(
            Arc::new(database),
            Arc::new(TestPortal::start().await),
            change,
        )
        .await
    }

    /// Another service on the same database, for the same portal.
    pub async fn twin(&self) -> Self {
        self.twin_with(|_| {}).await
    }

    /// One whose settings differ.
    pub async fn twin_with(&self, change: impl FnOnce(&mut ProvisioningSettings)) -> Self {
        Self::start(Arc::clone(&self.database), Arc::clone(&self.portal), change).await
    }

    async fn start(
        database: Arc<TestDatabase>,
        portal: Arc<TestPortal>,
        change: impl FnOnce(&mut ProvisioningSettings),
    ) -> Self {
        let mut settings = ProvisioningSettings::new(
            database::DatabaseSettings::new(database.url.clone().into()),
            portal.address.parse().unwrap(),
        );
        // A busy machine is no outage.
        settings.database.acquire_timeout = Duration::from_secs(30);
        change(&mut settings);
        let state = ProvisioningState::open(settings).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let serving = provisioning::serve(state, listener, stop.clone(), Duration::from_secs(10));
        Self {
            pool: database.pool().await,
            server: tokio::spawn(serving),
            stop: stop.drop_guard(),
            client: reqwest::Client::new(),
            portal,
            address,
            database,
        }
    }

    /// Asks the service to stop, and gives what it ended with.
    pub async fn stop(self) -> std::io::Result<()> {
        drop(self.stop);
        self.server.await.unwrap()
    }

    /// The address of the database.
    pub fn database_url(&self) -> &str {
        &self.database.url
    }

    /// Gets the test its own connections anew, after the server was away.
    pub async fn connect_again(&mut self) {
        self.pool = self.database.pool().await;
    }

    pub async fn group(&self, path: &str) -> i64 {
        self.namespace(path, "Group", None).await
    }

    pub async fn namespace(&self, path: &str, kind: &str, parent: Option<i64>) -> i64 {
        sqlx::query_scalar(
            "INSERT INTO namespaces (name, path, type, parent_id, organization_id) VALUES ($1, $1, $2, $3, 7) RETURNING id",
        )
        .bind(path)
        .bind(kind)
        .bind(parent)
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    /// The path of a namespace's endpoint.
    pub fn endpoint(&self, id: impl std::fmt::Display) -> String {
        format!(
            "{}/api/v4/internal/gitlab_subscriptions/namespaces/{id}/provision",
            self.address
        )
    }

    /// A request with a good token and any body.
    pub async fn post_bytes(
        &self,
        id: impl std::fmt::Display,
        body: impl Into<reqwest::Body>,
    ) -> (StatusCode, Value) {
        let request = self
            .client
            .post(self.endpoint(id))
            .header(HEADER, self.portal.token())
            .body(body);
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap())
    }

    /// Posts the parts of a document.
    pub async fn post(&self, id: impl std::fmt::Display, provision: Value) -> (StatusCode, Value) {
        self.post_bytes(id, json!({ "provision": provision }).to_string())
            .await
    }

    /// Posts parts that must be applied.
    pub async fn apply(&self, id: i64, provision: Value) {
        let (status, answer) = self.post(id, provision).await;
        assert_eq!(
            (status, &answer["status"]),
            (StatusCode::OK, &json!("success")),
            "{answer}"
        );
    }

    /// Posts one part that must be refused, and gives its message.
    pub async fn refused(&self, id: i64, part: &str, value: Value) -> String {
        let before = self.everything().await;
        let (status, answer) = self.post(id, json!({ part: value })).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        assert_eq!(
            answer["payload"][part]["status"],
            json!("error"),
            "{answer}"
        );
        assert_eq!(answer["message"], answer["payload"][part]["message"]);
        assert_eq!(
            before,
            self.everything().await,
            "a refused step has written"
        );
        answer["message"].as_str().unwrap().to_owned()
    }

    pub async fn execute(&self, statements: &'static str) {
        sqlx::raw_sql(statements).execute(&self.pool).await.unwrap();
    }

    /// The rows of `query` as JSON objects.
    pub async fn rows(&self, query: &str) -> Value {
        let query =
            format!("SELECT COALESCE(jsonb_agg(to_jsonb(row)), '[]') FROM ({query}) AS row");
        sqlx::query_scalar(sqlx::AssertSqlSafe(query))
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Every row of every table, with every column.
    pub async fn everything(&self) -> Value {
        let mut tables = serde_json::Map::new();
        for table in TABLES {
            let rows = self
                .rows(&format!("SELECT * FROM {table} ORDER BY 1"))
                .await;
            tables.insert(table.to_owned(), rows);
        }
        Value::Object(tables)
    }

    /// Posting the same again changes no row of any table.
    pub async fn assert_settled(&self, id: i64, provision: Value) {
        let before = self.everything().await;
        self.post(id, provision).await;
        assert_eq!(before, self.everything().await);
    }
}

impl ProvisioningFixture {
    /// Holds whatever comes to `place`, as [`RowGate::close`] says.
    pub async fn gate(&self, place: &str, condition: &str) -> RowGate {
        RowGate::close(&self.database.url, &self.pool, place, condition).await
    }

    /// Waits until `query` answers true.
    pub async fn wait_for(&self, query: &'static str) {
        wait_for(&self.pool, query).await;
    }
}

/// A document with every part, all of whose numbers say `n`.
pub fn document(n: i64) -> Value {
    json!({
        "base_product": { "plan_code": "ultimate", "start_date": "2026-01-01", "end_date": "2027-01-01", "seats": n,
            "max_seats_used": n, "auto_renew": true, "trial": false, "trial_starts_on": null, "trial_ends_on": null },
        "storage": { "additional_purchased_storage_size": n, "additional_purchased_storage_ends_on": "2027-01-01" },
        "compute_minutes": { "shared_runners_minutes_limit": n, "extra_shared_runners_minutes_limit": n },
        "add_on_purchases": { "duo_enterprise": [{ "started_on": "2026-01-01", "expires_on": "2027-01-01", "quantity": n,
            "purchase_xid": "A-S00001", "trial": false }] },
    })
}
