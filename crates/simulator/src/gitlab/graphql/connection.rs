//! `users`: in an order by a time, with ties by descending ids, cut by cursors of the time and the
//! id.

use std::{cmp::Ordering, collections::BTreeSet};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value};

use super::{
    super::{
        account::SimulatedUser,
        activity::Activity,
        authorization::Caller,
        json::JsonRow,
        kinds::{Kind, UserState},
        parameters::time,
        store::GitLabStore,
    },
    LARGEST_PAGE,
};

/// What a listing is ordered by. A row whose time is null comes last ascending, first descending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UserSort {
    key: TimeKey,
    descending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimeKey {
    Created,
    Updated,
}

const fn sort(key: TimeKey, descending: bool) -> UserSort {
    UserSort { key, descending }
}

/// The values of `Sort`; each has an older spelling in small letters.
pub(super) const SORTS: [(&str, UserSort); 8] = [
    ("CREATED_ASC", sort(TimeKey::Created, false)),
    ("CREATED_DESC", sort(TimeKey::Created, true)),
    ("UPDATED_ASC", sort(TimeKey::Updated, false)),
    ("UPDATED_DESC", sort(TimeKey::Updated, true)),
    ("created_asc", sort(TimeKey::Created, false)),
    ("created_desc", sort(TimeKey::Created, true)),
    ("updated_asc", sort(TimeKey::Updated, false)),
    ("updated_desc", sort(TimeKey::Updated, true)),
];

/// Which rows, and which of them.
#[derive(Debug)]
pub(super) struct UserQuery {
    pub(super) sort: UserSort,
    pub(super) ids: Option<BTreeSet<u64>>,
    pub(super) usernames: Option<Vec<String>>,
    pub(super) humans: bool,
    pub(super) active: bool,
    pub(super) first: Option<usize>,
    pub(super) last: Option<usize>,
    pub(super) after: Option<RowPosition>,
    pub(super) before: Option<RowPosition>,
}

/// A row's place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowPosition {
    at: Option<Timestamp>,
    id: u64,
}

/// A cursor that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CursorError {
    /// No cursor at all.
    Nonsense,
    /// One of another order, over which GitLab fails, in its words.
    OtherKeys(String),
}

/// One page of rows.
#[derive(Debug)]
pub(super) struct ConnectionPage<'a> {
    pub(super) accounts: Vec<&'a SimulatedUser>,
    pub(super) has_next: bool,
    pub(super) has_previous: bool,
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
}

/// URL-safe and without padding, read with it too.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl UserSort {
    pub(super) fn named(name: &str) -> Option<Self> {
        let found = SORTS.iter().find(|(known, _)| *known == name);
        found.map(|(_, sort)| *sort)
    }

    fn key(self) -> &'static str {
        match self.key {
            TimeKey::Created => "created_at",
            TimeKey::Updated => "updated_at",
        }
    }

    fn position(self, account: &SimulatedUser, activity: &Activity) -> RowPosition {
        RowPosition {
            at: match self.key {
                TimeKey::Created => created_at(account),
                TimeKey::Updated => activity.updated_at(account),
            },
            id: account.id,
        }
    }

    fn compare(self, one: RowPosition, other: RowPosition) -> Ordering {
        let ascending = match (one.at, other.at) {
            (Some(one), Some(other)) => one.cmp(&other),
            (one, other) => one.is_none().cmp(&other.is_none()),
        };
        let by_time = if self.descending {
            ascending.reverse()
        } else {
            ascending
        };
        by_time.then(other.id.cmp(&one.id))
    }

    fn cursor(self, position: RowPosition) -> String {
        let at = position.at.map(|at| {
            let at = at.to_zoned_datetime(TimeZone::UTC);
            at.strftime("%Y-%m-%d %H:%M:%S.%9f +0000").to_string()
        });
        let mut row = JsonRow::default();
        row.push(self.key(), &at);
        row.push("id", &position.id.to_string());
        BASE64.encode(serde_json::to_vec(&row).unwrap_or_default())
    }

    /// Reads a cursor.
    pub(super) fn read(self, text: &str) -> Result<RowPosition, CursorError> {
        let bytes = BASE64.decode(text).map_err(|_| CursorError::Nonsense)?;
        let keys: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|_| CursorError::Nonsense)?;
        let wanted = [self.key(), "id"];
        let extra = keys.keys().filter(|key| !wanted.contains(&key.as_str()));
        let extra: Vec<&str> = extra.map(String::as_str).collect();
        let missing: Vec<&str> = wanted
            .into_iter()
            .filter(|key| !keys.contains_key(*key))
            .collect();
        if !extra.is_empty() || !missing.is_empty() {
            return Err(CursorError::OtherKeys(format!(
                "Incorrect cursor values were given. Extra items: {}. Missing items: {}",
                extra.join(", "),
                missing.join(", ")
            )));
        }
        let broken = || CursorError::OtherKeys("invalid cursor".to_owned());
        let id = match keys.get("id") {
            Some(Value::String(id)) => id.trim().parse().ok(),
            Some(id) => id.as_u64(),
            None => None,
        };
        let at = match keys.get(self.key()).and_then(Value::as_str) {
            None => None,
            Some(text) => Some(written(text).ok_or_else(broken)?),
        };
        Ok(RowPosition {
            at,
            id: id.ok_or_else(broken)?,
        })
    }
}

