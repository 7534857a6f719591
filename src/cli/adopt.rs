//! `adopt`: makes the blocks of an earlier service this service's own.

mod line;

use jiff::{civil::Date, tz::TimeZone};

use self::line::{AdoptionLine, AdoptionSummary};
use super::{
    CommandFailure,
    common::{
        output::{self, OutputFormat},
        progress::{WorkProgress, reading_gitlab},
        values::{account_id, day},
        write_switch::writes_when,
    },
};
use crate::{
    app::context::ProcessContext,
    config::{Config, DirectoryConfig, GitLabConfig, Mode, PubSubConfig},
    gitlab::{self, WritePermit},
    messaging::RunId,
    upstream::CallError,
    users::{
        account::AccountId,
        adoption::{Adopter, AdoptionRequest, AdoptionSurvey},
        marker::{EXEMPT_KEY, MARKER_KEY},
        ownership::{BLOCKED_BY_KEY, UNBLOCKED_BY_KEY},
        rules::Rules,
    },
};

/// What is believed, and what it rests on.
const TRUST: &str = "adopt trusts GitLab's custom attribute blocked_by: any administrator can overwrite it, and a call with \
     sudo names another account than the one that called; --before leaves what was blocked since a given day";

/// So many accounts in a row at which GitLab fails are no accident.
const FAILURES: u32 = 3;

/// Makes the blocks of an earlier service this service's own, by marking them, so that they are
/// lifted where the directory calls for it
///
/// Changes no account's state. Never adopted are blocks that a person has lifted since, or in the same second; bans; what
/// LDAP, SAML or SCIM blocked; and blocks that GitLab has no record of, unless --custom-attribute names the earlier
/// service's own mark. Run it with --dry-run first. Exit code 3 where it would adopt more
/// than the maximum of blocks of the guard, 1 where an account could not be marked.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lookup-gitlab-sync adopt --blocked-by 17 --before 2026-09-01 --dry-run"
)]
pub struct AdoptArgs {
    /// The id of an account that the earlier service used; also this service's own, if the token was the same
    #[arg(long, value_name = "ID", num_args = 1.., required_unless_present = "custom_attribute",
          value_parser = account_id)]
    blocked_by: Vec<u64>,
    /// The custom attribute by which the earlier service marked its blocks: adopts those that GitLab has no record of
    #[arg(long, value_name = "KEY", value_parser = attribute)]
    custom_attribute: Option<String>,
    /// Leave what was blocked on this day or later, such as the day on which SCIM or LDAP was switched on
    #[arg(long, value_name = "DATE", value_parser = day)]
    before: Option<Date>,
    /// Say what would be adopted, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Also list the blocked accounts that were not asked for
    #[arg(long)]
    all: bool,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

/// GitLab's account and the rules; Lookup has no part in it, and Pub/Sub only tells of a pause.
type AdoptionConfig = Config<GitLabConfig, Option<DirectoryConfig>, Option<PubSubConfig>>;

impl AdoptArgs {
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        let config: AdoptionConfig = context.start(false)?;
        let mode = if self.dry_run {
            Mode::DryRun
        } else {
            config.mode
        };
        let writes_when = writes_when(mode, config.pubsub.as_ref()).await?;
        let gitlab = gitlab::Client::new(&config.gitlab, writes_when)?;
        let rules = Rules::new(&config.users, &config.guard)?;
        let own = AccountId(gitlab.current_user().await?.id);
        let request = self.request()?;
        let permit = gitlab.permit(self.dry_run);
        check_recognised(&request, own, &rules, permit.is_some())?;
        let run = RunId::new();
        let adopter = Adopter {
            request: &request,
            own,
            rules: &rules,
            run: run.as_str(),
        };
        output::note(TRUST)?;
        let survey = survey(&adopter, &gitlab.for_reading(&config.gitlab)?, self.output).await?;
        let limit = u64::from(config.guard.max_blocks);
        let is_allowed = |_: &&WritePermit| survey.adoptable.len() as u64 <= limit;
        let (lines, failure) = match permit.as_ref().filter(is_allowed) {
            Some(permit) => adopt(&adopter, &survey, &gitlab, permit, self.output).await,
            None => (untouched(&survey), None),
        };
        let summary = AdoptionSummary::of(&survey, &lines, permit.is_none(), run.as_str());
        summary.print(self.output, &self.listed(&survey, lines))?;
        failure.map_or_else(|| summary.verdict(limit), Err)
    }

    fn request(&self) -> Result<AdoptionRequest, CommandFailure> {
        let before = match self.before {
            Some(day) => Some(day.to_zoned_datetime(TimeZone::UTC)?.timestamp()),
            None => None,
        };
        Ok(AdoptionRequest {
            blocked_by: self.blocked_by.iter().copied().map(AccountId).collect(),
            mark: self.custom_attribute.clone(),
            before,
        })
    }

    /// What became of the blocks, and the blocks that were asked for in vain; with `--all` all
    /// others, too.
    fn listed(&self, survey: &AdoptionSurvey, lines: Vec<AdoptionLine>) -> Vec<AdoptionLine> {
        let left = survey.left.iter();
        let left = left.filter(|(_, reason)| self.all || reason.is_about_what_was_asked());
        let left = left.map(|(account, reason)| AdoptionLine::left(account, reason));
        let mut lines: Vec<_> = lines.into_iter().chain(left).collect();
        lines.sort_by_key(|line| line.id);
        lines
    }
}

