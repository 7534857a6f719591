//! Which accounts changed, by GraphQL: the order of `updated_at`, read from where it was read
//! before.
//!
//! It moves with an account's state, name, e-mail addresses, note and sign-ins, and with the first
//! activity of a day; not with identities, custom attributes and memberships. GraphQL alone serves:
//! by REST an empty page behind a cursor is a 500, so that nothing new would be an outage.
//!
//! No stage asks it yet: runs read everybody.

use std::collections::BTreeSet;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use serde::Deserialize;
use serde_json::json;

use super::{
    Client, LightUnavailable,
    client::FULL,
    graphql::{self, connection, contradiction, question},
};
use crate::upstream::{CallError, Fault, UpstreamResponse};

/// So long before the mark it is listed: transactions do not commit in the order of their times.
const OVERLAP: SignedDuration = SignedDuration::from_mins(1);
/// A change that is later than this from now is nobody's: the clocks of reads are held to as much.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// Pages of one answer, at most: a sweep serves better for more.
const MOST_PAGES: usize = 10;

/// URL-safe and without padding, as GitLab writes it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Up to where the changes are known: the newest of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedMark {
    /// GitLab's cursor of it.
    cursor: String,
    at: Timestamp,
    /// The account that changed.
    id: u64,
}

/// What changed since a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangedAccounts {
    /// These, and perhaps some that did not: those that changed in the minute before the mark, and
    /// where anything changed, those without a time, which are last in this order.
    These {
        /// By ascending id; nobody where nothing changed.
        ids: BTreeSet<u64>,
        /// Up to where that is told.
        mark: FeedMark,
    },
    /// It does not tell: why. Only a sweep does.
    NotTold(String),
}

/// A page of the feed.
struct FeedPage {
    ids: Vec<u64>,
    next: Option<String>,
}

/// The newest row.
enum NewestChange {
    /// There is no account.
    Nothing,
    /// Its time is not known; the rows whose time is come after this cursor.
    Undated { after: String },
    /// It can be marked.
    At(FeedMark),
}

/// What a cursor of this order holds, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedCursor {
    updated_at: Option<String>,
    id: String,
}

impl Client {
    /// Up to where accounts have changed by now; `None` where nothing tells of a change yet.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn feed_mark(&self) -> Result<Result<Option<FeedMark>, LightUnavailable>, CallError> {
        let newest = match self.newest_change(None).await? {
            Ok(NewestChange::Undated { after }) => self.newest_change(Some(&after)).await?,
            told => told,
        };
        Ok(match newest {
            Ok(NewestChange::At(mark)) => Ok(Some(mark)),
            Ok(NewestChange::Nothing) => Ok(None),
            Ok(NewestChange::Undated { .. }) => {
                graphql::unavailable("does not go on after the accounts without a time")
            }
            Err(unavailable) => Err(unavailable),
        })
    }

    /// Which accounts changed since `mark`: one call where none did.
    ///
    /// The row at the mark comes back with them, unless it changed since, and then it comes back as
    /// changed. An answer without it is not believed: it shows less than was shown before.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn changed_accounts(
        &self,
        mark: &FeedMark,
    ) -> Result<Result<ChangedAccounts, LightUnavailable>, CallError> {
        let newest = match self.feed_mark().await? {
            Ok(newest) => newest,
            Err(unavailable) => return Ok(Err(unavailable)),
        };
        let Some(newest) = newest else {
            return Ok(Ok(not_told(
                "no account has a time of its last change any more",
            )));
        };
        if newest.at > Timestamp::now() + AHEAD {
            // It stays the newest until then, whatever changes meanwhile.
            let why = format!("account {} changes in the future", newest.id);
            return Ok(Ok(ChangedAccounts::NotTold(why)));
        }
        if newest == *mark {
            let ids = BTreeSet::new();
            return Ok(Ok(ChangedAccounts::These { ids, mark: newest }));
        }
        let mut ids = BTreeSet::new();
        let mut after = mark.some_time_before();
        for _ in 0..MOST_PAGES {
            let page = match self.feed_page(&after).await? {
                Ok(page) => page,
                Err(unavailable) => return Ok(Err(unavailable)),
            };
            ids.extend(page.ids);
            match page.next {
                Some(next) => after = next,
                None if ids.contains(&mark.id) => {
                    return Ok(Ok(ChangedAccounts::These { ids, mark: newest }));
                }
                None => {
                    let why = format!(
                        "account {}, the last to change, is not shown again",
                        mark.id
                    );
                    return Ok(Ok(ChangedAccounts::NotTold(why)));
                }
            }
        }
        Ok(Ok(not_told(
            "more accounts changed than a feed is read for",
        )))
    }

    async fn newest_change(
        &self,
        after: Option<&str>,
    ) -> Result<Result<NewestChange, LightUnavailable>, CallError> {
        let question = question("UPDATED_DESC", 1, after, self.own_id().await?);
        self.ask_graphql("newest_change", question, newest).await
    }

    async fn feed_page(
        &self,
        after: &str,
    ) -> Result<Result<FeedPage, LightUnavailable>, CallError> {
        let question = question("UPDATED_ASC", FULL, Some(after), self.own_id().await?);
        let judge = |answer: &UpstreamResponse| page(answer, after);
        self.ask_graphql("list_changes", question, judge).await
    }
}

