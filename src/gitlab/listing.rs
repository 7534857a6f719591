//! All human accounts, proven complete, whatever single accounts GitLab cannot show.
//!
//! One account whose row GitLab cannot make (without a personal namespace, for one) has every page
//! that holds it answered 500, for ever. Such a page is halved until the account is known, and the
//! listing goes on behind it.

mod search;

use super::{Client, ListingPosition, Page, Unreadable, User, client::FULL, page::is_known_cursor};
use crate::upstream::{CallError, Fault};

use self::search::Found;

/// How often in a row a page that failed may turn out to hold nothing that fails, before it is
/// GitLab's fault.
const FALSE_ALARMS: u8 = 3;

/// A walk through the listing. Where a step fails, the walk stays where it is and can be gone on
/// with later.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    position: ListingPosition,
    /// No account after this one is of interest.
    until: Option<u64>,
    /// One of so many next accounts cannot be shown, for this reason.
    trouble: Option<(usize, Fault)>,
    false_alarms: u8,
    cursors: Cursors,
    /// The account before `position` cannot be shown.
    behind_unreadable: bool,
    ended: bool,
}

/// Whether a cursor of any id can be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Cursors {
    /// No cursor of GitLab's has been seen that says otherwise.
    #[default]
    Makeable,
    /// GitLab's own are of another form.
    Strange,
}

/// The next accounts of a listing.
#[derive(Debug, Default)]
pub struct ListingBatch {
    /// Those that can be used.
    pub users: Vec<User>,
    /// Those that cannot, each once.
    pub unreadable: Vec<Unreadable>,
}

impl Listing {
    /// The listing from `position` up to account `until`, inclusive.
    #[must_use]
    pub fn between(position: ListingPosition, until: u64) -> Self {
        Self {
            position,
            until: Some(until),
            ..Self::default()
        }
    }

    /// Whether account `id` is where it ends.
    pub fn reaches(&self, id: u64) -> bool {
        self.until == Some(id)
    }

    /// Lets it go on up to account `until`.
    pub fn extend_to(&mut self, until: u64) {
        self.until = Some(until);
    }

    /// Where it goes on.
    pub const fn position(&self) -> &ListingPosition {
        &self.position
    }

    /// Whether the end was reached, and proven to be it.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The next accounts, of one page at most. None of them may be all that the answer says.
    ///
    /// # Errors
    /// See [`CallError`]; asked again, it goes on from the same place.
    pub async fn next(&mut self, gitlab: &Client) -> Result<ListingBatch, CallError> {
        if self.ended {
            return Ok(ListingBatch::default());
        }
        if self.trouble.is_some() {
            return self.narrow(gitlab).await;
        }
        match gitlab.users_page(Some(&self.position)).await {
            Ok(page) => self.take(page, FULL, gitlab).await,
            Err(error) if error.may_lie_in_what_was_asked() => {
                self.suspect(error, gitlab).await?;
                Ok(ListingBatch::default())
            }
            Err(error) => Err(error),
        }
    }

    /// Takes in a page on which `size` accounts were asked for.
    async fn take(
        &mut self,
        page: Page,
        size: usize,
        gitlab: &Client,
    ) -> Result<ListingBatch, CallError> {
        let rows = page.rows();
        let mut ended = false;
        let position = match page.next {
            Some(next) => {
                self.learn(&next);
                next
            }
            // GitLab itself names a next page wherever there is one. What stands between may drop
            // that.
            None if rows >= size || rows == 0 => match gitlab.greatest(None).await? {
                Some(last) if last <= page.end.after => {
                    ended = true;
                    page.end
                }
                // An empty page says so itself, where the last account is the one that cannot be
                // shown.
                None if rows == 0 && self.behind_unreadable => {
                    ended = true;
                    page.end
                }
                Some(_) | None if rows == 0 => {
                    return Err(
                        gitlab.listing_contradicts("an empty page came before the last account")
                    );
                }
                Some(_) | None => self.can_make(page.end, gitlab)?,
            },
            None => {
                ended = true;
                page.end
            }
        };
        let mut batch = ListingBatch {
            users: page.users,
            unreadable: page.odd,
        };
        if let Some(until) = self.until {
            ended |= position.after >= until;
            batch.users.retain(|user| user.id <= until);
            batch.unreadable.retain(|account| account.id <= until);
        }
        self.position = position;
        self.ended = ended;
        self.behind_unreadable = false;
        self.false_alarms = 0;
        self.trouble = self.trouble.take().and_then(|(left, fault)| {
            let left = left.saturating_sub(rows);
            (left > 0 && !ended).then_some((left, fault))
        });
        Ok(batch)
    }

