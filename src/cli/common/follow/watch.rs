//! Collects the outcomes of a run and decides when it has ended.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    time::Duration,
};

use serde::Serialize;

use super::{named::NamedOutcome, progress::RunProgress};
use crate::{
    cli::{CommandFailure, common::output::OutputRow},
    messaging::{
        DeadLetterReason, Stage,
        wire::{OutcomeKind, OutcomeResult, SyncOutcome},
    },
};

/// How long nothing may come before what is missing is given up.
const SILENCE: Duration = Duration::from_mins(1);
/// The same after a run said that it reads or is held. It says so at least every half minute; a
/// page may take one, is asked for again a few times, and a stage that ended is started again.
const SILENCE_OF_A_RUN_AT_WORK: Duration = Duration::from_mins(5);

/// What has come of a run so far. One subject counts once, however often its outcome comes.
#[derive(Debug)]
pub struct RunWatch {
    awaited: AwaitedOutcomes,
    subjects: HashSet<CountedSubject>,
    ends: BTreeMap<(String, String, String), u64>,
    /// Those that a person wants to see by name: whoever was changed or was to be, and what failed;
    /// each with its place among the messages that are awaited.
    named: Vec<(Option<usize>, NamedOutcome)>,
    /// Whom GitLab has no account of, by their places.
    nobody: BTreeMap<usize, String>,
    /// Changes that have come to their end.
    changed: u64,
    dead: u64,
    /// Changes that were due, and not made because of dry run.
    withheld: u64,
    /// What the run last said of itself, until something of it comes to an end.
    progress: Option<RunProgress>,
    /// How the run itself ended, if it has.
    run: Option<RunEnd>,
}

/// A message that a command published.
#[derive(Clone, Debug)]
pub struct RequestedMessage {
    /// Pub/Sub's id.
    pub id: String,
    /// Whom it is about.
    pub about: String,
}

/// What there is to wait for.
#[derive(Debug)]
enum AwaitedOutcomes {
    /// As many accounts as the run's own record will say.
    Run,
    /// These messages, in the order in which they were asked for.
    Messages(Vec<RequestedMessage>),
}

/// What outcomes are counted by: a user's, by account; a dead letter that names none, by message.
#[derive(Debug, PartialEq, Eq, Hash)]
enum CountedSubject {
    Account(u64),
    Message(String),
}

/// How a tick ended.
#[derive(Debug)]
enum RunEnd {
    Started { messages: u64, changes: u64 },
    Coalesced,
    Refused { reason: String, detail: String },
}

impl RunWatch {
    /// Waits for a run that starts with one tick.
    pub fn run() -> Self {
        Self::new(AwaitedOutcomes::Run)
    }

    /// Waits for single messages, and tells of them in this order.
    pub fn messages(messages: Vec<RequestedMessage>) -> Self {
        Self::new(AwaitedOutcomes::Messages(messages))
    }

    fn new(awaited: AwaitedOutcomes) -> Self {
        Self {
            awaited,
            subjects: HashSet::new(),
            ends: BTreeMap::new(),
            named: Vec::new(),
            nobody: BTreeMap::new(),
            changed: 0,
            dead: 0,
            withheld: 0,
            progress: None,
            run: None,
        }
    }

    /// Takes in one outcome.
    pub fn see(&mut self, outcome: &SyncOutcome) {
        self.progress = RunProgress::of(outcome);
        if self.progress.is_some() {
            return;
        }
        match outcome.known_kind() {
            Some(OutcomeKind::RunStarted) => {
                let count = |field: Option<u64>| field.unwrap_or(0);
                self.run = Some(RunEnd::Started {
                    messages: count(outcome.messages),
                    changes: count(outcome.blocks).saturating_add(count(outcome.unblocks)),
                });
            }
            Some(OutcomeKind::Coalesced) => self.run = Some(RunEnd::Coalesced),
            _ if outcome.stage.as_deref() == Some(Stage::FanOut.as_str()) => {
                self.see_dead_tick(outcome);
            }
            _ => self.see_user(outcome),
        }
    }

    fn see_dead_tick(&mut self, outcome: &SyncOutcome) {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        if outcome.dead_letter_reason.is_some() {
            let (reason, detail) = (text(&outcome.dead_letter_reason), text(&outcome.detail));
            self.run = Some(RunEnd::Refused { reason, detail });
        }
    }

