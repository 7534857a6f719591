//! What the tokens may do, asked once before a stage consumes.
//!
//! A token that certainly cannot do what the stage is for is a mistake of the configuration, told at start and not at the
//! first write. What GitLab does not answer now is no reason not to start: the gates hold what depends on it.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    failure::{Exit, Failure},
    wiring::Sides,
};
use crate::{
    config::{Config, Mode},
    gitlab::Client,
    messaging::Stage,
    users::account::AccountId,
};

/// How long a start waits for GitLab's word about its tokens.
const PATIENCE: Duration = Duration::from_secs(5);
/// Each of them is enough to read users (`lib/api/users.rb`).
const READING: [&str; 3] = ["api", "read_api", "read_user"];

/// Refuses tokens that cannot do what `stages` are for.
///
/// # Errors
/// Exit code 78.
pub async fn check(config: &Config, sides: &Sides, stages: &[Stage]) -> Result<(), Failure> {
    let (reads, writes) = (
        stages.contains(&Stage::FanOut),
        stages.contains(&Stage::UserWorker),
    );
    if config.mode == Mode::DryRun {
        return Ok(());
    }
    if writes {
        let token = if config.gitlab.has_token_for_writing() {
            "GITLAB_TOKEN"
        } else {
            "GITLAB_READ_TOKEN"
        };
        require(&sides.gitlab, token, &["api"]).await?;
    }
    if reads && config.gitlab.read_token.is_some() {
        require(&sides.reader, "GITLAB_READ_TOKEN", &READING).await?;
        if writes {
            same_owner(sides).await?;
        }
    }
    Ok(())
}

async fn require(gitlab: &Client, token: &str, enough: &[&str]) -> Result<(), Failure> {
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
    Err(wrong(format!(
        "{token} has the scopes {}, and mode is apply: give it {}",
        details.scopes.join(", "),
        enough.join(" or ")
    )))
}

/// Whose block it is, is recognised by the account that made it, so both stages have to mean the same account.
async fn same_owner(sides: &Sides) -> Result<(), Failure> {
    let owners = async { tokio::join!(sides.reader.own_id(), sides.gitlab.own_id()) };
    let Ok((Ok(reader), Ok(writer))) = timeout(PATIENCE, owners).await else {
        return Ok(());
    };
    if reader == writer || sides.rules.former.contains(&AccountId(writer)) {
        return Ok(());
    }
    Err(wrong(format!(
        "GITLAB_READ_TOKEN is account {reader}'s and GITLAB_TOKEN account {writer}'s: make both of one account, or the \
         fan-out does not recognise what the worker blocks"
    )))
}

fn wrong(text: String) -> Failure {
    Failure::new(Exit::Configuration, anyhow::anyhow!(text))
}
