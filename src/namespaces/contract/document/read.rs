//! Reads JSON level by level, knowing at every step where it is.
//!
//! A level is split into raw slices of the text. `serde_json` skips a nested value without
//! recursion and without building it, so depth and unknown content cost neither stack nor memory,
//! and every mistake can be named by its path.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::civil::Date;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{DocumentField, InvalidDocument, InvalidValue};

/// Of a value that does not fit, this many characters are told.
const TOLD: usize = 80;

const OBJECT: &str = "an object";
const LIST: &str = "a list of at most 64 objects";
const BOOLEAN: &str = "true, false or null";
const INTEGER: &str = "a whole number up to 2147483647, without quotes, or null";
const BIG_INTEGER: &str = "a whole number up to 9223372036854775807, without quotes, or null";
const DATE: &str = "a date, \"YYYY-MM-DD\", or null";
const TEXT: &str = "text without NUL, of at most 255 characters where it is a name, or null";

/// An object of the document and the path to it.
pub(super) struct JsonObject<'a> {
    path: String,
    entries: BTreeMap<String, &'a RawValue>,
}

impl<'a> JsonObject<'a> {
    /// The outermost level. JSON of another shape than an object lacks a `provision`.
    pub(super) fn root(body: &'a [u8]) -> Result<Self, InvalidDocument> {
        let text = std::str::from_utf8(body).map_err(|_| InvalidDocument::NotJson)?;
        if text.trim().is_empty() {
            return Err(InvalidDocument::Missing);
        }
        let whole: &RawValue = serde_json::from_str(text).map_err(|_| InvalidDocument::NotJson)?;
        if !whole.get().starts_with('{') {
            return Err(InvalidDocument::Missing);
        }
        Self::new(String::new(), whole)
    }

    fn new(path: String, raw: &'a RawValue) -> Result<Self, InvalidDocument> {
        let Ok(ObjectLevel { entries, twice }) = serde_json::from_str(raw.get()) else {
            return Err(misfit(path, raw.get(), OBJECT));
        };
        let object = Self { path, entries };
        match twice {
            Some(name) => Err(InvalidDocument::Twice(object.path_of(&name))),
            None => Ok(object),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The mistake of this object as a whole.
    pub(super) fn misfit(
        &self,
        found: impl Into<String>,
        allowed: &'static str,
    ) -> InvalidDocument {
        InvalidDocument::At(InvalidValue {
            path: self.path.clone(),
            found: found.into(),
            allowed,
        })
    }

    /// `None` when absent; null is a mistake.
    pub(super) fn object(&self, name: &str) -> Result<Option<JsonObject<'a>>, InvalidDocument> {
        self.entries
            .get(name)
            .map(|raw| JsonObject::new(self.path_of(name), raw))
            .transpose()
    }

    /// `None` when absent or null.
    pub(super) fn nullable_object(
        &self,
        name: &str,
    ) -> Result<Option<JsonObject<'a>>, InvalidDocument> {
        self.present(name)
            .map(|raw| JsonObject::new(self.path_of(name), raw))
            .transpose()
    }

    /// A list of objects, empty when null; a null in it is an empty object, as GitLab takes it.
    pub(super) fn nullable_objects(
        &self,
        name: &str,
        most: usize,
    ) -> Result<Vec<JsonObject<'a>>, InvalidDocument> {
        let Some(raw) = self.present(name) else {
            return Ok(Vec::new());
        };
        let path = self.path_of(name);
        let elements: Vec<&RawValue> =
            serde_json::from_str(raw.get()).map_err(|_| misfit(path.clone(), raw.get(), LIST))?;
        if elements.len() > most {
            return Err(misfit(path, raw.get(), LIST));
        }
        let elements = elements.into_iter().enumerate();
        elements
            .map(|(index, element)| {
                let path = format!("{path}[{index}]");
                match element.get() {
                    "null" => Ok(JsonObject {
                        path,
                        entries: BTreeMap::new(),
                    }),
                    _ => JsonObject::new(path, element),
                }
            })
            .collect()
    }

    pub(super) fn boolean(&self, name: &str) -> Result<DocumentField<bool>, InvalidDocument> {
        self.field(name, BOOLEAN, |text| text.parse().ok())
    }

    /// However it is written, see [`whole`]; it fits an `integer` column.
    pub(super) fn integer(&self, name: &str) -> Result<DocumentField<i32>, InvalidDocument> {
        self.field(name, INTEGER, whole)
    }

    /// The same for a `bigint` column.
    pub(super) fn big_integer(&self, name: &str) -> Result<DocumentField<i64>, InvalidDocument> {
        self.field(name, BIG_INTEGER, whole)
    }

    pub(super) fn date(&self, name: &str) -> Result<DocumentField<Date>, InvalidDocument> {
        self.field(name, DATE, |text| {
            date(&serde_json::from_str::<String>(text).ok()?)
        })
    }

    /// A text of at most `most` characters. The database has no NUL in a text.
    pub(super) fn text(
        &self,
        name: &str,
        most: Option<usize>,
    ) -> Result<DocumentField<String>, InvalidDocument> {
        self.field(name, TEXT, |text| {
            let text = serde_json::from_str::<String>(text).ok()?;
            let fits = most.is_none_or(|most| text.chars().count() <= most);
            (fits && !text.contains('\0')).then_some(text)
        })
    }

    fn field<T>(
        &self,
        name: &str,
        allowed: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<DocumentField<T>, InvalidDocument> {
        match self.entries.get(name).map(|raw| raw.get()) {
            None => Ok(DocumentField::Absent),
            Some("null") => Ok(DocumentField::Null),
            Some(text) => match read(text) {
                Some(value) => Ok(DocumentField::Value(value)),
                None => Err(misfit(self.path_of(name), text, allowed)),
            },
        }
    }

    fn present(&self, name: &str) -> Option<&'a RawValue> {
        self.entries
            .get(name)
            .copied()
            .filter(|raw| raw.get() != "null")
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}[{name}]", self.path)
        }
    }
}

