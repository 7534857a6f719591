//! The namespace demo, act by act: over real HTTP and gRPC, into real tables.

use std::{io, sync::atomic::Ordering};

use tokio_util::sync::CancellationToken;

use super::{
    purchase::{ACME, DemoPurchase, LATE, acme, acme_has},
    report::{NamespaceDemoReport, NamespaceDemoStep, RefusedSync},
    scenario::NamespaceScenario,
    tables::{NamespaceHoldings, everything, make_group},
};
use crate::{
    cli::CommandFailure,
    messaging::{
        DeadLetterReason,
        dead_letters::{ReplayOptions, Selection, replay},
    },
    namespaces::ledger::attempt_state::AttemptState,
};

/// What a person does after this.
const NEXT: &str = "
Try next:
   lookup-gitlab-sync namespaces record --example   a document to record with your own ledger
   lookup-gitlab-sync namespaces --help             what else there is for namespaces";

impl NamespaceScenario<'_> {
    pub fn introduce(&self) -> io::Result<()> {
        self.say(&format!(
            "A portal at {}, a worker, a provisioning API at {},\na Pub/Sub and a PostgreSQL of our own. Nothing but them is touched, and they go with this process.",
            self.scene.portal, self.scene.api
        ))
    }

    pub async fn a_purchase(&self) -> Result<NamespaceDemoStep, CommandFailure> {
        self.say("\n1. A purchase: acme buys premium for 30\n")?;
        make_group(ACME, "acme", &self.scene.gitlab).await?;
        let mut act = self.begin("purchase", &acme("premium", 30, 100)).await?;
        act.must(act.portal.status == 201, "the portal did not say 201");
        self.end(
            act,
            &[AttemptState::Completed],
            acme_has("premium", 30, 100, 0),
        )
        .await
    }

    pub async fn nothing_new(&self) -> Result<NamespaceDemoStep, CommandFailure> {
        self.say("\n2. The same again: it is on record, and nothing has to be sent\n")?;
        let before = everything(&self.scene.gitlab).await?;
        let mut act = self.begin("unchanged", &acme("premium", 30, 100)).await?;
        act.must(act.portal.status == 200, "the portal did not say 200");
        let states = [AttemptState::Completed, AttemptState::Skipped];
        let mut act = self
            .end(act, &states, acme_has("premium", 30, 100, 0))
            .await?;
        let after = everything(&self.scene.gitlab).await?;
        act.must(before == after, "a table was written");
        Ok(act)
    }

    pub async fn a_change(&self) -> Result<NamespaceDemoStep, CommandFailure> {
        self.say("\n3. A change: acme buys 10 more\n")?;
        let act = self.begin("change", &acme("premium", 40, 100)).await?;
        self.end(
            act,
            &[AttemptState::Completed],
            acme_has("premium", 40, 100, 1),
        )
        .await
    }

    pub async fn a_broken_rule(&self) -> Result<NamespaceDemoStep, CommandFailure> {
        self.say("\n4. A trial without its dates: that part fails, the others are applied\n")?;
        let trial = DemoPurchase {
            trial: true,
            ..acme("premium", 50, 200)
        };
        let act = self.begin("broken_rule", &trial).await?;
        let kept = NamespaceHoldings {
            duo: 50,
            ..acme_has("premium", 40, 200, 1)
        };
        self.end(act, &[AttemptState::PartiallyFailed], kept).await
    }

    pub async fn an_outage(&self) -> Result<NamespaceDemoStep, CommandFailure> {
        self.say("\n5. The API answers 503 twice, then heals\n")?;
        self.scene.failures.store(2, Ordering::SeqCst);
        let act = self.begin("outage", &acme("ultimate", 50, 200)).await?;
        let states = [
            AttemptState::Retrying,
            AttemptState::Retrying,
            AttemptState::Completed,
        ];
        self.end(act, &states, acme_has("ultimate", 50, 200, 2))
            .await
    }

    /// Refused for good until the namespace is there; then replayed.
    pub async fn a_dead_letter(&self) -> Result<NamespaceDemoStep, CommandFailure> {
        self.say("\n6. A namespace that GitLab does not know: a dead letter, and its replay\n")?;
        let late = DemoPurchase {
            namespace_id: LATE,
            plan: "premium",
            seats: 5,
            storage: 10,
            trial: false,
        };
        let mut act = self.begin("dead_letter", &late).await?;
        let given_up = self.attempts(&act, &[AttemptState::Failed]).await?;
        self.tell(&given_up)?;
        let letter = self.letter().await?;
        let reason = letter
            .history
            .reason
            .map_or("none", DeadLetterReason::as_str);
        let detail = letter.history.detail.clone().unwrap_or_default();
        self.say(&format!(
            "   dead letter {} ({reason}): {detail}",
            letter.id
        ))?;
        make_group(LATE, "late", &self.scene.gitlab).await?;
        let selection = Selection::of_ids([letter.id]);
        let (options, stopping) = (ReplayOptions::new(), CancellationToken::new());
        let replayed = replay(
            &self.scene.connection,
            &selection,
            &options,
            &stopping,
            &|_| (),
        )
        .await
        .replayed;
        self.say(&format!("   the group is made, {replayed} replayed"))?;
        act.must(reason == "refused", "it was not dead-lettered as refused");
        act.must(replayed == 1, "it was not replayed");
        act.dead_letter = Some(RefusedSync {
            reason: reason.to_owned(),
            detail,
            replayed,
        });
        let states = [AttemptState::Failed, AttemptState::Completed];
        self.end(act, &states, late.has(0)).await
    }

    pub fn conclude(&self, report: &NamespaceDemoReport) -> Result<(), CommandFailure> {
        if report.verdict().is_ok() {
            self.say("\nEverything ended as expected.")?;
            self.say(NEXT)?;
        }
        Ok(())
    }
}
