//! What a query or a form says, decoded as Rack does, and read as Grape does.

use jiff::{Timestamp, civil::Date, civil::DateTime, tz::TimeZone};

/// The parameters as they were sent, names and values decoded; of one sent twice the last counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

/// A parameter that cannot be, in the words of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InvalidParameter(pub(super) String);

impl Parameters {
    /// `None` where Rack gives up: a broken escape, a text that is not UTF-8, a NUL.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decoded(name, true)?, decoded(value, true)?))
            })
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let last = self.0.iter().rev().find(|(known, _)| known == name);
        last.map(|(_, value)| value.as_str())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A boolean in any of the spellings Grape takes; absent or empty is false.
    pub(super) fn flag(&self, name: &str) -> Result<bool, InvalidParameter> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "false" | "0" | "f" | "off" | "no" | "n") => Ok(false),
            Some("true" | "1" | "t" | "on" | "yes" | "y") => Ok(true),
            Some(_) => Err(InvalidParameter(format!("{name} is invalid"))),
        }
    }

    /// A point in time; absent or empty is none.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, InvalidParameter> {
        self.text(name)
            .map(|text| time(&text).ok_or_else(|| InvalidParameter(format!("{name} is invalid"))))
            .transpose()
    }

    /// A whole number; absent or empty is none.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, InvalidParameter> {
        self.text(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| InvalidParameter(format!("{name} is invalid")))
            })
            .transpose()
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    }
}

/// Undoes percent encoding; `plus` stands for a space in queries and forms, not in paths.
pub(super) fn decoded(text: &str, plus: bool) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' if plus => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let value = digit(bytes.next())? * 16 + digit(bytes.next())?;
                u8::try_from(value).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(decoded)
        .ok()
        .filter(|text| !text.contains('\0'))
}

/// A day, or a time with or without its offset. The space that an unescaped `+` becomes ends the
/// text, as it does for Ruby.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let text = text.split(' ').next().unwrap_or(text);
    let start = |time: DateTime| TimeZone::UTC.to_timestamp(time).ok();
    let day = || {
        start(
            text.parse::<Date>()
                .ok()?
                .to_datetime(jiff::civil::Time::midnight()),
        )
    };
    let local = || {
        start(
            text.contains('T')
                .then(|| text.parse::<DateTime>().ok())??,
        )
    };
    let dashed = text.contains('-');
    dashed.then(|| text.parse().ok().or_else(local).or_else(day))?
}