fn misfit(path: String, text: &str, allowed: &'static str) -> InvalidDocument {
    InvalidDocument::At(InvalidValue {
        path,
        found: told(text),
        allowed,
    })
}

/// JSON as it was written, on one line and not at length.
pub(super) fn told(text: &str) -> String {
    let plain = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    let mut told: String = text.chars().take(TOLD).map(plain).collect();
    if text.chars().nth(TOLD).is_some() {
        told.push('…');
    }
    told
}

/// One level, and a key that stands in it twice.
struct ObjectLevel<'a> {
    entries: BTreeMap<String, &'a RawValue>,
    twice: Option<String>,
}

impl<'de: 'a, 'a> Deserialize<'de> for ObjectLevel<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LevelVisitor)
    }
}

struct LevelVisitor;

impl<'de> Visitor<'de> for LevelVisitor {
    type Value = ObjectLevel<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(OBJECT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ObjectLevel<'de>, A::Error> {
        let mut level = ObjectLevel {
            entries: BTreeMap::new(),
            twice: None,
        };
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            if level.entries.insert(name.clone(), value).is_some() {
                level.twice.get_or_insert(name);
            }
        }
        Ok(level)
    }
}

/// `YYYY-MM-DD` and nothing else; jiff alone would also take a time, a sign, or no dashes. There is
/// no year 0.
fn date(text: &str) -> Option<Date> {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let date: Date = shaped.then(|| text.parse().ok())??;
    (date.year() > 0).then_some(date)
}

/// The most zeros that an exponent may stand for: no column holds more digits.
const MOST_ZEROS: usize = 20;

/// A JSON number without a fraction. As in JSON Schema `30`, `30.0` and `3e1` are the same integer;
/// some libraries write them so. The digits are moved as text, so that nothing is rounded.
fn whole<T: FromStr>(text: &str) -> Option<T> {
    if let Ok(plain) = text.parse() {
        return Some(plain);
    }
    // Not a text, a list or a word.
    serde_json::from_str::<serde_json::Number>(text).ok()?;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (digits, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{digits}{fraction}");
    let significant = digits.trim_end_matches('0');
    if significant.trim_start_matches(['-', '0']).is_empty() {
        return "0".parse().ok();
    }
    let exponent: i64 = exponent.parse().ok()?;
    let places = i64::try_from(digits.len() - significant.len()).ok()?;
    let zeros = exponent
        .checked_add(places)?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let zeros = usize::try_from(zeros)
        .ok()
        .filter(|zeros| *zeros <= MOST_ZEROS)?;
    let number = format!("{significant}{}", "0".repeat(zeros));
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::whole;

    #[rstest]
    #[case("30", Some(30))]
    #[case("-30", Some(-30))]
    #[case("30.0", Some(30))]
    #[case("3e1", Some(30))]
    #[case("3E+1", Some(30))]
    #[case("300e-1", Some(30))]
    #[case("0.3e2", Some(30))]
    #[case("-0.0", Some(0))]
    #[case("0e999999999999999999999", Some(0))]
    #[case("9223372036854775807.0", Some(i64::MAX))]
    #[case("-9.223372036854775808e18", Some(i64::MIN))]
    #[case("9223372036854775808.0", None)]
    #[case("1.5", None)]
    #[case("15e-1", None)]
    #[case("1e300", None)]
    #[case("1e-300", None)]
    #[case("1e99999999999999999999", None)]
    #[case("\"30\"", None)]
    #[case("\"\"", None)]
    #[case("true", None)]
    #[case("[3]", None)]
    #[case("{}", None)]
    fn a_number_without_a_fraction_is_whole_however_it_is_written(
        #[case] text: &str,
        #[case] number: Option<i64>,
    ) {
        assert_eq!(whole::<i64>(text), number);
    }
}