impl FeedMark {
    /// A cursor of the minute before it. GitLab takes one of any time.
    fn some_time_before(&self) -> String {
        let at = self.at.checked_sub(OVERLAP).unwrap_or(self.at);
        cursor_at(Some(at), 0)
    }
}

fn not_told(why: &str) -> ChangedAccounts {
    ChangedAccounts::NotTold(why.to_owned())
}

fn cursor_at(at: Option<Timestamp>, id: u64) -> String {
    let at = at.map(|at| {
        let at = at.to_zoned_datetime(TimeZone::UTC);
        at.strftime("%Y-%m-%d %H:%M:%S.%9f +0000").to_string()
    });
    BASE64.encode(json!({"updated_at": at, "id": id.to_string()}).to_string())
}

/// The newest row of an answer. Rows without a time come first; as do all of them before the cursor
/// of an id that is less than every id.
fn newest(answer: &UpstreamResponse) -> Result<Result<NewestChange, LightUnavailable>, Fault> {
    let users = match connection(answer)? {
        Ok(users) => users,
        Err(unavailable) => return Ok(Err(unavailable)),
    };
    let Some(row) = users.nodes.first() else {
        return Ok(Ok(NewestChange::Nothing));
    };
    let id = row.number()?;
    let cursor = users
        .end()
        .ok_or_else(|| contradiction("showed an account without its cursor".to_owned()))?;
    Ok(when(cursor, id).map(|at| match at {
        None => NewestChange::Undated {
            after: cursor_at(None, 0),
        },
        Some(at) => NewestChange::At(FeedMark {
            cursor: cursor.to_owned(),
            at,
            id,
        }),
    }))
}

/// When the row of account `id` changed, by its cursor. Only where GitLab's own is understood can
/// others be made.
fn when(cursor: &str, id: u64) -> Result<Option<Timestamp>, LightUnavailable> {
    let other = || LightUnavailable("GraphQL gives cursors of another kind".to_owned());
    let bytes = BASE64.decode(cursor).map_err(|_| other())?;
    let cursor: FeedCursor = serde_json::from_slice(&bytes).map_err(|_| other())?;
    if cursor.id != id.to_string() {
        return Err(other());
    }
    let at = |text: &str| written(text).ok_or_else(other);
    cursor.updated_at.as_deref().map(at).transpose()
}

/// `2026-11-28 16:35:39.381659000 +0000`, or with `UTC`.
fn written(text: &str) -> Option<Timestamp> {
    let mut ends = [" +0000", " UTC"].into_iter();
    let at: DateTime = ends.find_map(|end| text.strip_suffix(end))?.parse().ok()?;
    TimeZone::UTC.to_timestamp(at).ok()
}

fn page(
    answer: &UpstreamResponse,
    after: &str,
) -> Result<Result<FeedPage, LightUnavailable>, Fault> {
    let users = match connection(answer)? {
        Ok(users) => users,
        Err(unavailable) => return Ok(Err(unavailable)),
    };
    let numbers = users.nodes.iter().map(graphql::UserNode::number);
    let ids = numbers.collect::<Result<_, _>>()?;
    let next = graphql::next(&users, Some(after))?;
    Ok(Ok(FeedPage { ids, next }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// What GitLab 18.9 was recorded to give for account 136.
    const RECORDED: &str =
        "eyJ1cGRhdGVkX2F0IjoiMjAyNi0xMS0yOCAxNjozNTozOS4zODE2NTkwMDAgKzAwMDAiLCJpZCI6IjEzNiJ9";

    #[test]
    fn a_recorded_cursor_tells_when_its_account_changed() {
        let at: Timestamp = "2026-11-28T16:35:39.381659Z".parse().unwrap();
        assert_eq!(when(RECORDED, 136), Ok(Some(at)));
        when(RECORDED, 135).unwrap_err();
    }

    #[rstest]
    #[case::another_order(r#"{"created_at":"2023-11-01 09:00:00.000000000 +0000","id":"136"}"#)]
    #[case::another_key(
        r#"{"updated_at":"2023-11-01 09:00:00.000000000 +0000","id":"136","_kd":"n"}"#
    )]
    #[case::another_zone(r#"{"updated_at":"2023-11-01 09:00:00.000000000 +0100","id":"136"}"#)]
    #[case::no_time(r#"{"updated_at":"yesterday UTC","id":"136"}"#)]
    #[case::nothing("")]
    fn a_cursor_of_another_kind_is_not_understood(#[case] cursor: &str) {
        when(&BASE64.encode(cursor), 136).unwrap_err();
    }

    proptest! {
        #[test]
        fn a_cursor_that_is_made_tells_what_it_was_made_of(second in 0_i64..4_000_000_000, id in 0_u64..9_999) {
            let at = Timestamp::from_second(second).unwrap();
            prop_assert_eq!(when(&cursor_at(Some(at), id), id), Ok(Some(at)));
            prop_assert_eq!(when(&cursor_at(None, id), id), Ok(None));
        }

        #[test]
        fn no_cursor_makes_it_panic(cursor in ".{0,80}") {
            let _ = when(&cursor, 136);
        }
    }
}