    fn see_user(&mut self, outcome: &SyncOutcome) {
        let message = || CountedSubject::Message(outcome.message_id.clone().unwrap_or_default());
        let subject = match (&self.awaited, outcome.gitlab_user_id) {
            (AwaitedOutcomes::Run, Some(id)) => CountedSubject::Account(id),
            (AwaitedOutcomes::Run, None) | (AwaitedOutcomes::Messages(_), _) => message(),
        };
        if !self.subjects.insert(subject) {
            return;
        }
        let asked = self.asked(outcome);
        if let Some((place, about)) = asked
            && outcome.known_result() == Some(OutcomeResult::Gone)
        {
            self.nobody.insert(place, about.to_owned());
        }
        let place = self.place(outcome);
        if outcome.known_result() == Some(OutcomeResult::DryRun) {
            self.withheld += 1;
        }
        let text = |field: &Option<String>| field.clone().unwrap_or_else(|| "-".to_owned());
        let result = match &outcome.dead_letter_reason {
            Some(reason) => {
                self.dead += 1;
                format!("dead-lettered: {reason}")
            }
            None => text(&outcome.result),
        };
        let is_change = matches!(outcome.decision.as_deref(), Some("block" | "unblock"));
        self.changed += u64::from(is_change);
        let is_asked_for = matches!(self.awaited, AwaitedOutcomes::Messages(_));
        if is_change || is_asked_for || outcome.known_result() != Some(OutcomeResult::Unchanged) {
            self.named.push((place, NamedOutcome::of(outcome, &result)));
        }
        *self
            .ends
            .entry((text(&outcome.decision), text(&outcome.reason), result))
            .or_default() += 1;
    }

    /// Which of the messages that are awaited came to its end with `outcome`.
    pub fn place(&self, outcome: &SyncOutcome) -> Option<usize> {
        self.asked(outcome).map(|(place, _)| place)
    }

    /// The same, with whom the message is about.
    fn asked(&self, outcome: &SyncOutcome) -> Option<(usize, &str)> {
        let AwaitedOutcomes::Messages(messages) = &self.awaited else {
            return None;
        };
        if RunProgress::of(outcome).is_some() {
            return None;
        }
        let id = outcome.message_id.as_deref()?;
        let mut messages = messages.iter().enumerate();
        messages
            .find(|(_, message)| message.id == id)
            .map(|(place, message)| (place, message.about.as_str()))
    }

    /// How many subjects there are in all, as soon as that is known.
    pub fn total(&self) -> Option<u64> {
        match (&self.awaited, &self.run) {
            (AwaitedOutcomes::Messages(messages), _) => Some(messages.len() as u64),
            (AwaitedOutcomes::Run, Some(RunEnd::Started { messages, .. })) => Some(*messages),
            (AwaitedOutcomes::Run, Some(RunEnd::Coalesced | RunEnd::Refused { .. })) => Some(0),
            (AwaitedOutcomes::Run, None) => None,
        }
    }

    /// How many have come.
    pub fn seen(&self) -> u64 {
        self.subjects.len() as u64
    }

    /// What of the work has come and how much there is of it, as soon as that is known: of a run
    /// its changes, which are what takes time and what a person waits for; of single messages all
    /// of them.
    pub fn work(&self) -> Option<(u64, u64)> {
        match (&self.awaited, &self.run) {
            (AwaitedOutcomes::Messages(messages), _) => Some((self.seen(), messages.len() as u64)),
            (AwaitedOutcomes::Run, Some(RunEnd::Started { changes, .. })) => {
                Some((self.changed.min(*changes), *changes))
            }
            (AwaitedOutcomes::Run, Some(RunEnd::Coalesced | RunEnd::Refused { .. }) | None) => None,
        }
    }

