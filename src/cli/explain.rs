//! `explain`: how one decision comes about. Writes nothing and publishes nothing.

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{
    CommandFailure,
    common::{
        output::{self, OutputFormat, OutputRow},
        target,
    },
};
use crate::{
    app::{clients::UserClients, context::ProcessContext},
    config::ReadingConfig,
    directory::{Crsid, Standing},
    gate::UpstreamId,
    messaging::wire::{Cause, UserRequest, Who},
    upstream::{CallError, FaultScope},
    users::{
        account::{Account, AccountId, AccountState, LastSeen},
        class::Class,
        marker::MARKER_KEY,
        observe::Observation,
        ownership::{ChangeRecord, OwnershipProof, proof},
        policy::{Decision, KeepReason, Policy, decide},
        preview::{Preview, of_observation},
        resolve::{Resolution, resolve},
        rules::Rules,
    },
};

/// Shows the steps of one decision: account, class, Lookup's answer, whose block it is, and what
/// would happen
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync explain spqr1")]
pub struct ExplainArgs {
    /// A CRSid, a username or a GitLab id
    #[arg(value_parser = target::parse)]
    who: Who,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl ExplainArgs {
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        let config: ReadingConfig = context.start(false)?;
        let clients = UserClients::for_reading(&config)?;
        let own = AccountId(clients.reader.current_user().await?.id);
        let steps = match self.explained(own, &clients).await {
            Ok(steps) => steps,
            Err(error) if is_about_one(&error, &clients).await => self.unreadable(&error),
            Err(error) => return Err(error.into()),
        };
        Ok(output::print(self.output, &steps)?)
    }

    async fn explained(
        &self,
        own: AccountId,
        clients: &UserClients,
    ) -> Result<Vec<ExplainedStep>, CallError> {
        match resolve(&self.who, own, &clients.reader, &clients.rules.classes).await? {
            Resolution::One(id) => self.steps(id, own, clients).await,
            Resolution::Nobody => self.nobody(clients).await,
            Resolution::NotHuman(id) => Ok(not_human(id)),
            Resolution::Several(ids) => Ok(several(&ids)),
        }
    }

    /// What is said of an account that GitLab cannot show.
    fn unreadable(&self, error: &CallError) -> Vec<ExplainedStep> {
        let id = match &self.who {
            Who::Account(id) => id.to_string(),
            Who::Username(_) | Who::Person(_) => "ID".to_owned(),
        };
        vec![
            ExplainedStep::new(
                "account",
                format!(
                    "GitLab cannot show {}, and shows other accounts: {}",
                    target::show(&self.who),
                    error.what()
                ),
            ),
            ExplainedStep::new(
                "known cause",
                "an account without a personal namespace: GitLab answers 500 to it and to every page that holds it",
            ),
            ExplainedStep::new(
                "what helps",
                format!(
                    "an administrator looks in GitLab's Rails console: where `User.find({id}).namespace` is nil, \
                     give the account one, or delete it (docs/operations.md); \
                     until then GitLab cannot block it either"
                ),
            ),
            ExplainedStep::new(
                "decision",
                "keep (account_unreadable): nothing is concluded",
            ),
            ExplainedStep::new("a resync would", "change nothing"),
        ]
    }

    async fn steps(
        &self,
        id: AccountId,
        own: AccountId,
        clients: &UserClients,
    ) -> Result<Vec<ExplainedStep>, CallError> {
        let directory = clients.shared_looks();
        let observation =
            Observation::read(id, own, &clients.reader, &directory, &clients.rules).await?;
        match observation {
            Some(observation) => Ok(explain(&observation, own, &clients.rules)),
            None => self.nobody(clients).await,
        }
    }

    async fn nobody(&self, clients: &UserClients) -> Result<Vec<ExplainedStep>, CallError> {
        let mut steps = vec![ExplainedStep::new(
            "account",
            format!("no account in GitLab is {}", target::show(&self.who)),
        )];
        if let Who::Person(person) = &self.who {
            let standing = clients.shared_looks().standing(*person).await?;
            steps.push(ExplainedStep::new(
                "directory",
                in_directory(*person, standing),
            ));
        }
        steps.push(ExplainedStep::new("decision", "nothing to do"));
        Ok(steps)
    }
}

