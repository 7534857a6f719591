//! `token rotate`.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    file::Unstored,
    place::{TokenPlace, check_output, check_place},
};
use crate::{
    app::{context::ProcessContext, signals::StopSignals},
    cli::{
        CommandFailure, ExitReason,
        common::{output, write_switch::writes_when},
    },
    config::{Config, DirectoryConfig, GitLabConfig, PubSubConfig, Secret},
    failpoint,
    gitlab::{self, RotatedToken, RotationError, TokenDetails, TokenExpiry},
};

/// A token with one of these may rotate itself.
const SCOPES: [&str; 2] = ["api", "self_rotate"];

/// Where a person makes a token.
const BY_HAND: &str =
    "Admin area, Users, the account, Impersonation tokens (docs/deploy.md, section 6)";

/// Replaces a token of GitLab by a new one, and stores it before anything else is done
///
/// Looks first: whose token it is, what it may do, when it expires. Without --yes that is all. GitLab revokes the old token
/// in the moment in which it gives the new one, which has the same owner and scopes. The new one takes its place in the file
/// of `GITLAB_TOKEN_FILE`, which a running service reads again by itself; a token that is in no file is printed with --print.
/// The rotation is asked for once and never again, since GitLab takes the old token's second use for a thief's and revokes the
/// new one too. Exit code 1 where the new token is not known or not stored: the text says what to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync token rotate --print --yes >new-token")]
pub(super) struct RotateArgs {
    /// Rotates `GITLAB_READ_TOKEN` instead of `GITLAB_TOKEN`
    #[arg(long)]
    read: bool,
    /// The new token's days; GitLab bounds them, too
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=365))]
    expires_in_days: u16,
    /// Prints the new token alone on standard output, which must not be a terminal, and changes no file
    #[arg(long)]
    print: bool,
    /// Confirms that the old token is given up
    #[arg(long)]
    yes: bool,
}

/// GitLab alone; Pub/Sub only tells of a pause.
type RotationConfig = Config<GitLabConfig, Option<DirectoryConfig>, Option<PubSubConfig>>;

/// The token that is rotated, alone: nothing reads its file again.
struct CurrentToken {
    setting: &'static str,
    secret: Secret,
    gitlab: GitLabConfig,
}

/// All that can be found out before the old token is given up.
struct PreparedRotation {
    token: CurrentToken,
    client: gitlab::Client,
    owner: gitlab::CurrentUser,
    details: TokenDetails,
    place: TokenPlace,
}

impl RotateArgs {
    /// A signal ends it until the rotation is asked for. From then on none does, until the new token
    /// is stored: the answer that nobody takes is a token lost.
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        check_output(self.print)?;
        let mut signals = StopSignals::catch()?;
        let _hangup = signal(SignalKind::hangup())?;
        let prepared = tokio::select! {
            prepared = self.prepare(context) => prepared?,
            () = signals.next() => return Err(CommandFailure::interrupted()),
        };
        let expires_at = self.expires_at();
        let (fresh, owner) = rotate(prepared, expires_at).await?;
        tokio::select! {
            proved = prove(&fresh, &owner) => proved,
            () = signals.next() => Err(CommandFailure::interrupted()),
        }
    }

    fn expires_at(&self) -> Date {
        let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
        today.saturating_add(i32::from(self.expires_in_days).days())
    }

    async fn prepare(&self, context: &ProcessContext) -> Result<PreparedRotation, CommandFailure> {
        let config: RotationConfig = context.start(false)?;
        let token = CurrentToken::of(&config.gitlab, self.read)?;
        check_place(&token.secret, token.setting, self.print)?;
        let looking = gitlab::Client::new(&token.gitlab, None)?;
        let (owner, details) = look(&looking, token.setting).await?;
        if !self.yes {
            return Err(CommandFailure::usage(
                "rotating cannot be undone: give --yes to give up the old token",
            ));
        }
        let writes_when = writes_when(config.mode, config.pubsub.as_ref()).await?;
        let client = gitlab::Client::new(&token.gitlab, writes_when)?;
        if client.permit(false).is_none() {
            return Err(CommandFailure::usage(
                "mode is dry-run, in which nothing is written to GitLab: set LOOKUP_GITLAB_SYNC__MODE=apply for this command",
            ));
        }
        if let Some(switch) = client.held_by(false)
            && let Some(why) = switch.held_because()
        {
            return Err(CommandFailure::new(
                ExitReason::Unavailable,
                anyhow::anyhow!("nothing was rotated: {why}"),
            ));
        }
        let place = TokenPlace::prove(&token.secret, token.setting, self.print)?;
        Ok(PreparedRotation {
            token,
            client,
            owner,
            details,
            place,
        })
    }
}

