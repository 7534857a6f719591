//! The demo, act by act: real messages, over real HTTP and gRPC.

use std::{
    collections::BTreeMap,
    io,
    time::{Duration, Instant},
};

use simulator::{
    control::Control,
    gitlab::UserState,
    population::{Mismatch, Population},
    servers::SimulatedServers,
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::report::{ChangedAccount, DemoReport, DemoResync, DemoRun, PoisonedLetter};
use crate::{
    cli::{
        CommandFailure,
        common::{
            follow::{FollowBar, RequestedMessage, RunWatch, to_the_end},
            output::{self, OutputFormat},
        },
    },
    directory::Crsid,
    messaging::{
        Connection, DeadLetterReason, Follow, RunId, Topic, Traceparent, attributes,
        dead_letters::{ReplayOptions, Seen, Selection, list, replay},
        wire::{Cause, OutcomeResult, SyncOutcome, SyncTick, UserRequest, Who},
    },
};

/// How long a dead letter is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many changes are shown.
const SHOWN: usize = 8;
/// Not a CRSid, and so nobody.
const POISON: &str = r#"{"crsid":"Robert'); DROP TABLE users;--"}"#;

/// What a person does after this.
const NEXT: &str = "
Try next:
   lookup-gitlab-sync simulate --env-file sim.env   the same servers for every other command
   lookup-gitlab-sync demo --namespaces             the pipeline of purchases, on PostgreSQL
   lookup-gitlab-sync plan                          what a run would change in your own GitLab";

/// Everything that the acts play on.
pub struct DemoScenario<'a> {
    /// Who there is, and how each must end.
    pub population: &'a Population,
    /// The servers.
    pub servers: &'a SimulatedServers,
    /// Pub/Sub, as an operator sees it.
    pub connection: &'a Connection,
    /// Whether it is told to a person as it goes.
    pub narrated: bool,
}

