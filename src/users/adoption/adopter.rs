//! Finds the blocks that were asked for, and marks them one by one.

use jiff::Timestamp;

use super::{AdoptableBlock, Adoption, AdoptionRequest, LeaveReason};
use crate::{
    gitlab::{self, Listing, Unreadable, WritePermit},
    moment::Moment,
    upstream::CallError,
    users::{account::AccountId, marker::MARKER_KEY, observe, rules::Rules},
};

/// The calls of one adoption: look, marker.
const CALLS: u32 = 2;

/// What the first look found.
#[derive(Debug, Default)]
pub struct AdoptionSurvey {
    /// Blocked accounts whose block can be adopted, by ascending id.
    pub adoptable: Vec<(JudgedAccount, AdoptableBlock)>,
    /// Blocked accounts whose block is left as it is.
    pub left: Vec<(JudgedAccount, LeaveReason)>,
    /// Accounts read.
    pub accounts: u64,
    /// Accounts that GitLab cannot show.
    pub unreadable: Vec<Unreadable>,
}

/// A blocked account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedAccount {
    /// GitLab's id.
    pub id: AccountId,
    /// Its username.
    pub username: String,
}

/// What became of one adoption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdoptionOutcome {
    /// The marker is written.
    Adopted,
    /// The second look says otherwise than the first.
    Changed(Adoption),
    /// There is no such account any more.
    Gone,
    /// The second look was too old to act on when its answer came.
    TooOld,
}

/// Marks blocks as this service's own.
#[derive(Clone, Copy, Debug)]
pub struct Adopter<'a> {
    /// What was asked for.
    pub request: &'a AdoptionRequest,
    /// The token's own account.
    pub own: AccountId,
    /// Who is who.
    pub rules: &'a Rules,
    /// Written into each marker.
    pub run: &'a str,
}

impl Adopter<'_> {
    /// The first look: every human account, judged. `progress` is told how many pages and accounts
    /// were read.
    ///
    /// # Errors
    /// See [`CallError`]; nothing was written.
    pub async fn survey(
        &self,
        gitlab: &gitlab::Client,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<AdoptionSurvey, CallError> {
        let mut found = AdoptionSurvey::default();
        let (mut listing, mut pages) = (Listing::default(), 0);
        while !listing.has_ended() {
            let batch = listing.next(gitlab).await?;
            found.accounts += batch.users.len() as u64;
            found.unreadable.extend(batch.unreadable);
            for row in &batch.users {
                let account = || JudgedAccount {
                    id: AccountId(row.id),
                    username: row.username.clone(),
                };
                match self.request.judge(row, self.own, self.rules) {
                    Adoption::NotBlocked => {}
                    Adoption::Adopt(block) => found.adoptable.push((account(), block)),
                    Adoption::Leave(reason) => found.left.push((account(), reason)),
                }
            }
            pages += 1;
            progress(pages, found.accounts);
        }
        Ok(found)
    }

    /// The second look at account `id`, and the marker if it still says so. Whatever happens at
    /// the same moment, the marker claims nothing but the block that was looked at.
    ///
    /// # Errors
    /// See [`CallError`]; the marker may or may not have been written, and may be written again.
    pub async fn adopt(
        &self,
        id: AccountId,
        gitlab: &gitlab::Client,
        permit: &WritePermit,
    ) -> Result<AdoptionOutcome, CallError> {
        let gitlab = gitlab.reserve(CALLS).await;
        let taken = Moment::now();
        let Some(row) = gitlab.user(id.0).await? else {
            return Ok(AdoptionOutcome::Gone);
        };
        let block = match self.request.judge(&row, self.own, self.rules) {
            Adoption::Adopt(block) => block,
            other @ (Adoption::NotBlocked | Adoption::Leave(_)) => {
                return Ok(AdoptionOutcome::Changed(other));
            }
        };
        if taken.age() >= observe::FRESH {
            return Ok(AdoptionOutcome::TooOld);
        }
        let previous = self.rules.account(&row, self.own).marker;
        let marker = self
            .request
            .marker(&block, Timestamp::now(), self.run)
            .following(previous.as_ref(), false)
            .to_value();
        let stored = gitlab
            .set_custom_attribute(permit, id.0, MARKER_KEY, &marker)
            .await?;
        Ok(if stored {
            AdoptionOutcome::Adopted
        } else {
            AdoptionOutcome::Gone
        })
    }
}
