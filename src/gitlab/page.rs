use reqwest::header::{HeaderMap, LINK};
use url::form_urlencoded;

use super::{User, row};
use crate::upstream::{Answer, ErrorKind, Fault};

/// One page of a keyset listing, by ascending id.
#[derive(Clone, Debug)]
pub struct Page {
    /// The rows.
    pub users: Vec<User>,
    /// Where the next page starts; `None` on the last. Opaque, and only good for the same listing.
    pub next: Option<String>,
}

/// What `Page::next` holds: GitLab's cursor, and the last id seen, so that a listing that goes round is noticed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Start<'a> {
    last_id: u64,
    pub(super) cursor: Option<&'a str>,
}

impl<'a> Start<'a> {
    pub(super) fn read(text: Option<&'a str>) -> Self {
        let Some(text) = text else {
            return Self::default();
        };
        let ours = text
            .split_once('.')
            .and_then(|(id, cursor)| Some((id.parse().ok()?, cursor)));
        let (last_id, cursor) = ours.unwrap_or((0, text));
        Self {
            last_id,
            cursor: Some(cursor),
        }
    }
}

/// Reads the page that begins at `start`.
pub(super) fn page(answer: &Answer, start: Start<'_>) -> Result<Page, Fault> {
    let users = row::users(answer)?;
    let mut last_id = start.last_id;
    for user in &users {
        // Every page going on from the last id is what makes the listing end.
        if user.id <= last_id {
            return Err(goes_round(&format!(
                "account {} came after account {last_id}",
                user.id
            )));
        }
        last_id = user.id;
    }
    let cursor = next_cursor(&answer.headers)?;
    match &cursor {
        Some(_) if users.is_empty() => return Err(goes_round("an empty page was not the last")),
        Some(next) if Some(next.as_str()) == start.cursor => {
            return Err(goes_round("a page named itself as the next one"));
        }
        Some(_) | None => {}
    }
    Ok(Page {
        users,
        next: cursor.map(|cursor| format!("{last_id}.{cursor}")),
    })
}

fn goes_round(how: &str) -> Fault {
    Fault::new(
        ErrorKind::Unreadable,
        format!("gave a listing that does not go forward: {how}"),
    )
}

/// `X-NEXT-CURSOR`, else the cursor of the `Link` header. The link itself is not followed: its host is the one GitLab
/// is configured with, which need not be the one it is reached by.
fn next_cursor(headers: &HeaderMap) -> Result<Option<String>, Fault> {
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

/// The query of the link whose relation is `next` (RFC 8288).
fn next_link(links: &str) -> Option<&str> {
    links.split('<').skip(1).find_map(|link| {
        let (target, parameters) = link.split_once('>')?;
        let is_next = parameters.split([';', ',']).any(|parameter| {
            let parameter = parameter.trim();
            parameter == "rel=next" || parameter == r#"rel="next""#
        });
        is_next.then(|| target.split_once('?').map_or("", |(_, query)| query))
    })
}

fn cursor_of(query: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, value)| key == "cursor" && !value.is_empty())
        .map(|(_, value)| value.into_owned())
}
