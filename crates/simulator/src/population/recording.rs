//! A population as it was recorded from a real GitLab: `population.json` and `roles.json` of one
//! directory.

use std::{collections::BTreeMap, path::Path};

use jiff::{
    Span, ToSpan,
    civil::{Date, date},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Population, PopulationFileError};
use crate::gitlab::{self, Kind, SimulatedToken, SimulatedUser};

/// The day of the recording. What has to do with the present is moved by the days since.
const RECORDED: Date = date(2026, 11, 28);

/// Keys whose days are so moved. Nothing compares the others with today.
const MOVED: [&str; 3] = ["last_activity_on", "last_sign_in_at", "current_sign_in_at"];

/// What the roles' scopes are among.
const SCOPES: [&str; 6] = [
    "api",
    "admin_mode",
    "sudo",
    "read_api",
    "read_user",
    "read_repository",
];

/// The first of the tokens' ids.
const FIRST_TOKEN: u64 = 5;

/// `population.json`
#[derive(Deserialize)]
struct RecordedRow {
    defaults: Map<String, Value>,
    user_type: BTreeMap<String, Kind>,
    rows: Vec<Map<String, Value>>,
}

impl Population {
    /// Reads the accounts, and a token `role-NAME` for every role and, where no role has the name,
    /// every username. The days of the last use and of the tokens' ends are moved, as if it had
    /// been recorded `today`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is not of the recordings' form.
    pub fn from_recording(directory: &Path, today: Date) -> Result<Self, PopulationFileError> {
        let path = directory.join("population.json");
        let recorded: RecordedRow = read(&path)?;
        let since = RECORDED.until(today).unwrap_or_default();
        let mut population = Self::default();
        for (position, row) in recorded.rows.iter().enumerate() {
            let row = recorded.row(row, since);
            let account = SimulatedUser::from_row(row).map_err(|source| {
                PopulationFileError::SimulatedUser {
                    path: path.clone(),
                    row: position + 1,
                    source,
                }
            })?;
            population.accounts.push(SimulatedUser {
                filled: true,
                ..account
            });
        }
        let roles: Map<String, Value> = read(&directory.join("roles.json"))?;
        population.assign(&roles, today);
        let mut accounts = population
            .accounts
            .into_iter()
            .map(|account| (account.id, account))
            .collect();
        gitlab::ensure_owner(&mut accounts);
        population.accounts = accounts.into_values().collect();
        Ok(population)
    }

    /// Makes the roles' tokens from what is said of them.
    fn assign(&mut self, roles: &Map<String, Value>, today: Date) {
        let mut id = FIRST_TOKEN;
        for (names, said) in roles {
            let names: Vec<&str> = names.split(' ').collect();
            let said = said.as_str().unwrap_or_default();
            // Of several names, the description says in the same order what is peculiar to each.
            let peculiar = said.split_once(": ").map_or("", |(_, rest)| rest);
            let peculiar: Vec<&str> = peculiar.split([',', ';']).map(str::trim).collect();
            for (position, name) in names.iter().enumerate() {
                let Some(owner) = self.owner(name, said, names.len() > 1) else {
                    continue;
                };
                if let Some(account) = self.accounts.get_mut(owner) {
                    account.hidden.password_expired |=
                        peculiar.get(position) == Some(&"password expired");
                    let token = token(id, account.id, said, today);
                    self.tokens.insert(format!("role-{name}"), token);
                    id += 1;
                }
            }
        }
        for account in &self.accounts {
            let token = token(id, account.id, "api", today);
            let secret = format!("role-{}", account.username);
            self.tokens.entry(secret).or_insert(token);
            id += 1;
        }
    }

    /// The position of the account that a role's token belongs to.
    fn owner(&self, name: &str, said: &str, several: bool) -> Option<usize> {
        let first = said.split([',', ' ']).next().unwrap_or_default();
        let (username, kind) = match first {
            "no" | "the" => return None,
            "same" => (gitlab::OWNER, None),
            "service" => ("", Some(Kind::ServiceAccount)),
            "project" => ("", Some(Kind::ProjectBot)),
            "ghost" => ("", Some(Kind::Ghost)),
            _ if several => (name, None),
            username => (username, None),
        };
        self.accounts
            .iter()
            .position(|account| account.username == username || Some(account.kind) == kind)
    }
}

impl RecordedRow {
    /// A row in full, as an administrator sees it.
    fn row(&self, given: &Map<String, Value>, since: Span) -> Value {
        let mut row = self.defaults.clone();
        row.extend(given.clone());
        row.remove("(absent)");
        let email = row.get("email").cloned().unwrap_or_default();
        row.entry("commit_email").or_insert(email);
        let id = row.get("id").map(ToString::to_string).unwrap_or_default();
        if let Some(kind) = self.user_type.get(&id) {
            row.insert("user_type".to_owned(), serde_json::json!(kind));
        }
        for key in MOVED {
            let moved = row
                .get(key)
                .and_then(Value::as_str)
                .and_then(|text| moved(text, since));
            if let Some(moved) = moved {
                row.insert(key.to_owned(), Value::String(moved));
            }
        }
        Value::Object(row)
    }
}

/// The same time of day, so many days later.
fn moved(text: &str, since: Span) -> Option<String> {
    let (day, rest) = text.split_at_checked(10)?;
    let day = day.parse::<Date>().ok()?.checked_add(since).ok()?;
    Some(format!("{day}{rest}"))
}

/// A token as the role's description has it.
fn token(id: u64, owner: u64, said: &str, today: Date) -> SimulatedToken {
    let words: Vec<&str> = said.split([' ', ',']).collect();
    let scopes: Vec<String> = SCOPES
        .into_iter()
        .filter(|scope| words.contains(scope))
        .map(str::to_owned)
        .collect();
    let scopes = if scopes.is_empty() {
        vec!["api".to_owned()]
    } else {
        scopes
    };
    let days = |days: i64| today.checked_add(days.days()).ok();
    SimulatedToken {
        id,
        name: format!("t-{}", scopes.join("-")),
        revoked: words.contains(&"revoked"),
        scopes,
        expires_at: match said {
            said if said.contains("no expiry") => None,
            said if said.contains("expires today") => Some(today),
            said if said.contains("expired two days ago") => days(-2),
            _ => days(300),
        },
        ..SimulatedToken::new(owner, true)
    }
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, PopulationFileError> {
    let text = std::fs::read(path).map_err(|source| PopulationFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| PopulationFileError::Json {
        path: path.to_owned(),
        source,
    })
}
