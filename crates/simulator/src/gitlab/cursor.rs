//! GitLab's cursors: the keys of a row, unsigned, so that anybody can make one up.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{account::SimulatedUser, activity::Activity, json::JsonRow, pages::ListingError};

/// What a listing by cursor is ordered by. `created_at` is answered in the order of the ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Id,
    Name,
    Username,
    UpdatedAt,
}

/// A row's place in an order. A key that is null comes behind all others.
pub(super) type SortPosition = (bool, String, u64);

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) place: SortPosition,
    /// `_kd`; without it the page is right, and says nothing of what comes before and after.
    pub(super) direction: Option<Direction>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Next,
    Previous,
}

/// URL-safe, with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Order {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "id" | "created_at" => Self::Id,
            "name" => Self::Name,
            "username" => Self::Username,
            "updated_at" => Self::UpdatedAt,
            _ => return None,
        })
    }

    /// The name of its key in a cursor, beside the id.
    fn key(self) -> Option<&'static str> {
        match self {
            Self::Id => None,
            Self::Name => Some("name"),
            Self::Username => Some("username"),
            Self::UpdatedAt => Some("updated_at"),
        }
    }

    /// Where the account stands. Texts compare by their bytes, as in a database with the collation
    /// `C`.
    pub(super) fn place(self, account: &SimulatedUser, activity: &Activity) -> SortPosition {
        let key = self.value(account, activity);
        (key.is_none(), key.unwrap_or_default(), account.id)
    }

    fn value(self, account: &SimulatedUser, activity: &Activity) -> Option<String> {
        match self {
            Self::Id => Some(String::new()),
            Self::Username => Some(account.username.clone()),
            Self::UpdatedAt => {
                let at = activity.updated_at(account)?;
                let at = at.to_zoned_datetime(TimeZone::UTC);
                Some(at.strftime("%Y-%m-%d %H:%M:%S.%9f +0000").to_string())
            }
            Self::Name => match account.others.get("name") {
                None => Some(account.username.clone()),
                // Rows veil the names of projects' bots; the order is by the true ones, which no
                // page shows.
                Some(name) if name == "****" => Some(account.username.clone()),
                Some(name) => name.as_str().map(str::to_owned),
            },
        }
    }

    /// The cursor that leads on from this account.
    pub(super) fn cursor(
        self,
        account: &SimulatedUser,
        activity: &Activity,
        to: Direction,
    ) -> String {
        let mut row = JsonRow::default();
        if let Some(key) = self.key() {
            row.push(key, &self.value(account, activity));
        }
        row.push("id", &account.id.to_string());
        row.push("_kd", &to.as_str());
        BASE64.encode(serde_json::to_vec(&row).unwrap_or_default())
    }

    /// Reads a cursor. Nonsense, another order's keys and an id that is no number break GitLab.
    pub(super) fn read(self, text: &str) -> Result<Cursor, ListingError> {
        let bytes = BASE64.decode(text).map_err(|_| ListingError::Broken)?;
        let keys: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|_| ListingError::Broken)?;
        let mut wanted: Vec<&str> = self.key().into_iter().chain(["id"]).collect();
        wanted.sort_unstable();
        let given: Vec<&str> = keys
            .keys()
            .map(String::as_str)
            .filter(|key| *key != "_kd")
            .collect();
        if given != wanted {
            return Err(ListingError::Broken);
        }
        let id = match keys.get("id") {
            Some(Value::String(id)) => id.parse().ok(),
            Some(id) => id.as_u64(),
            None => None,
        };
        let key = self.key().and_then(|key| keys.get(key));
        let text = key.and_then(Value::as_str).unwrap_or_default();
        let direction = match keys.get("_kd") {
            None => None,
            Some(kind) if *kind == json!("p") => Some(Direction::Previous),
            Some(_) => Some(Direction::Next),
        };
        Ok(Cursor {
            place: (
                key.is_some_and(Value::is_null),
                text.to_owned(),
                id.ok_or(ListingError::Broken)?,
            ),
            direction,
        })
    }
}

impl Direction {
    fn as_str(self) -> &'static str {
        match self {
            Self::Next => "n",
            Self::Previous => "p",
        }
    }
}
