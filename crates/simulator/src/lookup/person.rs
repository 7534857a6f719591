//! One person of the simulated Lookup, as its web service shows them.

use serde_json::{Map, Value, json};

/// A person: their CRSid, and the row with whatever values its keys have.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedPerson {
    /// In lower case.
    pub crsid: String,
    /// The keys of the row, `identifier` included.
    pub row: Map<String, Value>,
}

/// A row that is no person of Lookup's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonError {
    /// Not an object.
    #[error("an object was expected, not {0}")]
    NotAnObject(String),
    /// No CRSid to know them by.
    #[error("identifier: {{\"scheme\":\"crsid\",\"value\":…}} was expected, not {0}")]
    Identifier(String),
}

/// The keys that are shown only where `fetch` asks for them, and how it does.
const FETCHED: [(&str, &str); 5] = [
    ("identifiers", "all_identifiers"),
    ("attributes", "all_attrs"),
    ("institutions", "all_insts"),
    ("groups", "all_groups"),
    ("directGroups", "direct_groups"),
];

impl SimulatedPerson {
    /// A member of the university.
    pub fn current(crsid: &str, surname: &str) -> Self {
        Self::member(crsid, surname)
            .with("cancelled", false)
            .with("displayName", surname)
            .with("misAffiliation", "staff")
            .with("staff", true)
            .with("student", false)
    }

    /// A former member. `staff` is true of them all the same: it says only that they are not
    /// students.
    pub fn cancelled(crsid: &str, surname: &str) -> Self {
        Self::member(crsid, surname)
            .with("cancelled", true)
            .with("staff", true)
            .with("student", false)
    }

    fn member(crsid: &str, surname: &str) -> Self {
        let crsid = crsid.to_lowercase();
        let person = Self {
            row: Map::new(),
            crsid,
        };
        let identifier = json!({"scheme": "crsid", "value": person.crsid});
        person
            .with("identifier", identifier)
            .with("registeredName", surname)
            .with("surname", surname)
            .with("visibleName", surname)
    }

    /// Sets a key of the row.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.row.insert(key.to_owned(), value.into());
        self
    }

    /// Takes a key out of the row.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.row.remove(key);
        self
    }

    /// Reads a row in the format of the web service's `people`.
    ///
    /// # Errors
    ///
    /// When it is no object or has no CRSid as its identifier.
    pub fn from_row(row: Value) -> Result<Self, PersonError> {
        let Value::Object(row) = row else {
            return Err(PersonError::NotAnObject(row.to_string()));
        };
        let identifier = row.get("identifier");
        let part = |key| {
            identifier
                .and_then(|identifier| identifier.get(key))
                .and_then(Value::as_str)
        };
        match (part("scheme"), part("value")) {
            (Some("crsid"), Some(value)) if !value.is_empty() => Ok(Self {
                crsid: value.to_lowercase(),
                row,
            }),
            _ => Err(PersonError::Identifier(
                identifier.unwrap_or(&Value::Null).to_string(),
            )),
        }
    }

    /// Changes the keys that `changes` names, as RFC 7396 merges: a key set to null is removed.
    pub(super) fn merge(&mut self, changes: Map<String, Value>) {
        for (key, value) in changes {
            if value.is_null() {
                self.row.remove(&key);
            } else {
                self.row.insert(key, value);
            }
        }
    }

    /// Whether this identifier is one of theirs, in whatever case.
    pub(super) fn is(&self, scheme: &str, value: &str) -> bool {
        let also = self
            .row
            .get("identifiers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let is = |identifier: &Value| {
            let part = |key| {
                identifier
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            part("scheme") == scheme && part("value").eq_ignore_ascii_case(value)
        };
        (scheme == "crsid" && self.crsid.eq_ignore_ascii_case(value)) || also.into_iter().any(is)
    }

    /// Only the explicit `true` counts.
    pub(super) fn is_cancelled(&self) -> bool {
        self.row.get("cancelled") == Some(&Value::Bool(true))
    }

    /// The row with what `fetch` asks for.
    pub(super) fn show(&self, fetch: &str) -> Value {
        let mut row = self.row.clone();
        for (key, asked) in FETCHED {
            if !fetch.split(',').any(|wanted| wanted == asked) {
                row.remove(key);
            }
        }
        Value::Object(row)
    }
}
