//! One batch of people, and who in it cannot be shown.
//!
//! A batch that holds one certain person can fail for ever while Lookup is well. It is halved until
//! that person is found; the rest is read.

use std::sync::PoisonError;

use super::{Lookup, envelope, people};
use crate::{
    directory::{Crsid, Standing, Standings},
    upstream::{CallError, Fault, UpstreamRequest, UpstreamResponse},
};

/// More people than this in one batch who cannot be shown are not each to blame.
const MOST_UNREADABLE: usize = 10;

impl Lookup {
    /// Who is known of a batch.
    ///
    /// # Errors
    /// See [`CallError`].
    pub(super) async fn list(&self, batch: Vec<Crsid>) -> Result<Standings, CallError> {
        let read = |answer: &UpstreamResponse| envelope::people(answer, &batch);
        match self.upstream.read(&self.list_call(&batch), read).await {
            Ok(standings) => Ok(self.told(&batch, standings)),
            Err(error) if error.may_lie_in_what_was_asked() => self.halve(batch, error).await,
            Err(error) => Err(error),
        }
    }

    /// Reads a batch that failed with `error` in ever smaller parts.
    async fn halve(&self, batch: Vec<Crsid>, error: CallError) -> Result<Standings, CallError> {
        self.last_transaction().await?;
        let mut all = Standings::default();
        let mut alone = Vec::new();
        let mut some_answered = false;
        let mut failing = vec![batch];
        while let Some(part) = failing.pop() {
            if let [person] = part.as_slice() {
                alone.push(*person);
                if alone.len() > MOST_UNREADABLE {
                    return Err(error);
                }
                continue;
            }
            let (first, second) = part.split_at(part.len() / 2);
            for half in [first, second] {
                match self.try_list(half).await? {
                    Ok(standings) => {
                        some_answered = true;
                        all.add(standings);
                    }
                    Err(_) => failing.push(half.to_vec()),
                }
            }
        }
        if !some_answered && !self.shows_somebody_else(&alone).await? {
            return Err(error);
        }
        for person in alone {
            all.add(self.judge(person).await?);
        }
        // After the questions, so that an outage in between names nobody.
        self.last_transaction().await?;
        for person in &all.unreadable {
            tracing::warn!(event = "person_unreadable", crsid = %person, why = %error,
                "Lookup cannot show {person}, while it shows others: they are unknown and stay as they are");
        }
        Ok(all)
    }

    /// Asks once more for a person whose question failed by itself.
    async fn judge(&self, person: Crsid) -> Result<Standings, CallError> {
        Ok(self
            .try_list(&[person])
            .await?
            .unwrap_or_else(|_| Standings {
                unreadable: vec![person],
                ..Standings::default()
            }))
    }

    /// Whether somebody is shown who was shown before: else the trouble need not lie in `these`.
    async fn shows_somebody_else(&self, these: &[Crsid]) -> Result<bool, CallError> {
        let shown = *self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match shown.filter(|person| !these.contains(person)) {
            Some(person) => Ok(self.try_list(&[person]).await?.is_ok()),
            None => Ok(false),
        }
    }

    /// A part of a batch, asked for once.
    async fn try_list(&self, part: &[Crsid]) -> Result<Result<Standings, Fault>, CallError> {
        let read = |answer: &UpstreamResponse| envelope::people(answer, part);
        let standings = self.upstream.try_read(&self.list_call(part), read).await?;
        Ok(standings.map(|standings| self.told(part, standings)))
    }

    fn list_call(&self, batch: &[Crsid]) -> UpstreamRequest {
        self.call(
            "list_people",
            &["person", "list"],
            Some(&people::joined(batch)),
        )
    }

    fn told(&self, batch: &[Crsid], standings: Vec<Option<Standing>>) -> Standings {
        let is_unclear = |standing: &&Option<Standing>| **standing == Some(Standing::Unknown);
        let unclear = standings.iter().filter(is_unclear).count();
        if unclear > 0 {
            tracing::warn!(
                event = "lookup_unclear_people",
                people = unclear,
                "Lookup answered for {unclear} people without a usable `cancelled`; they are unknown and stay as they are"
            );
        }
        let told = batch.iter().copied().zip(standings);
        let told: Standings = told
            .filter_map(|(person, standing)| Some((person, standing?)))
            .collect();
        if let Some(person) = told.told.keys().min() {
            *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(*person);
        }
        told
    }
}
