//! What the tables look like here. A GitLab adds columns from release to release; what both sides
//! of a copy have is copied, and what is missing is left out.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use sqlx::{PgConnection, Row};

/// Columns of a subscription that its history does not keep, by GitLab's own choice
/// (`GitlabSubscriptionHistory.create_from_change`), or that are the history row's own.
const NOT_COPIED: [&str; 6] = [
    "id",
    "created_at",
    "updated_at",
    "seats_owed",
    "max_seats_used_changed_at",
    "last_seat_refresh_at",
];

const SUBSCRIPTIONS: &str = "gitlab_subscriptions";
const HISTORIES: &str = "gitlab_subscription_histories";
const ADD_ONS: &str = "subscription_add_ons";
const PURCHASES: &str = "subscription_add_on_purchases";
const USAGES: &str = "ci_namespace_monthly_usages";
const PENDING_BUILDS: &str = "ci_pending_builds";
const NAMESPACE_SETTINGS: &str = "namespace_settings";
const APPLICATION_SETTINGS: &str = "application_settings";

const LOOKED_AT: [&str; 8] = [
    SUBSCRIPTIONS,
    HISTORIES,
    ADD_ONS,
    PURCHASES,
    USAGES,
    PENDING_BUILDS,
    NAMESPACE_SETTINGS,
    APPLICATION_SETTINGS,
];

/// What a statement has to know of the tables before it is written.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a column that a GitLab has or has not"
)]
#[derive(Clone, Debug)]
pub(super) struct TableColumns {
    /// Copies the subscription `$1` into its history as change `$2`.
    pub history: String,
    /// Whether a purchase says itself which add-on it is of: from 18 on, required from 19.3 on.
    pub add_on_uid: bool,
    /// Whether there is a table of add-ons that a purchase points to.
    pub add_ons: bool,
    /// Whether minutes are counted month by month in this database.
    pub usages: bool,
    /// Whether waiting builds are in this database.
    pub pending_builds: bool,
    /// Whether a namespace says whether it has Duo's smallest features.
    pub duo_nano: bool,
    /// Whether the instance has a number of minutes for those who have none of their own.
    pub instance_minutes: bool,
}

/// Read before the first call, and kept until a statement does not fit them any more.
#[derive(Debug, Default)]
pub(super) struct KnownTables(Mutex<Option<Arc<TableColumns>>>);

impl KnownTables {
    /// # Errors
    /// Only those of the database.
    pub(super) async fn get(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Arc<TableColumns>, sqlx::Error> {
        let known = self.lock().clone();
        if let Some(tables) = known {
            return Ok(tables);
        }
        let tables = Arc::new(TableColumns::read(connection).await?);
        *self.lock() = Some(Arc::clone(&tables));
        Ok(tables)
    }

    /// Has them read again: GitLab may have been upgraded while this runs.
    pub(super) fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<TableColumns>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TableColumns {
    async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT looked.at, quote_ident(attname) AS name
             FROM unnest($1::text[]) AS looked (at) JOIN pg_attribute ON attrelid = to_regclass(looked.at)
             WHERE attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        )
        .bind(LOOKED_AT.as_slice())
        .fetch_all(connection)
        .await?;
        let mut columns: HashMap<String, Vec<String>> = HashMap::new();
        for row in rows {
            let table = columns.entry(row.try_get("at")?).or_default();
            table.push(row.try_get("name")?);
        }
        let has = |table: &str, column: &str| {
            let table = columns.get(table);
            table.is_some_and(|columns| columns.iter().any(|name| name == column))
        };
        Ok(Self {
            history: copy_into_history(
                columns.get(SUBSCRIPTIONS).map_or(&[], Vec::as_slice),
                columns.get(HISTORIES).map_or(&[], Vec::as_slice),
            ),
            add_on_uid: has(PURCHASES, "subscription_add_on_uid"),
            add_ons: has(ADD_ONS, "name") && has(PURCHASES, "subscription_add_on_id"),
            usages: has(USAGES, "notification_level"),
            pending_builds: has(PENDING_BUILDS, "minutes_exceeded"),
            duo_nano: has(NAMESPACE_SETTINGS, "duo_nano_features_enabled"),
            instance_minutes: has(APPLICATION_SETTINGS, "shared_runners_minutes"),
        })
    }
}

/// Every column that both tables have, less those that are not for copying, and what a history row
/// says of itself.
fn copy_into_history(subscription: &[String], history: &[String]) -> String {
    let kept: HashSet<&str> = history.iter().map(String::as_str).collect();
    let copied: Vec<&str> = subscription
        .iter()
        .map(String::as_str)
        .filter(|column| kept.contains(column) && !NOT_COPIED.contains(column))
        .collect();
    let copied = copied.join(", ");
    format!(
        "INSERT INTO {HISTORIES} (gitlab_subscription_id, change_type, gitlab_subscription_created_at,
             gitlab_subscription_updated_at, created_at, {copied})
         SELECT id, $2, created_at, updated_at, now(), {copied} FROM {SUBSCRIPTIONS} WHERE id = $1"
    )
}

#[cfg(test)]
mod tests {
    use super::copy_into_history;

    #[test]
    fn what_both_tables_have_is_copied_also_when_nobody_here_has_heard_of_it() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let statement = copy_into_history(
            &names(&[
                "id",
                "seats",
                "seats_owed",
                "contract_overages_allowed",
                "only_here",
                "created_at",
            ]),
            &names(&[
                "id",
                "created_at",
                "seats",
                "seats_owed",
                "change_type",
                "contract_overages_allowed",
            ]),
        );
        assert!(
            statement.contains("created_at, seats, contract_overages_allowed)"),
            "{statement}"
        );
        assert!(
            statement.contains("now(), seats, contract_overages_allowed FROM"),
            "{statement}"
        );
    }
}
