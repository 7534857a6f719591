//! What the tables of the stages say: the ledger's attempts, and what GitLab has got.

use testkit::wait::until;

use crate::stages::NamespaceStages;

impl NamespaceStages {
    /// Waits until the newest sync has arrived.
    pub async fn arrived(&self, id: i64) {
        let pool = self.pool().await;
        until("the newest sync to arrive", async || {
            let state: Result<Option<String>, _> = sqlx::query_scalar(
                "SELECT state FROM namespace_sync_attempts WHERE state <> 'skipped' AND namespace_sync_id =
                     (SELECT max(id) FROM namespace_syncs WHERE namespace_id = $1) ORDER BY id DESC LIMIT 1",
            )
            .bind(id)
            .fetch_optional(&pool)
            .await;
            matches!(state, Ok(Some(state)) if state == "completed")
        })
        .await;
    }

    /// How many attempts are not closed.
    pub async fn open_attempts(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM namespace_sync_attempts WHERE state = 'started'")
            .fetch_one(&self.pool().await)
            .await
            .unwrap()
    }

    /// The seats in the rows of a namespace's history, the oldest first.
    pub async fn former_seats(&self, id: i64) -> Vec<i32> {
        sqlx::query_scalar(
            "SELECT seats FROM gitlab_subscription_histories WHERE namespace_id = $1 ORDER BY id",
        )
        .bind(id)
        .fetch_all(&self.pool().await)
        .await
        .unwrap()
    }

    /// The states of every attempt for a namespace, the oldest first.
    pub async fn states(&self, id: i64) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT state FROM namespace_sync_attempts JOIN namespace_syncs AS sync ON sync.id = namespace_sync_id
             WHERE namespace_id = $1 ORDER BY namespace_sync_attempts.id",
        )
        .bind(id)
        .fetch_all(&self.pool().await)
        .await
        .unwrap()
    }

    /// The seats GitLab has for a namespace.
    pub async fn seats(&self, id: i64) -> Option<i32> {
        sqlx::query_scalar("SELECT seats FROM gitlab_subscriptions WHERE namespace_id = $1")
            .bind(id)
            .fetch_optional(&self.pool().await)
            .await
            .unwrap()
    }

    /// All that provisioning has written, as text.
    pub async fn everything(&self) -> String {
        let mut all = String::new();
        for table in [
            "gitlab_subscriptions",
            "gitlab_subscription_histories",
            "namespace_limits",
            "namespaces",
            "subscription_add_on_purchases",
        ] {
            let query = format!(
                "SELECT COALESCE(jsonb_agg(to_jsonb(t) ORDER BY t::text), '[]')::text FROM {table} t"
            );
            let rows: String = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
                .fetch_one(&self.pool().await)
                .await
                .unwrap();
            all.push_str(&rows);
        }
        all
    }
}