/// Whether GitLab fails at this account alone.
async fn is_about_one(error: &CallError, clients: &UserClients) -> bool {
    let gitlabs = match &error.scope {
        FaultScope::Upstream(gate) => gate.upstream() == UpstreamId::GitLab,
        FaultScope::Request | FaultScope::Subject { .. } | FaultScope::Unclear(_) => true,
        FaultScope::Paused(_) => false,
    };
    gitlabs && error.may_lie_in_what_was_asked() && clients.reader.proves_well().await.is_ok()
}

#[derive(Serialize)]
struct ExplainedStep {
    step: &'static str,
    finding: String,
}

impl ExplainedStep {
    fn new(step: &'static str, finding: impl Into<String>) -> Self {
        Self {
            step,
            finding: finding.into(),
        }
    }
}

impl OutputRow for ExplainedStep {
    const COLUMNS: &'static [&'static str] = &["step", "finding"];
    const SENTENCES: &'static [&'static str] = &["finding"];

    fn cells(&self) -> Vec<String> {
        vec![self.step.to_owned(), self.finding.clone()]
    }
}

fn several(ids: &[AccountId]) -> Vec<ExplainedStep> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    vec![ExplainedStep::new(
        "account",
        format!(
            "several accounts are this person's: ask for one of {}",
            ids.join(", ")
        ),
    )]
}

fn not_human(id: AccountId) -> Vec<ExplainedStep> {
    vec![
        ExplainedStep::new("account", format!("account {id} exists")),
        ExplainedStep::new("class", class(&Class::NotHuman)),
        ExplainedStep::new("decision", Decision::Keep(KeepReason::NotHuman).to_string()),
        ExplainedStep::new("a resync would", "change nothing"),
    ]
}

fn explain(observation: &Observation, own: AccountId, rules: &Rules) -> Vec<ExplainedStep> {
    let Observation { account, facts, .. } = observation;
    let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
    let decision = decide(facts, rules.policy, today);
    let resync = UserRequest {
        who: Who::Account(account.id.0),
        cause: Cause::Resync,
        dry_run: false,
        requested_by: None,
        reason: None,
    };
    let preview = of_observation(observation, &resync, "", own, rules);
    let mut steps = vec![
        ExplainedStep::new(
            "account",
            format!(
                "{} is account {}, {}",
                account.username,
                account.id,
                account.state.as_str()
            ),
        ),
        ExplainedStep::new("class", class(&facts.class)),
    ];
    steps.extend(who_blocks(account));
    match &facts.class {
        Class::Member(person) => {
            steps.push(ExplainedStep::new(
                "directory",
                in_directory(*person, facts.standing),
            ));
        }
        Class::External => {
            steps.push(ExplainedStep::new("last seen", last_seen(facts.last_seen)));
            steps.extend(inactive_on(facts.last_seen, rules.policy));
        }
        Class::Exempt | Class::NotHuman | Class::OutOfScope => {}
    }
    let marker = account.marker.as_ref();
    let marker = marker.map_or_else(
        || "none".to_owned(),
        |marker| format!("{} at {}, run {}", marker.reason, marker.at, marker.run),
    );
    steps.extend([
        ExplainedStep::new("our marker", marker),
        ExplainedStep::new("blocked by", recorded(&account.blocked_by, own)),
        ExplainedStep::new("unblocked by", recorded(&account.unblocked_by, own)),
        ExplainedStep::new("our block", our_block(proof(account, own))),
    ]);
    steps.extend(facts.lifted.as_deref().map(|lifted| {
        let by = &lifted.by;
        ExplainedStep::new(
            "lifted by",
            format!("nobody on record: it may have been {by}"),
        )
    }));
    steps.extend([
        ExplainedStep::new("decision", decision.to_string()),
        ExplainedStep::new("a resync would", would(&preview)),
    ]);
    steps
}

