//! Reading what each source tells.

use tokio_util::sync::CancellationToken;

use super::summary::{SourceReport, reported_error};
use crate::{
    app::clients::connect,
    cli::common::{
        output::OutputFormat,
        progress::{WorkProgress, reading_gitlab},
    },
    config::PubSubConfig,
    gitlab::{self, AuditScope, Listing, User},
    messaging::{HeldOutcomes, OUTCOME_HISTORY, OutcomeHistory, PubSubError},
    upstream::CallError,
    users::{
        account::AccountId,
        history::{
            AuditTrail, Authors, HistoryEntry, HistoryFilter, HistorySource, RecordedHistory,
            ServiceAccounts, merged, read_audit_events, recorded, reported,
        },
        observe,
    },
};

/// The sources, and what was read of them.
pub(super) struct HistorySources {
    gitlab: gitlab::Client,
    service: ServiceAccounts,
    filter: HistoryFilter,
    output: OutputFormat,
    entries: Vec<HistoryEntry>,
    reports: Vec<SourceReport>,
    authors: Authors,
}

/// What the accounts told, besides their entries.
#[derive(Default)]
struct Leftovers {
    /// Records that cannot be read.
    unreadable_records: usize,
    /// Accounts that GitLab cannot show.
    unreadable_accounts: usize,
}

impl HistorySources {
    pub(super) fn new(
        gitlab: gitlab::Client,
        service: ServiceAccounts,
        filter: HistoryFilter,
        output: OutputFormat,
    ) -> Self {
        Self {
            gitlab,
            service,
            filter,
            output,
            entries: Vec::new(),
            reports: Vec::new(),
            authors: Authors::default(),
        }
    }

    /// Reads the accounts and the audit events. That these cannot be had is no failure.
    pub(super) async fn read_gitlab(&mut self) -> Result<(), CallError> {
        let progress = WorkProgress::told(self.output, "reading GitLab");
        let read = self.read_accounts(&progress).await;
        if read.is_ok() {
            self.read_audit_events(&progress).await;
        }
        read
    }

    async fn read_accounts(&mut self, progress: &WorkProgress) -> Result<(), CallError> {
        let mut left = Leftovers::default();
        if let Some(AccountId(id)) = self.filter.account {
            if let Some(user) = self.gitlab.user(id).await? {
                self.take_account(&user, &mut left);
            }
        } else {
            self.read_listing(progress, &mut left).await?;
        }
        let notes = left.notes();
        self.report(HistorySource::GitLab, notes);
        Ok(())
    }

    async fn read_listing(
        &mut self,
        progress: &WorkProgress,
        left: &mut Leftovers,
    ) -> Result<(), CallError> {
        let (mut listing, mut pages, mut accounts) = (Listing::default(), 0, 0);
        while !listing.has_ended() {
            let batch = listing.next(&self.gitlab).await?;
            left.unreadable_accounts += batch.unreadable.len();
            pages += 1;
            accounts += batch.users.len() as u64;
            for user in &batch.users {
                self.take_account(user, left);
            }
            progress.reach(accounts);
            progress.tell(reading_gitlab(pages, accounts));
        }
        Ok(())
    }

    fn take_account(&mut self, user: &User, left: &mut Leftovers) {
        self.authors.insert(AccountId(user.id), &user.username);
        let account = observe::account(user);
        let RecordedHistory {
            entries,
            unreadable,
        } = recorded(&account, &self.service);
        left.unreadable_records += unreadable;
        let needed = entries
            .into_iter()
            .filter(|entry| self.filter.may_admit(entry));
        self.entries.extend(needed);
    }

    async fn read_audit_events(&mut self, progress: &WorkProgress) {
        let scope = AuditScope {
            account: self.filter.account.map(|AccountId(id)| id),
            since: self.filter.since,
        };
        let told = |pages| progress.tell(format!("reading GitLab's audit events, page {pages}"));
        progress.reach(0);
        told(1);
        let notes = match read_audit_events(&self.gitlab, scope, &told).await {
            Ok(trail) => self.take_trail(trail).await,
            Err(error) => vec![reported_error(&error)],
        };
        self.report(HistorySource::Audit, notes);
    }