impl DemoScenario<'_> {
    pub fn introduce(&self) -> io::Result<()> {
        let counts = self.population.counts();
        self.say(&format!(
            "{} accounts in a simulated GitLab at {}, {} people in a simulated Lookup,\nand a Pub/Sub of our own. Nothing outside this process is touched.\nGitLab's answers cost nothing here; `simulate --gitlab-cost real` shows what a real one takes.",
            counts.accounts,
            self.servers.gitlab.url(),
            counts.people
        ))
    }

    pub async fn first_tick(&self) -> Result<DemoRun, CommandFailure> {
        self.say(
            "\n1. A tick: everything is read, every account decided, each change looked at again\n",
        )?;
        let run = self.tick().await?;
        self.say(&summary(&run))?;
        if self.narrated {
            let shown: Vec<ChangedAccount> = run.changes.iter().take(SHOWN).cloned().collect();
            output::print(OutputFormat::Table, &shown)?;
        }
        let more = run.changes.len().saturating_sub(SHOWN);
        if more > 0 {
            self.say(&format!(" … and {more} more"))?;
        }
        Ok(run)
    }

    pub async fn second_tick(&self) -> Result<DemoRun, CommandFailure> {
        self.say("\n2. A second tick: there is nothing left to do\n")?;
        let run = self.tick().await?;
        self.say(&summary(&run))?;
        Ok(run)
    }

    /// Compares every account with the end that the population's generator wrote down for it.
    pub fn check_end(&self) -> io::Result<Vec<Mismatch>> {
        if self.population.expected().is_empty() {
            return Ok(Vec::new());
        }
        let mismatches = self.population.check(&self.servers.gitlab.snapshot());
        let checked = self.population.expected().len();
        self.say(&format!(
            "   {} of {checked} accounts are as they must be",
            checked - mismatches.len()
        ))?;
        Ok(mismatches)
    }

    /// Somebody whom the first tick blocked is a member again.
    pub async fn a_person_returns(
        &self,
        first: &DemoRun,
    ) -> Result<Option<DemoResync>, CommandFailure> {
        let blocked =
            |changed: &&ChangedAccount| changed.decision == "block" && changed.crsid.is_some();
        let Some(changed) = first.changes.iter().find(blocked) else {
            return Ok(None);
        };
        let Some(crsid) = changed.crsid.as_deref().and_then(Crsid::parse) else {
            return Ok(None);
        };
        self.say(&format!(
            "\n3. {crsid} is a member again: a resync of one user\n"
        ))?;
        self.servers.lookup.set_cancelled(crsid.as_str(), false);
        let outcome = self.resync(crsid).await?;
        let account = self.servers.gitlab.account(changed.id);
        let active = account.is_some_and(|account| account.state == UserState::Active);
        let resync = DemoResync {
            crsid: crsid.to_string(),
            result: outcome.result,
            active,
        };
        let word = |field: Option<String>| field.unwrap_or_default();
        self.say(&format!(
            "   account {} ({}): {} ({}); it is {}active",
            changed.id,
            changed.username,
            word(outcome.decision),
            word(outcome.reason),
            if active { "" } else { "not " }
        ))?;
        Ok(Some(resync))
    }

    /// Nobody can be found by it: given up at its first delivery, listed, and given up again when
    /// it is replayed.
    pub async fn a_poisoned_message(&self) -> Result<PoisonedLetter, CommandFailure> {
        self.say(&format!("\n4. A poisoned message: {POISON}\n"))?;
        let users = self.connection.publisher(Topic::UserSync).await?;
        let attributes =
            attributes::for_message(RunId::new().as_str(), "user_sync", &Traceparent::new());
        users.publish_raw(POISON.into(), attributes).await?;
        let letter = self.letter_that_died(1).await?;
        let reason = letter
            .history
            .reason
            .map_or("none", DeadLetterReason::as_str)
            .to_owned();
        let detail = letter.history.detail.clone().unwrap_or_default();
        self.say(&format!(
            "   listed: dead letter {} ({reason}): {detail}",
            letter.id
        ))?;
        let selection = Selection::of_ids([letter.id]);
        let (options, stopping) = (ReplayOptions::new(), CancellationToken::new());
        let replayed = replay(self.connection, &selection, &options, &stopping, &|_| ())
            .await
            .replayed;
        let deaths = self.letter_that_died(2).await?.history.deaths;
        self.say(&format!(
            "   {replayed} replayed; it is still invalid, and is dead-lettered a second time"
        ))?;
        Ok(PoisonedLetter {
            body: POISON.to_owned(),
            reason,
            detail,
            replayed,
            deaths,
        })
    }

    /// The one dead letter, as soon as it has died `deaths` times.
    async fn letter_that_died(&self, deaths: u32) -> Result<Seen, CommandFailure> {
        let selection = Selection {
            min_deaths: Some(deaths),
            ..Selection::default()
        };
        let listed = async {
            loop {
                match list(self.connection, &selection).await?.as_slice() {
                    [] => sleep(Duration::from_millis(50)).await,
                    [letter] => return Ok(letter.clone()),
                    letters => {
                        return Err(anyhow::anyhow!(
                            "{} dead letters, where one was expected",
                            letters.len()
                        ));
                    }
                }
            }
        };
        Ok(timeout(PATIENCE, listed)
            .await
            .map_err(|_| anyhow::anyhow!("nothing was dead-lettered"))??)
    }

    pub fn conclude(&self, report: &DemoReport) -> Result<(), CommandFailure> {
        if report.verdict().is_ok() {
            self.say("\nEverything ended as expected.")?;
            self.say(NEXT)?;
        }
        Ok(())
    }

    async fn tick(&self) -> Result<DemoRun, CommandFailure> {
        let run_id = RunId::new();
        let outcomes = Follow::open(self.connection, &run_id).await?;
        let ticks = self.connection.publisher(Topic::SyncTick).await?;
        let calls = DemoCallCounts::counted(self.servers);
        let started = Instant::now();
        let attributes = attributes::for_message(run_id.as_str(), "sync_tick", &Traceparent::new());
        ticks.publish(&SyncTick::default(), attributes).await?;
        let mut changes = BTreeMap::new();
        let mut watch = RunWatch::run();
        let output = if self.narrated {
            OutputFormat::Table
        } else {
            OutputFormat::Json
        };
        let bar = FollowBar::new(output, &watch);
        to_the_end(outcomes, &mut watch, |watch, outcome| {
            changes.extend(changed(outcome).map(|changed| (changed.id, changed)));
            bar.show(watch);
            Ok(())
        })
        .await?;
        drop(bar);
        watch.verdict()?;
        Ok(run(
            &watch,
            changes.into_values().collect(),
            &calls.since(self.servers),
            started.elapsed(),
        ))
    }

    async fn resync(&self, crsid: Crsid) -> Result<SyncOutcome, CommandFailure> {
        let run_id = RunId::new();
        let outcomes = Follow::open(self.connection, &run_id).await?;
        let users = self.connection.publisher(Topic::UserSync).await?;
        let request = UserRequest {
            who: Who::Person(crsid),
            cause: Cause::Resync,
            dry_run: false,
            requested_by: Some("demo".to_owned()),
            reason: None,
        };
        let attributes = attributes::for_message(run_id.as_str(), "user_sync", &Traceparent::new());
        let message = users.publish(&request.to_wire(), attributes).await?;
        let mut watch = RunWatch::messages(vec![RequestedMessage {
            id: message,
            about: crsid.to_string(),
        }]);
        let mut last = SyncOutcome::default();
        to_the_end(outcomes, &mut watch, |_, outcome| {
            last = outcome.clone();
            Ok(())
        })
        .await?;
        Ok(last)
    }

    fn say(&self, text: &str) -> io::Result<()> {
        if self.narrated {
            output::say(text)
        } else {
            Ok(())
        }
    }
}