impl CurrentToken {
    fn of(config: &GitLabConfig, read: bool) -> Result<Self, CommandFailure> {
        let has_both = config.has_token_for_writing();
        let (setting, secret) = match (&config.read_token, read) {
            (Some(token), true) if has_both || token.file() == config.token.file() => {
                ("GITLAB_READ_TOKEN", token)
            }
            (_, false) if has_both => ("GITLAB_TOKEN", &config.token),
            (None, _) => {
                return Err(CommandFailure::usage(
                    "GITLAB_READ_TOKEN is not set: without --read this command rotates GITLAB_TOKEN",
                ));
            }
            (Some(_), _) => {
                return Err(CommandFailure::usage(
                    "there is no GITLAB_TOKEN, or it is the same token as GITLAB_READ_TOKEN: give only the setting that is to \
                     be rotated, with --read for GITLAB_READ_TOKEN",
                ));
            }
        };
        let fixed = Secret::from(secrecy::ExposeSecret::expose_secret(secret));
        let mut token = Self {
            setting,
            secret: secret.clone(),
            gitlab: config.clone(),
        };
        token.hold(fixed, read);
        Ok(token)
    }

    /// Calls show `secret` from now on.
    fn hold(&mut self, secret: Secret, read: bool) {
        self.gitlab.read_token = read.then(|| secret.clone());
        self.gitlab.token = secret;
    }
}

/// Whose token it is, and whether it can be rotated.
async fn look(
    client: &gitlab::Client,
    setting: &str,
) -> Result<(gitlab::CurrentUser, TokenDetails), CommandFailure> {
    let owner = client.current_user().await?;
    let configuration =
        |text: String| CommandFailure::new(ExitReason::Configuration, anyhow::anyhow!("{text}"));
    let details = client.token_details().await?.ok_or_else(|| {
        configuration(format!(
            "{setting} is not a personal access token (GitLab does not answer GET /personal_access_tokens/self for it), so it \
             cannot rotate itself: make a new one in GitLab, {BY_HAND}"
        ))
    })?;
    let scopes = details.scopes.join(", ");
    let expires = match client.token_expiry() {
        Some(expiry) => expiry.to_string(),
        None => format!("{setting} never expires"),
    };
    output::note(&format!(
        "{setting} is of {} ({}), with the scopes {scopes}; {expires}",
        owner.username, owner.id
    ))?;
    let may_rotate = |scope: &String| SCOPES.contains(&scope.as_str());
    if !details.scopes.iter().any(may_rotate) {
        return Err(configuration(format!(
            "{setting} has the scopes {scopes}: a token rotates itself only with the scope api or self_rotate. Make one that \
             has self_rotate beside its own scopes, {BY_HAND}"
        )));
    }
    Ok((owner, details))
}

