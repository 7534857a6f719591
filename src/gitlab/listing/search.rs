//! Which account it is that cannot be shown.

use super::Listing;
use crate::{
    gitlab::{Client, listing_calls::Position},
    upstream::{CallError, Fault},
};

/// How many ids are asked for one by one, where nothing that was listed before tells how far to go.
const ONE_BY_ONE: u64 = 1_000;
/// Ids do not grow beyond this.
const GREATEST_ID: u64 = 1 << 53;

/// What comes next in a listing whose next page fails.
pub(super) enum Found {
    /// This account, which cannot be shown.
    Account(u64),
    /// The end: the last account was that which could not be shown.
    End,
    /// Nothing that cannot be shown; it has passed.
    Nobody,
}

/// Finds the account right behind the place of `listing`, which `fault` tells of.
///
/// # Errors
/// Those of GitLab as a whole.
pub(super) async fn next_unreadable(
    listing: &Listing,
    fault: &Fault,
    gitlab: &Client,
) -> Result<Found, CallError> {
    let after = listing.position.after;
    let candidate = if after == 0 || listing.behind_unreadable {
        one_by_one(listing, fault, gitlab).await?
    } else {
        by_what_is_before(after, fault, gitlab).await?
    };
    let Found::Account(id) = candidate else {
        return Ok(candidate);
    };
    let is_shown = gitlab.greatest(Some(id + 1)).await?.is_some();
    // After the question, so that an outage in between names nobody.
    gitlab.proves_well().await?;
    Ok(if is_shown {
        Found::Nobody
    } else {
        Found::Account(id)
    })
}

/// The listing backwards shows `after` as the last account before each id up to the one looked for,
/// and fails behind it: its id is found by doubling and halving.
async fn by_what_is_before(after: u64, fault: &Fault, gitlab: &Client) -> Result<Found, CallError> {
    let is_before = async |id: u64| {
        let last = gitlab.greatest(Some(id)).await?;
        Ok::<_, CallError>(last.is_some_and(|last| last <= after))
    };
    let mut low = after + 1;
    if !is_before(low).await? {
        // Not even an account that was shown a moment ago.
        return Err(gitlab.listing_failed(fault.clone()));
    }
    let mut step = 1;
    while is_before(low + step).await? {
        low += step;
        step *= 2;
        if low + step > GREATEST_ID {
            return Ok(Found::Nobody);
        }
    }
    let mut high = low + step;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is_before(middle).await? {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(Found::Account(low))
}

/// Where the account before cannot be shown either, or there is none: id by id.
async fn one_by_one(listing: &Listing, fault: &Fault, gitlab: &Client) -> Result<Found, CallError> {
    let after = listing.position.after;
    let counted = if listing.behind_unreadable {
        ends_by_count(listing.position.seen, gitlab).await?
    } else {
        Some(false)
    };
    if counted == Some(true) {
        return Ok(Found::End);
    }
    for id in after + 1..=after + ONE_BY_ONE {
        // Who is shown here and not in the listing is no person.
        if gitlab.try_user(id).await?.is_err() {
            return Ok(Found::Account(id));
        }
    }
    match counted {
        Some(_) => Err(gitlab.listing_failed(fault.clone())),
        // Too many to be counted, and nobody behind: the end, as far as GitLab can tell.
        None => Ok(Found::End),
    }
}

/// Whether the `seen`th account of the listing, which cannot be shown, is its last; `None` where
/// GitLab does not count so far. Pages by number are empty behind the end, while pages by cursor
/// fail there as they do at such an account.
pub(super) async fn ends_by_count(seen: u64, gitlab: &Client) -> Result<Option<bool>, CallError> {
    let last = gitlab.position(seen).await?;
    let next = gitlab.position(seen + 1).await?;
    Ok(match (last, next) {
        (_, Ok(Position::NotCounted)) => None,
        (Err(_), Ok(Position::Nobody)) => Some(true),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => Some(false),
    })
}