/// The change that an outcome tells of.
fn changed(outcome: &SyncOutcome) -> Option<ChangedAccount> {
    if outcome.known_result() != Some(OutcomeResult::Applied) {
        return None;
    }
    Some(ChangedAccount {
        id: outcome.gitlab_user_id?,
        username: outcome.username.clone()?,
        crsid: outcome.crsid.clone(),
        decision: outcome.decision.clone()?,
        reason: outcome.reason.clone()?,
    })
}

fn run(
    watch: &RunWatch,
    changes: Vec<ChangedAccount>,
    calls: &DemoCallCounts,
    took: Duration,
) -> DemoRun {
    let count = |decision: &str| {
        changes
            .iter()
            .filter(|changed| changed.decision == decision)
            .count() as u64
    };
    DemoRun {
        outcomes: watch.seen(),
        blocked: count("block"),
        unblocked: count("unblock"),
        gitlab_reads: calls.gitlab_reads,
        gitlab_writes: calls.gitlab_writes,
        lookup_calls: calls.lookup,
        milliseconds: took.as_millis(),
        changes,
    }
}

fn summary(run: &DemoRun) -> String {
    format!(
        "   {} outcomes in {} ms: {} blocked, {} unblocked\n   GitLab: {} reads and {} writes; Lookup: {} calls\n",
        run.outcomes,
        run.milliseconds,
        run.blocked,
        run.unblocked,
        run.gitlab_reads,
        run.gitlab_writes,
        run.lookup_calls
    )
}

/// What the servers were asked.
#[derive(Clone, Copy, Debug)]
struct DemoCallCounts {
    gitlab_reads: usize,
    gitlab_writes: usize,
    lookup: usize,
}

impl DemoCallCounts {
    fn counted(servers: &SimulatedServers) -> Self {
        let (gitlab, lookup): (&Control, &Control) =
            (servers.gitlab.control(), servers.lookup.control());
        Self {
            gitlab_reads: gitlab.count("GET", "*"),
            gitlab_writes: gitlab.writes(),
            lookup: lookup.count("*", "*"),
        }
    }

    fn since(self, servers: &SimulatedServers) -> Self {
        let now = Self::counted(servers);
        Self {
            gitlab_reads: now.gitlab_reads - self.gitlab_reads,
            gitlab_writes: now.gitlab_writes - self.gitlab_writes,
            lookup: now.lookup - self.lookup,
        }
    }
}
