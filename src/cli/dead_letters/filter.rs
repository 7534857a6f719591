//! Which dead letters, as it is said on the command line.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::{SignedDuration, Timestamp};

use crate::{
    cli::{CommandFailure, common::age::age},
    messaging::{DeadLetterReason, Stage, dead_letters::Selection, dead_letters::Why},
};

/// Which dead letters a command acts on. That nothing is said never means all of them.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct SelectionArgs {
    /// These, by id
    ids: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// All dead letters, of every topic
    #[arg(long)]
    all: bool,
}

impl SelectionArgs {
    /// The selection it stands for at `now`.
    ///
    /// # Errors
    /// When nothing is selected, or `--all` stands beside what would narrow it.
    pub(super) fn selection(
        &self,
        action: &str,
        now: Timestamp,
    ) -> Result<Selection, CommandFailure> {
        let selection = self.filter.selection(self.ids.clone(), now);
        match (selection.is_everything(), self.all) {
            (true, true) | (false, false) => Ok(selection),
            (true, false) => Err(CommandFailure::usage(format!(
                "{action} needs ids or a filter, or --all for all dead letters: see \
                 `dead-letters {action} --help`, and `dead-letters list` for those that exist"
            ))),
            (false, true) => Err(CommandFailure::usage(format!(
                "--all selects all dead letters: leave it out to {action} those of the ids or the filter"
            ))),
        }
    }
}

/// Every flag narrows the selection; one that may be repeated widens itself.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct FilterArgs {
    /// Only those that were published to this topic; may be repeated
    #[arg(long, value_name = "TOPIC", value_parser = topics())]
    topic: Vec<Stage>,
    /// Only those that died of this, or forwarded for those that Pub/Sub itself gave up; may be
    /// repeated
    #[arg(long, value_name = "REASON", value_parser = reasons())]
    reason: Vec<Why>,
    /// Only those about this CRSid, username or GitLab id, as it stands in the message
    #[arg(long, value_name = "WHO")]
    user: Option<String>,
    /// Only those about this namespace id
    #[arg(long, value_name = "ID")]
    namespace: Option<String>,
    /// Only those that died longer ago than this, such as 90m, 12h or 3d
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<SignedDuration>,
    /// Only those that died since, such as 90m, 12h or 3d ago
    #[arg(long, value_name = "AGE", value_parser = age)]
    newer_than: Option<SignedDuration>,
    /// Only those that died at least this many times
    #[arg(long, value_name = "N")]
    min_deaths: Option<u32>,
}

impl FilterArgs {
    /// The selection it stands for at `now`, of `ids` if any are named.
    pub(super) fn selection(&self, ids: Vec<String>, now: Timestamp) -> Selection {
        Selection {
            ids: ids.into_iter().collect(),
            stages: self.topic.clone(),
            causes: self.reason.clone(),
            user: self.user.clone(),
            namespace: self.namespace.clone(),
            before: self.older_than.and_then(|age| now.checked_sub(age).ok()),
            since: self.newer_than.and_then(|age| now.checked_sub(age).ok()),
            min_deaths: self.min_deaths,
        }
    }
}

fn topics() -> impl TypedValueParser<Value = Stage> {
    let names = Stage::ALL.map(|stage| stage.topic().as_str());
    let stage = |name: String| {
        Stage::ALL
            .into_iter()
            .find(|stage| stage.topic().as_str() == name)
    };
    PossibleValuesParser::new(names).try_map(move |name| stage(name).ok_or("no such topic"))
}

fn reasons() -> impl TypedValueParser<Value = Why> {
    let reasons = DeadLetterReason::ALL.into_iter().map(Why::Reason);
    let names = reasons
        .chain([Why::Forwarded, Why::Unstated])
        .map(Why::as_str);
    PossibleValuesParser::new(names).try_map(|name| Why::parse(&name).ok_or("no such reason"))
}