    async fn take_trail(&mut self, trail: AuditTrail) -> Vec<String> {
        let (events, unreadable, complete) = match trail {
            AuditTrail::Unavailable(status) => {
                return vec![format!(
                    "none: GitLab answers {status}, it has them with a licence of Premium or Ultimate alone"
                )];
            }
            AuditTrail::Read {
                events,
                unreadable,
                complete,
            } => (events, unreadable, complete),
        };
        self.authors.look_up(&events, &self.gitlab).await;
        let own = self.service.own;
        let entries = events.iter().map(|event| self.authors.entry(event, own));
        let entries: Vec<HistoryEntry> = entries.collect();
        self.entries.extend(entries);
        let unreadable =
            (unreadable > 0).then(|| format!("left out, events that say too little: {unreadable}"));
        let cut = (!complete).then(|| {
            "reading was cut short, older events are missing: ask with a shorter --since, or for one account"
                .to_owned()
        });
        unreadable.into_iter().chain(cut).collect()
    }

    /// Reads the outcomes that the service keeps. That these cannot be had is no failure.
    pub(super) async fn read_outcomes(
        &mut self,
        config: Option<&PubSubConfig>,
        stopping: &CancellationToken,
    ) {
        let notes = match config {
            None => vec!["none: no project is configured (GOOGLE_CLOUD_PROJECT)".to_owned()],
            Some(config) => match self.held_outcomes(config, stopping).await {
                Ok(held) => self.take_outcomes(held),
                Err(error) => vec![reported_error(&error)],
            },
        };
        self.report(HistorySource::Outcome, notes);
    }

    async fn held_outcomes(
        &self,
        config: &PubSubConfig,
        stopping: &CancellationToken,
    ) -> Result<HeldOutcomes<HistoryEntry>, PubSubError> {
        let connection = connect(config).await?;
        let _progress = WorkProgress::told(self.output, "reading the outcomes of the service");
        let keep = |outcome| reported(outcome).filter(|entry| self.filter.may_admit(entry));
        HeldOutcomes::read(&connection, stopping, keep).await
    }

    fn take_outcomes(&mut self, held: HeldOutcomes<HistoryEntry>) -> Vec<String> {
        let OutcomeHistory {
            kept,
            seen,
            unreadable,
            complete,
        } = match held {
            HeldOutcomes::Missing => {
                return vec![format!(
                    "none: there is no subscription {OUTCOME_HISTORY}; `terraform apply`, or `topology apply` on an \
                     emulator, makes it, and it holds what happens from then on"
                )];
            }
            HeldOutcomes::Read(history) => history,
        };
        self.entries.extend(kept);
        let unreadable = (unreadable > 0)
            .then(|| format!("left out, messages that are no outcomes: {unreadable}"));
        let cut = (!complete)
            .then(|| format!("reading was cut short after {seen} outcomes: some are missing"));
        unreadable.into_iter().chain(cut).collect()
    }

    /// The entries that are wanted, and what is said of the others.
    pub(super) fn merged(self) -> (Vec<HistoryEntry>, Vec<SourceReport>) {
        let Self {
            service,
            filter,
            entries,
            mut reports,
            ..
        } = self;
        let mut entries = merged(entries, &service);
        let without_time = entries
            .iter()
            .filter(|entry| filter.leaves_out_for_time(entry));
        let without_time = counted(
            without_time.count(),
            "left out, changes without a time on record: bans, LDAP, SCIM, deactivation (`history WHO` shows them)",
        );
        let gitlab = reports
            .iter_mut()
            .find(|report| report.source == HistorySource::GitLab);
        if let Some(report) = gitlab {
            report.notes.extend(without_time);
        }
        entries.retain(|entry| filter.admits(entry));
        (entries, reports)
    }

    /// Says once of a source what has to be said of it.
    fn report(&mut self, source: HistorySource, mut notes: Vec<String>) {
        let tells = |entry: &&HistoryEntry| entry.sources.contains(&source);
        let found = self.entries.iter().filter(tells).count();
        if found == 0 && notes.is_empty() {
            notes.push("none on record".to_owned());
        }
        self.reports.push(SourceReport {
            source,
            found,
            notes,
        });
    }
}

impl Leftovers {
    fn notes(&self) -> Vec<String> {
        [
            counted(
                self.unreadable_records,
                "left out, records of blocks and unblocks that cannot be read",
            ),
            counted(
                self.unreadable_accounts,
                "left out, accounts that GitLab cannot show (`plan` names them)",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn counted(count: usize, what: &str) -> Option<String> {
    (count > 0).then(|| format!("{what}: {count}"))
}