/// The first look, with progress that counts accounts.
async fn survey(
    adopter: &Adopter<'_>,
    reader: &gitlab::Client,
    output: OutputFormat,
) -> Result<AdoptionSurvey, CallError> {
    let progress = WorkProgress::told(output, "reading GitLab");
    let told = |pages, accounts| {
        progress.reach(accounts);
        progress.tell(reading_gitlab(pages, accounts));
    };
    adopter.survey(reader, &told).await
}

fn untouched(survey: &AdoptionSurvey) -> Vec<AdoptionLine> {
    let adoptable = survey.adoptable.iter();
    adoptable
        .map(|(account, block)| AdoptionLine::untouched(account, block))
        .collect()
}

/// Marks one account after the other. An account that GitLab fails at is its own matter; where
/// GitLab fails as a whole, the rest is left for another time.
async fn adopt(
    adopter: &Adopter<'_>,
    survey: &AdoptionSurvey,
    gitlab: &gitlab::Client,
    permit: &WritePermit,
    output: OutputFormat,
) -> (Vec<AdoptionLine>, Option<CommandFailure>) {
    let total = survey.adoptable.len() as u64;
    let progress = WorkProgress::counted(output, "blocks", Some(total));
    let mut lines = Vec::new();
    let mut failure = None;
    let mut failed_in_a_row = 0;
    for (account, block) in &survey.adoptable {
        let outcome = adopter.adopt(account.id, gitlab, permit).await;
        lines.push(AdoptionLine::tried(account, block, &outcome));
        progress.advance();
        failed_in_a_row = outcome.as_ref().map_or(failed_in_a_row + 1, |_| 0);
        if let Err(error) = outcome
            && (failed_in_a_row == FAILURES || !is_about_one(&error, gitlab).await)
        {
            failure = Some(error.into());
            break;
        }
    }
    (lines, failure)
}

/// Whether GitLab may fail at this account alone. A call that was not sent met a closed gate.
async fn is_about_one(error: &CallError, gitlab: &gitlab::Client) -> bool {
    error.was_sent() && gitlab.current_user().await.is_ok()
}

/// A marker beside the block of an account that is not recognised is without effect, so none is
/// written.
fn check_recognised(
    request: &AdoptionRequest,
    own: AccountId,
    rules: &Rules,
    writes: bool,
) -> Result<(), CommandFailure> {
    let unknown = |id: &&AccountId| **id != own && !rules.recognises(**id);
    let unknown: Vec<_> = request.blocked_by.iter().filter(unknown).copied().collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let advice = format!(
        "set users.predecessors = {} for this command and for the service first: it recognises a block by the account that \
         made it",
        line::list(&unknown)
    );
    if writes {
        return Err(CommandFailure::usage(advice));
    }
    Ok(output::note(&advice)?)
}

/// A key of a custom attribute that can be an earlier service's.
fn attribute(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("it names no custom attribute".to_owned());
    }
    if [MARKER_KEY, EXEMPT_KEY].contains(&text) {
        return Err("it is this service's own attribute".to_owned());
    }
    if [BLOCKED_BY_KEY, UNBLOCKED_BY_KEY].contains(&text) {
        return Err("it is GitLab's own record, which --blocked-by reads".to_owned());
    }
    Ok(text.to_owned())
}
