//! `history`: who was blocked and unblocked, when, why, and by which run. Writes nothing, publishes
//! nothing and acks nothing.

mod gather;
mod line;
mod summary;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use self::{gather::HistorySources, line::HistoryLine, summary::summarise};
use super::{
    CommandFailure,
    common::{
        age::age,
        failure::ExitReason,
        output::{self, OutputFormat},
        stopping::stopping_in_order,
        target,
    },
};
use crate::{
    app::{clients::GitLabReader, context::ProcessContext},
    config::HistoryConfig,
    messaging::wire::Who,
    upstream::CallError,
    users::{
        account::AccountId,
        history::{HistoryFilter, ServiceAccounts},
        resolve::{Resolution, resolve},
    },
};

/// What is shown of all accounts where nothing else was asked for.
const USUAL: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Shows who was blocked and unblocked, when, why, by which run, and what people did in between
///
/// The newest is first, times are UTC. It is told by GitLab's records on the accounts, by GitLab's
/// audit events where it has a licence for them, and by the outcomes that the service keeps. Of one
/// account everything is shown, of all of them the last seven days.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lookup-gitlab-sync history spqr1\n  lookup-gitlab-sync history --since 36h --output csv"
)]
pub struct HistoryArgs {
    /// A CRSid, a username or a GitLab id; all accounts where it is left out
    #[arg(value_parser = target::parse)]
    who: Option<Who>,
    /// Only what happened since, such as 90m, 36h or 7d ago
    #[arg(long, value_name = "AGE", value_parser = age)]
    since: Option<SignedDuration>,
    /// Only what this run of the service did
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl HistoryArgs {
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        stopping_in_order(async |stopping| self.show(context, stopping).await).await
    }

    async fn show(
        &self,
        context: &ProcessContext,
        stopping: &CancellationToken,
    ) -> Result<(), CommandFailure> {
        let config: HistoryConfig = context.start(false)?;
        let GitLabReader { gitlab, rules } = GitLabReader::new(&config)?;
        let own = AccountId(gitlab.current_user().await?.id);
        let account = match &self.who {
            None => None,
            Some(who) => Some(only_account(
                who,
                resolve(who, own, &gitlab, &rules.classes).await,
            )?),
        };
        let filter = self.filter(account, Timestamp::now());
        let service = ServiceAccounts {
            own,
            former: rules.former,
        };
        let since = filter.since;
        let mut sources = HistorySources::new(gitlab, service, filter, self.output);
        tokio::select! {
            biased;
            () = stopping.cancelled() => return Err(CommandFailure::interrupted()),
            read = sources.read_gitlab() => read?,
        }
        sources
            .read_outcomes(config.pubsub.as_ref(), stopping)
            .await;
        let (entries, reports) = sources.merged();
        let lines: Vec<_> = entries.iter().map(HistoryLine::from).collect();
        output::print(self.output, &lines)?;
        Ok(summarise(self.output, &entries, since, reports)?)
    }

    fn filter(&self, account: Option<AccountId>, now: Timestamp) -> HistoryFilter {
        let narrowed = account.is_some() || self.run.is_some();
        let since = self.since.or((!narrowed).then_some(USUAL));
        HistoryFilter {
            since: since.and_then(|age| now.checked_sub(age).ok()),
            run: self.run.clone(),
            account,
        }
    }
}

/// The account that `who` is, whatever kind of account.
fn only_account(
    who: &Who,
    resolution: Result<Resolution, CallError>,
) -> Result<AccountId, CommandFailure> {
    let failed =
        |message: String| CommandFailure::new(ExitReason::Failed, anyhow::anyhow!("{message}"));
    match resolution? {
        Resolution::One(id) | Resolution::NotHuman(id) => Ok(id),
        Resolution::Nobody => Err(failed(format!(
            "no account in GitLab is {}",
            target::show(who)
        ))),
        Resolution::Several(ids) => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            Err(failed(format!(
                "several accounts are {}: ask for one of {}",
                target::show(who),
                ids.join(", ")
            )))
        }
    }
}
