//! What the tokens may do, asked once before a stage consumes.
//!
//! A token that certainly cannot do what the stage is for is a mistake of the configuration, told
//! at start and not at the first write. What GitLab does not answer now is no reason not to start:
//! the gates hold what depends on it.

use std::time::Duration;

use tokio::time::timeout;

use super::{clients::UserClients, error::AppError, stages::UserStages};
use crate::{
    config::{Config, Mode},
    gitlab::Client,
    users::account::AccountId,
};

/// How long a start waits for GitLab's word about its tokens.
const PATIENCE: Duration = Duration::from_secs(5);
/// Each of them is enough to read users (`lib/api/users.rb`).
const READING: [&str; 3] = ["api", "read_api", "read_user"];

/// Refuses tokens that cannot do what `stages` are for.
///
/// # Errors
/// A token without the scope that its stage needs, or tokens of two accounts.
pub async fn check(
    config: &Config,
    clients: &UserClients,
    stages: UserStages,
) -> Result<(), AppError> {
    if config.mode == Mode::DryRun {
        return Ok(());
    }
    if stages.user_worker {
        let token = if config.gitlab.has_token_for_writing() {
            "GITLAB_TOKEN"
        } else {
            "GITLAB_READ_TOKEN"
        };
        require(&clients.gitlab, token, &["api"]).await?;
    }
    if stages.fan_out && config.gitlab.read_token.is_some() {
        require(&clients.reader, "GITLAB_READ_TOKEN", &READING).await?;
        if stages.user_worker {
            same_owner(clients).await?;
        }
    }
    Ok(())
}

async fn require(gitlab: &Client, token: &'static str, enough: &[&str]) -> Result<(), AppError> {
    let Ok(Ok(Some(details))) = timeout(PATIENCE, gitlab.token_details()).await else {
        return Ok(());
    };
    if details
        .scopes
        .iter()
        .any(|scope| enough.contains(&scope.as_str()))
    {
        return Ok(());
    }
    Err(AppError::MissingScope {
        token,
        scopes: details.scopes.join(", "),
        enough: enough.join(" or "),
    })
}

/// Whose block it is, is recognised by the account that made it, so both stages have to mean the
/// same account.
async fn same_owner(clients: &UserClients) -> Result<(), AppError> {
    let owners = async { tokio::join!(clients.reader.own_id(), clients.gitlab.own_id()) };
    let Ok((Ok(reader), Ok(writer))) = timeout(PATIENCE, owners).await else {
        return Ok(());
    };
    if reader == writer || clients.rules.former.contains(&AccountId(writer)) {
        return Ok(());
    }
    Err(AppError::TwoOwners { reader, writer })
}
