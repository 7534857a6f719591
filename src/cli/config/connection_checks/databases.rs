//! Whether the databases of the namespace pipeline answer.

use super::ConnectionReport;
use crate::{
    cli::ExitReason,
    config::{ConfigErrors, DatabaseConfig, NamespacesConfig},
    namespaces::database::{DatabasePool, DatabaseSettings},
    telemetry::causes,
};

/// Asks each database that `config` names for its version.
pub(super) async fn check(config: &NamespacesConfig, report: &mut ConnectionReport) {
    check_one(
        "ledger database",
        config.ledger(),
        "LEDGER_DATABASE_URL",
        report,
    )
    .await;
    let provisioning = config.provisioning();
    check_one(
        "provisioning database",
        provisioning,
        "PROVISIONING_DATABASE_URL",
        report,
    )
    .await;
}

/// One that is not configured is another stage's, or nobody's.
async fn check_one(
    check: &str,
    config: Result<DatabaseConfig, ConfigErrors>,
    setting: &'static str,
    report: &mut ConnectionReport,
) {
    let Ok(config) = config else {
        return;
    };
    report.begin(check);
    match version(&config.into(), setting).await {
        Ok(version) => report.ok(check, format!("PostgreSQL {version}")),
        Err(problem) => report.fail(
            ExitReason::Unavailable,
            check,
            problem,
            format!("is {setting} right, and does the database let this machine in?"),
        ),
    }
}

async fn version(settings: &DatabaseSettings, setting: &'static str) -> Result<String, String> {
    let pool = DatabasePool::new(settings, "config check", setting)
        .map_err(|error| causes::on_one_line(&error))?;
    let version = pool.version().await;
    pool.close().await;
    version.map_err(|error| causes::on_one_line(&error))
}
