//! One page of GitLab's listing of accounts, and the cursor between two pages.

use base64::{Engine, prelude::BASE64_URL_SAFE as URL_SAFE};
use reqwest::header::{HeaderMap, LINK};
use url::form_urlencoded;

use super::{
    Unreadable, User,
    rows::{self, Shown},
};
use crate::{
    gate::ErrorKind,
    upstream::{Fault, UpstreamResponse},
};

/// One page of a keyset listing, by ascending id.
#[derive(Clone, Debug)]
pub struct Page {
    /// The accounts that can be used.
    pub users: Vec<User>,
    /// Those that cannot.
    pub odd: Vec<Unreadable>,
    /// Where the next page starts; `None` where GitLab names none. That alone does not prove that
    /// there is none.
    pub next: Option<ListingPosition>,
    /// Where a page after the last row would start.
    pub(super) end: ListingPosition,
}

/// A place in the listing, between two accounts; only good for that listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListingPosition {
    /// The last id before it; 0 at the start.
    pub(super) after: u64,
    /// GitLab's cursor for it; `None` at the start.
    pub(super) cursor: Option<String>,
    /// Accounts before it.
    pub(super) seen: u64,
}

impl ListingPosition {
    /// The last account before it; 0 at the start.
    pub const fn last(&self) -> u64 {
        self.after
    }

    /// Right after account `id`, the `seen`th, by a cursor made here: GitLab takes one of any id
    /// (`lib/gitlab/pagination/keyset/`; see [`is_known_cursor`]).
    pub(super) fn after(id: u64, seen: u64) -> Self {
        Self {
            after: id,
            cursor: Some(cursor_at(id)),
            seen,
        }
    }
}

/// A cursor at account `id` of a listing by id, whichever way it goes.
pub(super) fn cursor_at(id: u64) -> String {
    URL_SAFE.encode(format!(r#"{{"id":"{id}","_kd":"n"}}"#))
}

/// Whether `cursor` is what [`cursor_at`] makes of that id: only then may others be made.
pub(super) fn is_known_cursor(cursor: &str, id: u64) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Known {
        id: String,
        #[serde(rename = "_kd")]
        direction: String,
    }
    let bytes = URL_SAFE.decode(cursor).ok();
    let known = bytes.and_then(|bytes| serde_json::from_slice::<Known>(&bytes).ok());
    known.is_some_and(|known| known.id == id.to_string() && known.direction == "n")
}

impl Page {
    /// Rows of it, usable or not.
    pub(super) fn rows(&self) -> usize {
        self.users.len() + self.odd.len()
    }
}

/// Reads the page of at most `most` rows that begins at `start`.
pub(super) fn page(
    answer: &UpstreamResponse,
    start: &ListingPosition,
    most: usize,
) -> Result<Page, Fault> {
    let (mut users, mut odd) = (Vec::new(), Vec::new());
    let mut last_id = start.after;
    let mut seen = start.seen;
    for row in rows::rows(answer, most)? {
        // Every page going on from the last id is what makes the listing end.
        if row.id() <= last_id {
            return Err(goes_round(&format!(
                "account {} came after account {last_id}",
                row.id()
            )));
        }
        last_id = row.id();
        seen += 1;
        match row {
            Shown::User(user) => users.push(user),
            Shown::Odd(account) => odd.push(account),
        }
    }
    let cursor = next_cursor(&answer.headers)?;
    match &cursor {
        Some(_) if seen == start.seen => {
            return Err(goes_round("an empty page was not the last"));
        }
        Some(next) if Some(next) == start.cursor.as_ref() => {
            return Err(goes_round("a page named itself as the next one"));
        }
        Some(_) => {}
        None => ends(&answer.headers, seen)?,
    }
    Ok(Page {
        users,
        odd,
        next: cursor.map(|cursor| ListingPosition {
            after: last_id,
            cursor: Some(cursor),
            seen,
        }),
        end: ListingPosition::after(last_id, seen),
    })
}

/// Whether a page without a next one may be the last, after `seen` accounts in all.
fn ends(headers: &HeaderMap, seen: u64) -> Result<(), Fault> {
    let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    if seen == 0 {
        // GitLab always has an administrator, who is a person.
        return Err(cut_short("it showed no account at all"));
    }
    if let Some(page) = number("x-next-page") {
        return Err(cut_short(&format!(
            "it showed no cursor but names page {page} as the next"
        )));
    }
    match number("x-total") {
        Some(total) if total > seen => Err(cut_short(&format!(
            "it ended after {seen} accounts and yet tells of {total}"
        ))),
        Some(_) | None => Ok(()),
    }
}

fn cut_short(how: &str) -> Fault {
    Fault::new(
        ErrorKind::Inconsistent,
        format!("gave a listing that was cut short: {how}"),
    )
}

fn goes_round(how: &str) -> Fault {
    Fault::new(
        ErrorKind::Inconsistent,
        format!("gave a listing that does not go forward: {how}"),
    )
}

/// `X-NEXT-CURSOR`, else the cursor of the `Link` header. The link itself is not followed: its host
/// is the one GitLab is configured with, which need not be the one it is reached by.
pub(super) fn next_cursor(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    if let Some(cursor) = headers.get("x-next-cursor") {
        let cursor = cursor
            .to_str()
            .map_err(|_| goes_round("the next cursor is not text"))?
            .trim();
        if !cursor.is_empty() {
            return Ok(Some(cursor.to_owned()));
        }
    }
    let mut links = headers
        .get_all(LINK)
        .iter()
        .filter_map(|link| link.to_str().ok());
    match links.find_map(next_link) {
        Some(query) => cursor_of(query)
            .map(Some)
            .ok_or_else(|| goes_round("it is paged by number, not by cursor")),
        None => Ok(None),
    }
}

/// The query of the link among whose relations is `next`: relations are a list, in whatever case
/// (RFC 8288, 3.3).
fn next_link(links: &str) -> Option<&str> {
    links.split('<').skip(1).find_map(|link| {
        let (target, parameters) = link.split_once('>')?;
        parameters
            .split([';', ','])
            .any(is_next)
            .then(|| target.split_once('?').map_or("", |(_, query)| query))
    })
}

fn is_next(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        let relations = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("rel")
            && relations
                .split_ascii_whitespace()
                .any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

fn cursor_of(query: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, value)| key == "cursor" && !value.is_empty())
        .map(|(_, value)| value.into_owned())
}
