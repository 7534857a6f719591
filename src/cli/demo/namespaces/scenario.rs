//! How an act is played: a purchase is posted to the portal, its attempts are waited for, the
//! tables are compared.

use std::{cell::Cell, io, time::Duration};

use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{
    environment::NamespaceEnvironment,
    purchase::DemoPurchase,
    report::{NamespaceDemoStep, PortalReply},
    tables::NamespaceHoldings,
};
use crate::{
    cli::{
        CommandFailure,
        common::{attempt_text::told, output},
    },
    messaging::dead_letters::{Seen, Selection, list},
    namespaces::ledger::{attempt_state::AttemptState, history::SyncAttempt},
};

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// The acts of one play.
pub struct NamespaceScenario<'a> {
    pub scene: &'a NamespaceEnvironment,
    client: reqwest::Client,
    narrated: bool,
    /// The last attempt that was told.
    told: Cell<i64>,
}

/// The portal's answer, as far as it is told.
#[derive(Deserialize)]
struct PortalSyncId {
    id: i64,
}

impl<'a> NamespaceScenario<'a> {
    /// On `scene`, told to a person as it goes if `narrated`.
    pub fn new(scene: &'a NamespaceEnvironment, narrated: bool) -> Result<Self, CommandFailure> {
        Ok(Self {
            scene,
            client: reqwest::Client::builder().no_proxy().build()?,
            narrated,
            told: Cell::new(0),
        })
    }

    /// Posts the purchase to the portal, as its clients do.
    pub async fn begin(
        &self,
        name: &'static str,
        purchase: &DemoPurchase,
    ) -> Result<NamespaceDemoStep, CommandFailure> {
        let namespace_id = purchase.namespace_id;
        let url = format!(
            "{}/api/v1/namespaces/{namespace_id}/syncs",
            self.scene.portal
        );
        let request = self
            .client
            .post(url)
            .bearer_auth(&self.scene.token)
            .body(purchase.document().to_string());
        let response = request.send().await?.error_for_status()?;
        let status = response.status().as_u16();
        let PortalSyncId { id: sync_id } = serde_json::from_slice(&response.bytes().await?)?;
        let new = if status == 201 {
            "is new"
        } else {
            "has it already"
        };
        self.say(&format!("   portal: {status}, sync {sync_id} {new}"))?;
        Ok(NamespaceDemoStep {
            name,
            namespace_id,
            portal: PortalReply { status, sync_id },
            attempts: Vec::new(),
            dead_letter: None,
            gitlab: None,
            complaints: Vec::new(),
        })
    }

    /// Waits for the attempts, and compares what the tables say with what they must.
    pub async fn end(
        &self,
        mut act: NamespaceDemoStep,
        states: &[AttemptState],
        must: NamespaceHoldings,
    ) -> Result<NamespaceDemoStep, CommandFailure> {
        act.attempts = self.attempts(&act, states).await?;
        self.tell(&act.attempts)?;
        act.gitlab = NamespaceHoldings::by(act.namespace_id, &self.scene.gitlab).await?;
        let has = act
            .gitlab
            .as_ref()
            .map_or_else(|| "nothing".to_owned(), ToString::to_string);
        self.say(&format!("   GitLab: {has}"))?;
        if act.gitlab.as_ref() != Some(&must) {
            let complaint = format!("GitLab has {has}; it must be {must}");
            self.say(&format!("   but must have {must}"))?;
            act.complaints.push(complaint);
        }
        Ok(act)
    }

    /// The attempts of the act's sync, as soon as they are in these states.
    pub async fn attempts(
        &self,
        act: &NamespaceDemoStep,
        states: &[AttemptState],
    ) -> Result<Vec<SyncAttempt>, CommandFailure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let history = self
                .scene
                .ledger
                .history(act.namespace_id, 1, PATIENCE)
                .await?;
            let newest = history
                .into_iter()
                .find(|sync| sync.id == act.portal.sync_id);
            let attempts = newest.map(|sync| sync.attempts).unwrap_or_default();
            let found: Vec<AttemptState> = attempts.iter().map(|attempt| attempt.state).collect();
            if found == states {
                return Ok(attempts);
            }
            if Instant::now() > deadline {
                return Err(anyhow::anyhow!(
                    "{}: the attempts are {found:?}, and must be {states:?}",
                    act.name
                )
                .into());
            }
            sleep(PAUSE).await;
        }
    }

    /// The one dead letter, as soon as it is there.
    pub async fn letter(&self) -> Result<Seen, CommandFailure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let letters = list(&self.scene.connection, &Selection::default()).await?;
            match letters.as_slice() {
                [letter] => return Ok(letter.clone()),
                [] if Instant::now() < deadline => sleep(PAUSE).await,
                letters => {
                    let count = letters.len();
                    return Err(
                        anyhow::anyhow!("{count} dead letters, where one was expected").into(),
                    );
                }
            }
        }
    }

    /// Those that were not told before, each with its parts where not all of them were applied.
    pub fn tell(&self, attempts: &[SyncAttempt]) -> io::Result<()> {
        for attempt in attempts
            .iter()
            .filter(|attempt| attempt.id > self.told.get())
        {
            self.say(&format!("   attempt {}", told(attempt)))?;
            if attempt.state == AttemptState::PartiallyFailed {
                self.say(&format!("   parts: {}", parts(attempt)))?;
            }
            self.told.set(attempt.id);
        }
        Ok(())
    }

    pub fn say(&self, text: &str) -> io::Result<()> {
        if self.narrated {
            output::say(text)
        } else {
            Ok(())
        }
    }
}

/// Such as `storage: success`, in the order of the steps.
fn parts(attempt: &SyncAttempt) -> String {
    let status = |part: &str| {
        let parts = attempt.parts.as_ref()?;
        let status = parts.get(part)?.get("status")?.as_str()?;
        Some(format!("{part}: {status}"))
    };
    let steps = [
        "base_product",
        "storage",
        "compute_minutes",
        "add_on_purchases",
    ];
    steps
        .into_iter()
        .filter_map(status)
        .collect::<Vec<_>>()
        .join(", ")
}
