//! A recorded case, moved to today.

use std::collections::BTreeMap;

use jiff::{Span, civil::Date};
use serde::Deserialize;
use serde_json::Value;

/// The day on which all of them were recorded.
const RECORDED: Date = jiff::civil::date(2026, 11, 28);

/// One document that was posted, and all that came of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    pub name: String,
    pub title: String,
    /// Id or full path.
    pub target: String,
    /// Another token than a good one.
    pub token: Option<String>,
    /// JSON, or a text that is none.
    #[serde(default)]
    pub document: Value,
    /// Several at once, this often each.
    #[serde(default)]
    pub documents: Vec<Value>,
    #[serde(default)]
    pub times_each: usize,
    /// Rows beside those of the population, by table.
    pub before: Value,
    /// How the database fails.
    pub fault: Option<InjectedFault>,
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What came of the same document a second time.
    pub again: Option<Again>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Outcome {
    pub status: u16,
    pub body: Value,
    /// The rows of the namespace by table, or `"unchanged"`. A table that is not named is
    /// unchanged.
    pub after: Value,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Again {
    pub status: u16,
    pub after: Value,
}

#[derive(Clone, Debug, Deserialize)]
pub struct InjectedFault {
    pub table: String,
    pub event: String,
    /// SQLSTATE.
    pub code: String,
    #[serde(default)]
    pub deferred: bool,
    pub when: Option<String>,
}

/// Where we do otherwise.
#[derive(Debug, Deserialize)]
pub struct Departures {
    /// Why, by family.
    pub families: BTreeMap<String, String>,
    /// What we do instead, by the name of the case.
    pub cases: BTreeMap<String, Departure>,
}

/// What we do instead. What is not said is as recorded.
#[derive(Debug, Deserialize)]
pub struct Departure {
    pub family: String,
    pub status: Option<u16>,
    pub body: Option<Value>,
    pub after: Option<Value>,
}

macro_rules! files {
    ($($name:literal),*) => { [$(include_str!(concat!($name, ".json"))),*] };
}

/// Every case, as if recorded on `today`.
pub fn all(today: Date) -> Vec<Case> {
    let files = files!(
        "ao", "bp", "cc", "ck", "cm", "doc", "ms", "pf", "st", "tk", "xa", "xb", "xg", "xi", "xs"
    );
    let cases = files
        .iter()
        .map(|file| serde_json::from_str::<Vec<Case>>(&moved(file, today)).unwrap());
    cases.flatten().collect()
}

/// The list of what differs, moved likewise.
pub fn departures(today: Date) -> Departures {
    serde_json::from_str(&moved(include_str!("departures.json"), today)).unwrap()
}

/// Every date in `text` as far from `today` as it was from the day of the recording: no rule looks
/// at a calendar, and some ask whether a day has come. What is no date stays.
pub fn moved(text: &str, today: Date) -> String {
    let days = RECORDED.until(today).unwrap().get_days();
    let mut moved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|character: char| character.is_ascii_digit()) {
        let digits =
            rest[at..].find(|character: char| !character.is_ascii_digit() && character != '-');
        let end = at + digits.unwrap_or(rest.len() - at);
        moved.push_str(&rest[..at]);
        let number = &rest[at..end];
        let date = (number.len() == 10)
            .then(|| number.parse::<Date>().ok())
            .flatten();
        match date {
            Some(date) => moved.push_str(&(date + Span::new().days(days)).to_string()),
            None => moved.push_str(number),
        }
        rest = &rest[end..];
    }
    moved.push_str(rest);
    moved
}
