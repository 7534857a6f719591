//! Going once through the dead letters of a selection.

use std::{collections::BTreeSet, vec};

use tokio_util::sync::CancellationToken;

use super::{Letter, Selection, queue::Queue};
use crate::messaging::{Connection, PubSubError, Stage};

/// Goes once through the dead letters of a selection, batch by batch, so that memory holds the
/// bodies of one batch only. All that was seen stays leased, selected or not, until
/// [`Self::release`]; each letter comes once.
///
/// Dropped without it, the leases lapse by themselves, within a minute where the topology is ours.
pub struct Scan {
    connection: Connection,
    selection: Selection,
    stopping: CancellationToken,
    stages: vec::IntoIter<Stage>,
    queue: Option<Queue>,
    /// Ids of the selection that have not been seen.
    missing: BTreeSet<String>,
}

impl Scan {
    /// A scan that has not begun; it ends early once `stopping` is cancelled.
    pub fn new(
        connection: &Connection,
        selection: &Selection,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            connection: connection.clone(),
            stopping,
            stages: selection.stages().into_iter(),
            queue: None,
            missing: selection.ids.clone(),
            selection: selection.clone(),
        }
    }

    /// The next selected letters, all of one stage; `None` at the end, or as soon as every id asked
    /// for was seen.
    ///
    /// # Errors
    /// When Pub/Sub cannot be reached or refuses.
    pub async fn next(&mut self) -> Result<Option<Vec<Letter>>, PubSubError> {
        let stopping = self.stopping.clone();
        tokio::select! {
            biased;
            () = stopping.cancelled() => Ok(None),
            letters = self.select() => letters,
        }
    }

    async fn select(&mut self) -> Result<Option<Vec<Letter>>, PubSubError> {
        while !self.has_seen_all_ids() {
            let Some(queue) = self.queue().await? else {
                return Ok(None);
            };
            match queue.next().await? {
                Some(letters) => {
                    let selected = self.selected(letters);
                    if !selected.is_empty() {
                        return Ok(Some(selected));
                    }
                }
                None => self.close().await,
            }
        }
        Ok(None)
    }

    /// Acks letters of the last batch.
    ///
    /// # Errors
    /// When Pub/Sub cannot be reached or refuses; they are then still dead letters.
    pub async fn ack(&self, ids: &[&str]) -> Result<(), PubSubError> {
        match &self.queue {
            Some(queue) => queue.ack(ids).await,
            None => Ok(()),
        }
    }

    /// The ids of the selection that have not been seen.
    pub const fn missing(&self) -> &BTreeSet<String> {
        &self.missing
    }

    /// Gives back everything that was not acked.
    pub async fn release(mut self) {
        self.close().await;
    }

    fn has_seen_all_ids(&self) -> bool {
        !self.selection.ids.is_empty() && self.missing.is_empty()
    }

    async fn queue(&mut self) -> Result<Option<&mut Queue>, PubSubError> {
        while self.queue.is_none() {
            let Some(stage) = self.stages.next() else {
                return Ok(None);
            };
            match Queue::open(&self.connection, stage).await {
                Ok(queue) => self.queue = Some(queue),
                Err(error) if self.may_be_absent(stage) && error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.queue.as_mut())
    }

    /// An installation without namespaces has none of their subscriptions, which is a mistake only
    /// where it was asked for by name.
    fn may_be_absent(&self, stage: Stage) -> bool {
        !Stage::USERS.contains(&stage) && !self.selection.stages.contains(&stage)
    }

    fn selected(&mut self, letters: Vec<Letter>) -> Vec<Letter> {
        let selected: Vec<_> = letters
            .into_iter()
            .filter(|letter| self.selection.admits(&letter.seen))
            .collect();
        for letter in &selected {
            self.missing.remove(&letter.seen.id);
        }
        selected
    }

    async fn close(&mut self) {
        if let Some(queue) = self.queue.take() {
            queue.release().await;
        }
    }
}
