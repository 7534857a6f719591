//! Whether this process gets the identity tokens that provisioning calls carry.

use super::ConnectionReport;
use crate::{
    cli::ExitReason,
    config::NamespacesConfig,
    namespaces::worker::identity_token::{ADVICE, IdentityTokens},
    telemetry::causes,
};

/// Fetches one, where `config` names whom it is for.
pub(super) async fn check(config: &NamespacesConfig, report: &mut ConnectionReport) {
    const CHECK: &str = "identity token";
    let Some(audience) = &config.identity_audience else {
        return;
    };
    report.begin("an identity token");
    let problem = match IdentityTokens::new(audience) {
        Ok(tokens) => tokens.header().await.err().map(|fault| fault.to_string()),
        Err(error) => Some(causes::on_one_line(&error)),
    };
    match problem {
        None => report.ok(
            CHECK,
            format!("the metadata server gives one for {audience}"),
        ),
        Some(problem) => report.fail(ExitReason::Unavailable, CHECK, problem, ADVICE),
    }
}