    /// A page failed again and again. Is it GitLab, or one of the accounts?
    async fn suspect(&mut self, error: CallError, gitlab: &Client) -> Result<(), CallError> {
        gitlab.proves_well().await?;
        if gitlab
            .greatest(None)
            .await?
            .is_some_and(|last| last <= self.position.after)
        {
            // A page behind the last account is a 500 in GitLab: those that this cursor led to are
            // gone.
            self.ended = true;
            return Ok(());
        }
        if self.behind_unreadable
            && search::ends_by_count(self.position.seen, gitlab).await? == Some(true)
        {
            self.ended = true;
            return Ok(());
        }
        self.false_alarms += 1;
        if self.false_alarms > FALSE_ALARMS {
            self.false_alarms = 0;
            return Err(error);
        }
        self.trouble = Some((
            FULL,
            Fault::new(error.kind(), "could not show a page of accounts"),
        ));
        Ok(())
    }

    /// One step nearer to the account that cannot be shown.
    async fn narrow(&mut self, gitlab: &Client) -> Result<ListingBatch, CallError> {
        while let Some((left, fault)) = self.trouble.clone() {
            if left <= 1 {
                return self.skip(fault, gitlab).await;
            }
            let size = left / 2;
            match gitlab.try_page(&self.position, size).await? {
                Ok(page) => return self.take(page, size, gitlab).await,
                Err(fault) => self.trouble = Some((size, fault)),
            }
        }
        Ok(ListingBatch::default())
    }

    /// Finds out who comes next, which cannot be shown, and goes on behind them.
    async fn skip(&mut self, fault: Fault, gitlab: &Client) -> Result<ListingBatch, CallError> {
        // Whatever comes of it, the page is asked for again: GitLab may have been at fault all along,
        // and who is looked for be nobody. A walk that only looked again would never end.
        self.trouble = None;
        match search::next_unreadable(self, &fault, gitlab).await? {
            Found::Nobody => Ok(ListingBatch::default()),
            Found::End => {
                self.ended = true;
                Ok(ListingBatch::default())
            }
            Found::Account(id) => {
                let behind = ListingPosition::after(id, self.position.seen + 1);
                self.position = self.can_make(behind, gitlab)?;
                self.behind_unreadable = true;
                self.false_alarms = 0;
                self.ended = self.until.is_some_and(|until| id >= until);
                let why = format!("{fault} wherever account {id} is in the answer");
                let unreadable = self.until.is_none_or(|until| id <= until);
                Ok(ListingBatch {
                    users: Vec::new(),
                    unreadable: unreadable
                        .then_some(Unreadable { id, why })
                        .into_iter()
                        .collect(),
                })
            }
        }
    }

    fn learn(&mut self, next: &ListingPosition) {
        let is_known = next
            .cursor
            .as_deref()
            .is_some_and(|cursor| is_known_cursor(cursor, next.after));
        if !is_known {
            self.cursors = Cursors::Strange;
        }
    }

    /// `position`, if cursors can be made.
    fn can_make(
        &self,
        position: ListingPosition,
        gitlab: &Client,
    ) -> Result<ListingPosition, CallError> {
        match self.cursors {
            Cursors::Makeable => Ok(position),
            Cursors::Strange => Err(gitlab.listing_contradicts(
                "it must be continued from an account, and its cursors are of an unknown form",
            )),
        }
    }
}
