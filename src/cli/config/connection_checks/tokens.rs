//! What each token may do, whose it is and how long it lasts.

use jiff::Timestamp;

use super::ConnectionReport;
use crate::{
    cli::{CommandFailure, ExitReason},
    config::{GitLabConfig, Mode},
    gitlab::{Client, TokenDetails, TokenExpiry},
    upstream::{CallError, FaultScope},
};

/// What one token turned out to be.
struct CheckedToken {
    owner: Option<u64>,
    reads: bool,
    writes: bool,
}

/// Checks the tokens that `config` names, and says whether all of them see the users.
///
/// # Errors
/// An address or a token that HTTP cannot carry.
pub(super) async fn check(
    config: &GitLabConfig,
    mode: Mode,
    report: &mut ConnectionReport,
) -> Result<bool, CommandFailure> {
    let writer = Client::new(config, None)?;
    let mut tokens = Vec::new();
    if let Some(reader) = writer.with_read_token(config)? {
        tokens.push(check_token("GITLAB_READ_TOKEN", &reader, report).await);
    }
    if config.has_token_for_writing() {
        tokens.push(check_token("GITLAB_TOKEN", &writer, report).await);
    }
    if let [reader, writer] = tokens.as_slice()
        && reader.owner != writer.owner
    {
        report.warn(
            "tokens' owners",
            "GITLAB_READ_TOKEN and GITLAB_TOKEN are of two accounts",
            "use one account for both: blocks are recognised by who made them, so the fan-out needs users.former_ids with \
             the account of GITLAB_TOKEN",
        );
    }
    if mode == Mode::Apply && !tokens.iter().any(|token| token.writes) {
        report.fail(
            ExitReason::Configuration,
            "mode",
            "it is apply, and no token can block",
            "give GITLAB_TOKEN the scope api, and admin_mode where Admin Mode is on",
        );
    }
    Ok(tokens.iter().all(|token| token.reads))
}

/// A refusal is a finding, and so is a GitLab that does not answer.
async fn check_token(
    name: &'static str,
    client: &Client,
    report: &mut ConnectionReport,
) -> CheckedToken {
    report.begin(name);
    let nothing = CheckedToken {
        owner: None,
        reads: false,
        writes: false,
    };
    let details = match client.token_details().await {
        Ok(details) => details,
        Err(error) => {
            refused(name, error, report);
            return nothing;
        }
    };
    let may_write = check_scopes(name, details.as_ref(), report);
    check_expiry(name, client.token_expiry(), report);
    match check_owner(name, client, report).await {
        Ok(owner) => CheckedToken {
            owner: Some(owner),
            reads: true,
            writes: may_write,
        },
        Err(error) => {
            refused(name, error, report);
            nothing
        }
    }
}

fn check_scopes(name: &str, details: Option<&TokenDetails>, report: &mut ConnectionReport) -> bool {
    let check = format!("{name} scopes");
    let Some(details) = details else {
        report.ok(
            check,
            "not known: GitLab tells them of personal access tokens",
        );
        return true;
    };
    let may_write = details.scopes.iter().any(|scope| scope == "api");
    let scopes = details.scopes.join(", ");
    if may_write || name == "GITLAB_READ_TOKEN" {
        report.ok(check, scopes);
    } else {
        report.fail(
            ExitReason::Configuration,
            check,
            scopes,
            "it lacks the scope api: it cannot block",
        );
    }
    may_write
}

fn check_expiry(name: &str, expiry: Option<TokenExpiry>, report: &mut ConnectionReport) {
    let check = format!("{name} expiry");
    let finding = match expiry.map(|expiry| expiry.on) {
        None => "not known: GitLab tells it of personal access tokens".to_owned(),
        Some(None) => "never".to_owned(),
        Some(Some(day)) => day.to_string(),
    };
    if expiry.is_some_and(|expiry| expiry.soon(Timestamp::now()).is_some()) {
        report.warn(
            check,
            finding,
            "rotate it before that day with `token rotate` (docs/deploy.md, section 6)",
        );
    } else {
        report.ok(check, finding);
    }
}

/// The owner, and whether the token sees what only administrators are shown: a row proves it, since
/// `is_admin` says so even where Admin Mode withholds the rights.
async fn check_owner(
    name: &str,
    client: &Client,
    report: &mut ConnectionReport,
) -> Result<u64, CallError> {
    let owner = client.current_user().await?;
    let row = client.user(owner.id).await?;
    let said = format!("{} ({})", owner.username, owner.id);
    if row.is_some_and(|row| row.bot) {
        report.ok(
            format!("{name} owner"),
            format!("{said}, a service account"),
        );
    } else {
        report.warn(
            format!("{name} owner"),
            said,
            "its owner is not a service account: ten wrong passwords lock it for ten minutes, and terms or an expired \
             password stop it; use an administrator's service account",
        );
    }
    report.ok(
        format!("{name} rights"),
        "sees what only administrators are shown",
    );
    Ok(owner.id)
}

/// What is wrong with the token is the configuration's fault; that GitLab does not answer is not.
fn refused(name: &str, error: CallError, report: &mut ConnectionReport) {
    let check = format!("{name} rights");
    let is_upstreams = matches!(error.scope, FaultScope::Upstream(_));
    if is_upstreams && !error.credentials_refused() {
        report.fail_with(check, &error.into());
    } else {
        report.fail(
            ExitReason::Configuration,
            check,
            error.what(),
            error.to_string(),
        );
    }
}