/// Of the state that the API cannot lift: who sets it, and by what it knows the account.
fn who_blocks(account: &Account) -> Option<ExplainedStep> {
    if account.state != AccountState::LdapBlocked {
        return None;
    }
    let by_identity = account.identities.iter();
    let by_identity = by_identity.map(|one| format!("{} {}", one.provider, one.extern_uid));
    let by_scim = account.scim_identities.iter();
    let known: Vec<String> = by_identity
        .chain(by_scim.map(|extern_uid| format!("scim {extern_uid}")))
        .collect();
    let known = if known.is_empty() {
        "it has no identity".to_owned()
    } else {
        format!("its identities are {}", known.join(", "))
    };
    Some(ExplainedStep::new(
        "state",
        format!(
            "blocked by LDAP, SAML or SCIM ({known}): GitLab's API cannot lift that, only GitLab's Admin page or the system that set it can"
        ),
    ))
}

/// Whether the block is ours, and what is missing where it is not.
fn our_block(proof: OwnershipProof) -> String {
    match proof {
        OwnershipProof::Ours => "yes".to_owned(),
        OwnershipProof::NotBlocked => "no: it is not blocked".to_owned(),
        OwnershipProof::NoMarker => {
            format!("no: it lacks our marker, the custom attribute {MARKER_KEY}")
        }
        OwnershipProof::NoRecord => {
            "no: GitLab has no readable record of who blocked it".to_owned()
        }
        OwnershipProof::AnotherAccount(other) => format!(
            "no: account {other} blocked it (if this service used that account before, users.former_ids says so)"
        ),
        OwnershipProof::AnotherBlock => {
            "no: our marker and GitLab's record are more than ten minutes apart".to_owned()
        }
        OwnershipProof::UndoneSince => {
            "no: it was unblocked since, or in the same second, so this block is another one"
                .to_owned()
        }
    }
}

fn class(class: &Class) -> String {
    match class {
        Class::Exempt => {
            "exempt: the token's own account, that of a control person of the directory, or exempted by an operator or an administrator"
                .to_owned()
        }
        Class::NotHuman => "not a person's account".to_owned(),
        Class::Member(person) => format!("member {person}: the directory decides"),
        Class::External => "external: activity decides".to_owned(),
        Class::OutOfScope => "out of scope: no rule names a person".to_owned(),
    }
}

fn in_directory(person: Crsid, standing: Standing) -> String {
    match standing {
        Standing::Cancelled => format!("{person} is cancelled"),
        Standing::Current => format!("{person} is a current member"),
        Standing::Unknown => format!("no explicit answer about {person}: nothing is concluded"),
    }
}

fn last_seen(last_seen: LastSeen) -> String {
    match last_seen {
        LastSeen::On(day) => day.to_string(),
        LastSeen::Unknown => "not known: nothing is concluded".to_owned(),
    }
}

/// The day on which the account is inactive if it is not seen again.
fn inactive_on(last_seen: LastSeen, policy: Policy) -> Option<ExplainedStep> {
    let LastSeen::On(day) = last_seen else {
        return None;
    };
    let due = policy.inactive_on(day)?;
    Some(ExplainedStep::new("inactive on", due.to_string()))
}

fn recorded(recorded: &ChangeRecord, own: AccountId) -> String {
    match recorded {
        ChangeRecord::Absent => "nobody".to_owned(),
        ChangeRecord::By(act) if act.recorded == own => format!("this service at {}", act.at),
        ChangeRecord::By(act) => format!("{} ({}) at {}", act.username, act.recorded, act.at),
        ChangeRecord::Unreadable => "a record that cannot be read".to_owned(),
    }
}

fn would(preview: &Preview) -> &'static str {
    match preview {
        Preview::Change(Decision::Block(_)) => "block it (in mode apply)",
        Preview::Change(Decision::Unblock(_)) => "unblock it (in mode apply)",
        Preview::Change(Decision::Keep(_))
        | Preview::DryRun(_)
        | Preview::Nothing(..)
        | Preview::Run { .. }
        | Preview::DeadLetter(..)
        | Preview::Retry(_) => "change nothing",
    }
}
