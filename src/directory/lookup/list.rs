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
        let asked = self.controls.beside(&batch);
        let read = |answer: &UpstreamResponse| self.judged(answer, &asked);
        match self.upstream.read(&self.list_call(&asked), read).await {
            Ok(standings) => Ok(self.told(standings)),
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
        for person in all.unreadable() {
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
            .unwrap_or_else(|_| Standings::without(vec![person])))
    }

    /// Whether somebody else is shown, a control or who was shown before: else the trouble need not
    /// lie in `these`.
    async fn shows_somebody_else(&self, these: &[Crsid]) -> Result<bool, CallError> {
        let shown = *self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let other = shown.filter(|person| !these.contains(person));
        if other.is_none() && self.controls.is_empty() {
            return Ok(false);
        }
        Ok(self.try_list(other.as_slice()).await?.is_ok())
    }

    /// A part of a batch, asked for once.
    async fn try_list(&self, part: &[Crsid]) -> Result<Result<Standings, Fault>, CallError> {
        let asked = self.controls.beside(part);
        let read = |answer: &UpstreamResponse| self.judged(answer, &asked);
        let standings = self
            .upstream
            .try_read(&self.list_call(&asked), read)
            .await?;
        Ok(standings.map(|standings| self.told(standings)))
    }

    pub(super) fn list_call(&self, people: &[Crsid]) -> UpstreamRequest {
        self.call(
            "list_people",
            &["person", "list"],
            Some(&people::joined(people)),
        )
    }

    /// What the answer tells of `asked`, if it is right about the controls among them.
    fn judged(&self, answer: &UpstreamResponse, asked: &[Crsid]) -> Result<Standings, Fault> {
        let standings = envelope::people(answer, asked)?;
        let told = asked.iter().copied().zip(standings);
        self.controls
            .believe(told.filter_map(|(person, standing)| Some((person, standing?))))
    }

    /// Takes down what was believed.
    fn told(&self, standings: Standings) -> Standings {
        let is_unclear = |standing: &&Standing| **standing == Standing::Unknown;
        let unclear = standings.told().values().filter(is_unclear).count();
        if unclear > 0 {
            tracing::warn!(
                event = "lookup_unclear_people",
                people = unclear,
                "Lookup answered for {unclear} people without a usable `cancelled`; they are unknown and stay as they are"
            );
        }
        if let Some(person) = standings.told().keys().min() {
            *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(*person);
        }
        standings
    }
}