/// `2026-11-28 15:30:00.000000000 +0000`, or with `UTC`.
fn written(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let text = [" +0000", " UTC", "Z"]
        .into_iter()
        .find_map(|end| text.strip_suffix(end))
        .unwrap_or(text);
    time(&format!("{}Z", text.replace(' ', "T")))
}

/// `created_at` of a row.
pub(super) fn created_at(account: &SimulatedUser) -> Option<Timestamp> {
    account.others.get("created_at")?.as_str().and_then(time)
}

impl UserQuery {
    /// The page. Who is no administrator sees no blocked account.
    pub(super) fn page<'a>(&self, store: &'a GitLabStore, caller: Caller) -> ConnectionPage<'a> {
        let mut rows = self.rows(store, caller);
        let by_position =
            |one: &(RowPosition, _), other: &(RowPosition, _)| self.sort.compare(one.0, other.0);
        let backwards = self.last.is_some() && self.first.is_none();
        let size = if backwards { self.last } else { self.first };
        let size = size.unwrap_or(LARGEST_PAGE).min(LARGEST_PAGE);
        let more = rows.len() > size;
        if more {
            let skipped = rows.len() - size;
            // Only what is on the page is put in order: there may be a hundred thousand beside it.
            let start = if backwards { skipped } else { size };
            let start = start.min(skipped + size - 1);
            rows.select_nth_unstable_by(start, by_position);
            if backwards {
                rows.drain(..skipped);
            } else {
                rows.truncate(size);
            }
        }
        rows.sort_unstable_by(by_position);
        let (has_next, has_previous) = if backwards {
            (self.before.is_some(), more)
        } else {
            (more, self.after.is_some())
        };
        let cursor = |row: Option<&(RowPosition, _)>| row.map(|(at, _)| self.sort.cursor(*at));
        ConnectionPage {
            has_next,
            has_previous,
            start: cursor(rows.first()),
            end: cursor(rows.last()),
            accounts: rows.into_iter().map(|(_, account)| account).collect(),
        }
    }

    fn rows<'a>(
        &self,
        store: &'a GitLabStore,
        caller: Caller,
    ) -> Vec<(RowPosition, &'a SimulatedUser)> {
        let all: Box<dyn Iterator<Item = &SimulatedUser>> = match &self.ids {
            Some(ids) => Box::new(ids.iter().filter_map(|id| store.accounts.get(id))),
            None => Box::new(store.accounts.values()),
        };
        all.filter(|account| self.admits(account, caller))
            .map(|account| (self.sort.position(account, &store.activity), account))
            .filter(|(at, _)| {
                let beyond = |mark: Option<RowPosition>, side| {
                    mark.is_none_or(|mark| self.sort.compare(*at, mark) == side)
                };
                beyond(self.after, Ordering::Greater) && beyond(self.before, Ordering::Less)
            })
            .collect()
    }

    fn admits(&self, account: &SimulatedUser, caller: Caller) -> bool {
        let named = |names: &Vec<String>| {
            names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(&account.username))
        };
        (caller.admin || !account.state.is_hidden_from_others())
            && (!self.humans || account.kind == Kind::Human)
            && (!self.active || account.state == UserState::Active)
            && self.usernames.as_ref().is_none_or(named)
    }
}