/// Gives up the old token for a new one, and stores that. Gives a client that shows it.
async fn rotate(
    prepared: PreparedRotation,
    expires_at: Date,
) -> Result<(gitlab::Client, gitlab::CurrentUser), CommandFailure> {
    let PreparedRotation {
        mut token,
        client,
        owner,
        details,
        place,
    } = prepared;
    let permit = client
        .permit(false)
        .ok_or_else(CommandFailure::interrupted)?;
    failpoint::pass("before_rotation");
    let rotated = client.rotate_token(&permit, expires_at).await;
    failpoint::pass("after_rotation");
    let setting = token.setting;
    let rotated = rotated.map_err(|error| {
        let by_hand = by_hand(&token, &details, &owner.username, &place);
        unrotated(error, setting, &by_hand)
    })?;
    let RotatedToken { secret, expires_at } = rotated;
    let said = place.to_string();
    let by_hand = by_hand(&token, &details, &owner.username, &place);
    place
        .store(&secret)
        .map_err(|unstored| lost_its_place(unstored, setting, &said, &by_hand))?;
    failpoint::pass("after_storing");
    let expiry = TokenExpiry {
        token: setting,
        on: expires_at,
    };
    output::note(&format!("the new token is stored: {expiry}"))?;
    let is_read = token.gitlab.read_token.is_some();
    token.hold(secret, is_read);
    Ok((gitlab::Client::new(&token.gitlab, None)?, owner))
}

/// With the new token alone.
async fn prove(fresh: &gitlab::Client, owner: &gitlab::CurrentUser) -> Result<(), CommandFailure> {
    let said = fresh.current_user().await.map_err(|error| {
        let failure = CommandFailure::from(error.clone());
        let text = "the new token is stored, but it is not proved to work";
        CommandFailure::new(failure.exit(), anyhow::Error::new(error).context(text))
    })?;
    if said.id != owner.id {
        return Err(anyhow::anyhow!(
            "the new token is stored, and it is of another account: {} ({})",
            said.username,
            said.id
        )
        .into());
    }
    Ok(output::note("GitLab accepts the new token")?)
}

/// What a person does where the new token is not known.
fn by_hand(
    token: &CurrentToken,
    details: &TokenDetails,
    owner: &str,
    place: &TokenPlace,
) -> String {
    let name = details.name.as_deref().unwrap_or("the same name");
    format!(
        "in GitLab make a new token of {owner} with the scopes {} ({BY_HAND}), put it into {place} as {}, and then revoke the \
         token {name:?} there",
        details.scopes.join(", "),
        token.setting
    )
}

fn unrotated(error: RotationError, setting: &str, by_hand: &str) -> CommandFailure {
    match error {
        RotationError::Refused(error) => {
            let exit = CommandFailure::from(error.clone()).exit();
            let text = format!("nothing was rotated, {setting} is as it was");
            CommandFailure::new(exit, anyhow::Error::new(error).context(text))
        }
        RotationError::Dead(error) => CommandFailure::new(
            ExitReason::Failed,
            anyhow::Error::new(error).context(format!(
                "{setting} is not good any more. Somebody else may have rotated it in this moment, and GitLab has then revoked \
                 their new token: {by_hand}"
            )),
        ),
        RotationError::Lost(error) => CommandFailure::new(
            ExitReason::Failed,
            anyhow::anyhow!("{}", error.what()).context(format!(
                "{setting} may have been rotated, and the new token is not known. Do not run this again: GitLab would revoke \
                 the new token. By hand: {by_hand}"
            )),
        ),
    }
}

fn lost_its_place(unstored: Unstored, setting: &str, place: &str, by_hand: &str) -> CommandFailure {
    let text = match unstored.stands_in {
        Some(path) => format!(
            "{setting} was rotated, and the new token could not be put into {place}. It stands in {}, which only you can read: \
             move it from there to {place}",
            path.display()
        ),
        None => format!(
            "{setting} was rotated, and the new token could be stored nowhere. Do not run this again. By hand: {by_hand}"
        ),
    };
    CommandFailure::new(
        ExitReason::Failed,
        anyhow::Error::new(unstored.source).context(text),
    )
}
