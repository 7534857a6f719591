//! `config check --connect`: what each token may do, asked of GitLab. Changes nothing.

use serde::Serialize;

use crate::{
    cli::common::{
        failure::{CommandFailure, ExitReason},
        output::{self, OutputFormat, OutputRow},
    },
    config::{GitLabConfig, Mode},
    gitlab::Client,
    upstream::{CallError, FaultScope},
};

/// What one token turned out to be.
#[derive(Debug, Serialize)]
struct TokenFinding {
    token: &'static str,
    owner: String,
    scopes: String,
    reads: bool,
    writes: bool,
    missing: Vec<String>,
    warnings: Vec<String>,
}

/// Asks GitLab about each token that `config` names, prints what it may do, and fails where that is
/// too little.
pub async fn check(
    config: &GitLabConfig,
    mode: Mode,
    output: OutputFormat,
) -> Result<(), CommandFailure> {
    let writer = Client::new(config, None)?;
    let mut tokens = Vec::new();
    if let Some(reader) = writer.with_read_token(config)? {
        tokens.push(ask("GITLAB_READ_TOKEN", &reader).await?);
    }
    if config.has_token_for_writing() {
        tokens.push(ask("GITLAB_TOKEN", &writer).await?);
    }
    let some_writes = tokens.iter().any(|token| token.writes);
    if let [reader, writer] = tokens.as_mut_slice()
        && reader.owner != writer.owner
    {
        reader.warnings.push(format!(
            "its owner is not that of {}: blocks are recognised by who made them, so the fan-out needs users.former_ids with \
             that account's id",
            writer.token
        ));
    }
    output::print(output, &tokens)?;
    for token in &tokens {
        for missing in &token.missing {
            output::note(&format!("{}: {missing}", token.token))?;
        }
        for warning in &token.warnings {
            output::note(&format!("{}: {warning}", token.token))?;
        }
    }
    if tokens.iter().any(|token| !token.reads) {
        let text = "a token cannot read what the service must see";
        return Err(CommandFailure::new(
            ExitReason::Configuration,
            anyhow::anyhow!(text),
        ));
    }
    if mode == Mode::Apply && !some_writes {
        let text = "mode is apply, and no token can block";
        return Err(CommandFailure::new(
            ExitReason::Configuration,
            anyhow::anyhow!(text),
        ));
    }
    Ok(())
}

/// # Errors
/// When GitLab cannot be asked at all. A refusal is a finding.
async fn ask(name: &'static str, client: &Client) -> Result<TokenFinding, CommandFailure> {
    let mut token = TokenFinding {
        token: name,
        owner: "unknown".to_owned(),
        scopes: "unknown".to_owned(),
        reads: false,
        writes: false,
        missing: Vec::new(),
        warnings: Vec::new(),
    };
    let scopes = match client.token_details().await {
        Ok(details) => details.map(|details| details.scopes),
        Err(error) => return refused(token, error),
    };
    if let Some(scopes) = &scopes {
        token.scopes = scopes.join(", ");
    }
    let owner = match client.current_user().await {
        Ok(owner) => owner,
        Err(error) => return refused(token, error),
    };
    token.owner = format!("{} ({})", owner.username, owner.id);
    // Its row has the keys that an administrator alone sees, or the call fails.
    let row = match client.user(owner.id).await {
        Ok(row) => row,
        Err(error) => return refused(token, error),
    };
    token.reads = row.is_some();
    let may_write = scopes
        .as_ref()
        .is_none_or(|scopes| scopes.iter().any(|scope| scope == "api"));
    token.writes = token.reads && may_write;
    if !may_write && name == "GITLAB_TOKEN" {
        token
            .missing
            .push("it lacks the scope api: it cannot block".to_owned());
    }
    if row.is_some_and(|row| !row.bot) {
        token.warnings.push(format!(
            "its owner {} is not a service account: ten wrong passwords lock it for ten minutes, and terms or an expired \
             password stop it; use an administrator's service account",
            owner.username
        ));
    }
    Ok(token)
}

fn refused(mut token: TokenFinding, error: CallError) -> Result<TokenFinding, CommandFailure> {
    let is_upstreams = matches!(error.scope, FaultScope::Upstream(_));
    if is_upstreams && !error.credentials_refused() {
        return Err(error.into());
    }
    token.missing.push(error.to_string());
    Ok(token)
}

impl OutputRow for TokenFinding {
    const COLUMNS: &'static [&'static str] = &["token", "owner", "scopes", "reads", "writes"];

    fn cells(&self) -> Vec<String> {
        let yes = |may: bool| if may { "yes" } else { "no" }.to_owned();
        vec![
            self.token.to_owned(),
            self.owner.clone(),
            self.scopes.clone(),
            yes(self.reads),
            yes(self.writes),
        ]
    }
}
