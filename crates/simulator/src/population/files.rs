//! A population from real data: rows as the two APIs sent them, saved in files.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::Population;
use crate::{
    gitlab::{self, RowError, SimulatedUser},
    lookup::{PersonError, SimulatedPerson},
};

/// Keys without which the service refuses a row, as only an administrator's token sees them.
const REQUIRED: [(&str, &str); 3] = [
    ("is_admin", "save the rows with an administrator's token"),
    (
        "last_activity_on",
        "save the rows with an administrator's token",
    ),
    (
        "custom_attributes",
        "save the rows with with_custom_attributes=true",
    ),
];

/// A file that is no population.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "path, and the row counted from 1")]
pub enum PopulationFileError {
    /// Not readable.
    #[error("{}: cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// Saved in another encoding.
    #[error("{}: the file {what}", path.display())]
    Encoding { path: PathBuf, what: &'static str },
    /// Not JSON.
    #[error("{}: not JSON", path.display())]
    Json {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// JSON, but no rows in it.
    #[error("{}: no row in it; a JSON array of rows is expected, as the API sends them", path.display())]
    Empty { path: PathBuf },
    /// A row that is no account.
    #[error("{}: row {row} is no account of GitLab's users API", path.display())]
    SimulatedUser {
        path: PathBuf,
        row: usize,
        source: RowError,
    },
    /// A row as a token without administrator's rights sees it.
    #[error("{}: row {row} lacks {key}; {advice}", path.display())]
    Incomplete {
        path: PathBuf,
        row: usize,
        key: &'static str,
        advice: &'static str,
    },
    /// A row that is no person.
    #[error("{}: row {row} is no person of Lookup's web service", path.display())]
    SimulatedPerson {
        path: PathBuf,
        row: usize,
        source: PersonError,
    },
}

impl Population {
    /// Reads the rows of both sides. A file is a JSON array of rows, an array of pages, or pages
    /// one after the other; Lookup's may be whole answers (`{"result":{"people":[…]}}`). Of two
    /// rows with the same id the later counts. The service's own account is added if it is not
    /// there. No ends are expected of such a population.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or a row is not what the API sends; the first such row is named.
    pub fn from_files(
        gitlab_users: &Path,
        lookup_people: &Path,
    ) -> Result<Self, PopulationFileError> {
        let mut accounts = BTreeMap::new();
        for (position, row) in rows(gitlab_users)?.into_iter().enumerate() {
            let account = account(gitlab_users, position + 1, row)?;
            accounts.insert(account.id, account);
        }
        gitlab::ensure_owner(&mut accounts);
        let population = Self {
            accounts: accounts.into_values().collect(),
            ..Self::default()
        };
        population.with_people(lookup_people)
    }

    /// Reads Lookup's people from a file, in place of those that were there.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or a row is not what the API sends; the first such row is
    /// named.
    pub fn with_people(mut self, lookup_people: &Path) -> Result<Self, PopulationFileError> {
        let mut people = BTreeMap::new();
        for (position, row) in rows(lookup_people)?.into_iter().enumerate() {
            let person = SimulatedPerson::from_row(row).map_err(|source| {
                PopulationFileError::SimulatedPerson {
                    path: lookup_people.to_owned(),
                    row: position + 1,
                    source,
                }
            })?;
            people.insert(person.crsid.clone(), person);
        }
        self.people = people.into_values().collect();
        Ok(self)
    }
}

fn account(path: &Path, row: usize, value: Value) -> Result<SimulatedUser, PopulationFileError> {
    let lacking = REQUIRED
        .into_iter()
        .find(|(key, _)| value.is_object() && value.get(key).is_none());
    let account = SimulatedUser::from_row(value);
    let path = path.to_owned();
    match (account, lacking) {
        (Err(source), _) => Err(PopulationFileError::SimulatedUser { path, row, source }),
        (Ok(_), Some((key, advice))) => Err(PopulationFileError::Incomplete {
            path,
            row,
            key,
            advice,
        }),
        (Ok(account), None) => Ok(account),
    }
}

fn rows(path: &Path) -> Result<Vec<Value>, PopulationFileError> {
    let text = std::fs::read(path).map_err(|source| PopulationFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    if let Some(what) = unreadable_encoding(&text) {
        let path = path.to_owned();
        return Err(PopulationFileError::Encoding { path, what });
    }
    let mut rows = Vec::new();
    for document in serde_json::Deserializer::from_slice(&text).into_iter() {
        let document = document.map_err(|source| PopulationFileError::Json {
            path: path.to_owned(),
            source,
        })?;
        collect(document, &mut rows);
    }
    if rows.is_empty() {
        return Err(PopulationFileError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(rows)
}

/// What is wrong with how a file begins, to be read after "the file"; `None` if nothing is. No JSON
/// begins with a zero byte, nor with anything but ASCII.
fn unreadable_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => {
            Some("begins with a byte order mark: save it as UTF-8 without one")
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => {
            Some("is UTF-16: save it as UTF-8")
        }
        _ => None,
    }
}

/// Unpacks pages and whole answers; anything else is a row, or will be refused as one.
fn collect(value: Value, rows: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.into_iter().for_each(|item| collect(item, rows)),
        Value::Object(mut object) => match object
            .get_mut("result")
            .and_then(|result| result.get_mut("people"))
        {
            Some(people) => collect(people.take(), rows),
            None => rows.push(Value::Object(object)),
        },
        other => rows.push(other),
    }
}
