//! Lists of rows, read one by one: what is kept does not grow with what was sent.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, SeqAccess, Visitor},
};

use super::{
    Unreadable, User,
    row::{self, Row},
};
use crate::{
    gate::ErrorKind,
    upstream::{Fault, UpstreamResponse},
};

/// What a row shows of its account.
pub(super) enum Shown {
    /// All that decisions rest on.
    User(User),
    /// Something that decisions rest on is not usable; nobody may conclude anything from the rest.
    Odd(Unreadable),
}

impl Shown {
    /// The account's id.
    pub(super) fn id(&self) -> u64 {
        match self {
            Self::User(user) => user.id,
            Self::Odd(odd) => odd.id,
        }
    }

    /// The account where nothing but it was asked for.
    pub(super) fn alone(self) -> Result<User, Fault> {
        match self {
            Self::User(user) => Ok(user),
            Self::Odd(odd) => Err(Fault::new(ErrorKind::Unreadable, odd.why)
                .advising("ask those who run GitLab to look at this account")),
        }
    }
}

/// A row that was judged as soon as it was read: a page of rows is not held beside its users.
struct Judged(Result<Shown, Fault>);

impl<'de> Deserialize<'de> for Judged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Row::deserialize(deserializer).map(|row| Self(row::shown(row)))
    }
}

/// Reads a list of at most `most` rows, and no further than the first that says the token may not
/// see it.
struct RowReader<'f> {
    most: usize,
    refused: &'f mut Option<Fault>,
}

impl<'de> DeserializeSeed<'de> for RowReader<'_> {
    type Value = Vec<Shown>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowReader<'_> {
    type Value = Vec<Shown>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of accounts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Self::Value, A::Error> {
        let mut shown = Vec::new();
        while let Some(Judged(row)) = rows.next_element()? {
            let row = if shown.len() < self.most {
                row
            } else {
                Err(Fault::new(
                    ErrorKind::Inconsistent,
                    format!("showed more than the {} accounts asked for", self.most),
                ))
            };
            match row {
                Ok(row) => shown.push(row),
                Err(fault) => {
                    *self.refused = Some(fault);
                    return Err(A::Error::custom("refused"));
                }
            }
        }
        Ok(shown)
    }
}

/// The rows of a page on which `most` were asked for.
pub(super) fn rows(answer: &UpstreamResponse, most: usize) -> Result<Vec<Shown>, Fault> {
    let mut refused = None;
    let reader = RowReader {
        most,
        refused: &mut refused,
    };
    let read = answer.json_by(reader);
    refused.map_or(read, Err)
}

/// The accounts of a listing on which `most` were asked for, each of which has to be usable.
pub(super) fn users(answer: &UpstreamResponse, most: usize) -> Result<Vec<User>, Fault> {
    rows(answer, most)?.into_iter().map(Shown::alone).collect()
}