    /// What the work is called.
    pub const fn work_label(&self) -> &'static str {
        match self.awaited {
            AwaitedOutcomes::Run => "changes",
            AwaitedOutcomes::Messages(_) => "messages",
        }
    }

    /// Of a run, how many accounts there are in all, as soon as that is known.
    pub fn run_total(&self) -> Option<u64> {
        match self.awaited {
            AwaitedOutcomes::Run => self.total(),
            AwaitedOutcomes::Messages(_) => None,
        }
    }

    /// What the run says of itself, if nothing of it has come to an end since.
    pub const fn progress(&self) -> Option<&RunProgress> {
        self.progress.as_ref()
    }

    /// How long nothing may come from now on.
    pub const fn longest_silence(&self) -> Duration {
        match self.progress {
            None => SILENCE,
            Some(_) => SILENCE_OF_A_RUN_AT_WORK,
        }
    }

    /// Whether another run's sweep has done its work.
    pub const fn is_coalesced(&self) -> bool {
        matches!(self.run, Some(RunEnd::Coalesced))
    }

    /// Whether everything has come.
    pub fn is_complete(&self) -> bool {
        self.total().is_some_and(|total| self.seen() >= total)
    }

    /// What has not come, in words.
    pub fn missing(&self) -> String {
        match (&self.awaited, self.total()) {
            (AwaitedOutcomes::Messages(messages), _) => {
                let came = |id: &str| {
                    self.subjects
                        .contains(&CountedSubject::Message(id.to_owned()))
                };
                let mut missing: Vec<&str> = messages
                    .iter()
                    .filter(|message| !came(&message.id))
                    .map(|message| message.about.as_str())
                    .collect();
                missing.dedup();
                missing.join(", ")
            }
            (AwaitedOutcomes::Run, Some(total)) => {
                format!("{} of {total} accounts", total.saturating_sub(self.seen()))
            }
            (AwaitedOutcomes::Run, None) if self.progress.is_some() => {
                "the rest of the run".to_owned()
            }
            (AwaitedOutcomes::Run, None) => "the run itself: is a fan-out running?".to_owned(),
        }
    }

    /// Why GitLab is as it was, where dry run is the reason. `asked`: by this very command.
    pub fn dry_run(&self, asked: bool) -> Option<String> {
        let changes = match self.withheld {
            0 => return None,
            1 => "1 change was".to_owned(),
            many => format!("{many} changes were"),
        };
        let remedy = if asked {
            "as --dry-run asked for"
        } else {
            "to have such changes made, serve with mode = \"apply\" or LOOKUP_GITLAB_SYNC__MODE=apply"
        };
        Some(format!("{changes} withheld by dry run: {remedy}"))
    }

    /// Whoever was changed or was to be, and what failed, as it came; of single messages all, in the
    /// order in which they were asked for.
    pub fn named(&self) -> Vec<&NamedOutcome> {
        let mut named: Vec<_> = self.named.iter().collect();
        named.sort_by_key(|(place, _)| place.unwrap_or(usize::MAX));
        named.into_iter().map(|(_, named)| named).collect()
    }

    /// How many ended how, in words.
    pub fn in_words(&self) -> String {
        let mut words = match self.seen() {
            1 => "1 account is finished".to_owned(),
            many => format!("{many} accounts are finished"),
        };
        for ((decision, reason, result), accounts) in &self.ends {
            // Memory does not fail to be written.
            let _ = write!(words, "\n  {accounts:>7}  {decision} ({reason}): {result}");
        }
        words
    }

    /// How many ended how.
    pub fn lines(&self) -> Vec<RunEndCount> {
        let line = |((decision, reason, result), accounts): (&(String, String, String), &u64)| {
            RunEndCount {
                kind: "summary",
                accounts: *accounts,
                decision: decision.clone(),
                reason: reason.clone(),
                result: result.clone(),
            }
        };
        self.ends.iter().map(line).collect()
    }

    /// Whether it all went well.
    pub fn verdict(&self) -> Result<(), CommandFailure> {
        match &self.run {
            Some(RunEnd::Refused { reason, detail })
                if reason == DeadLetterReason::GuardRefused.as_str() =>
            {
                Err(CommandFailure::guard_refused(format!(
                    "the guard refused this run: {detail}"
                )))
            }
            Some(RunEnd::Refused { reason, detail }) => {
                Err(anyhow::anyhow!("the tick was dead-lettered ({reason}): {detail}").into())
            }
            Some(RunEnd::Started { .. } | RunEnd::Coalesced) | None => self.verdict_of_messages(),
        }
    }

    /// Whether each message came to a good end. One that was asked for by a name that nobody has
    /// did not.
    fn verdict_of_messages(&self) -> Result<(), CommandFailure> {
        let nobody: Vec<&str> = self.nobody.values().map(String::as_str).collect();
        let nobody = (!nobody.is_empty())
            .then(|| format!("no account in GitLab is {}", nobody.join(", nor ")));
        let dead = (self.dead > 0).then(|| format!("{} messages were dead-lettered", self.dead));
        let bad: Vec<String> = dead.into_iter().chain(nobody).collect();
        if bad.is_empty() {
            return Ok(());
        }
        Err(anyhow::anyhow!("{}", bad.join("; ")).into())
    }
}

/// One line of the summary.
#[derive(Serialize)]
pub struct RunEndCount {
    kind: &'static str,
    accounts: u64,
    decision: String,
    reason: String,
    result: String,
}

impl OutputRow for RunEndCount {
    const COLUMNS: &'static [&'static str] = &["accounts", "decision", "reason", "result"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.accounts.to_string(),
            self.decision.clone(),
            self.reason.clone(),
            self.result.clone(),
        ]
    }
}

#[cfg(test)]
mod tests;
