//! Lists: of texts, of patterns, of identities.

use figment2::value::{Dict, Value};

use super::{ParseError, RawValue, TextValue, ValueType, kind_of, pattern::PatternRule};
use crate::{config::users::IdentityPattern, crsid::Crsid};

/// A list of texts.
pub(in crate::config) struct StringList;

impl ValueType for StringList {
    type Value = Vec<String>;

    fn allowed(&self) -> String {
        "a list of texts, such as [\"root\", \"ghost\"]".to_owned()
    }

    fn read(&self, given: &RawValue<'_>) -> Result<Vec<String>, Vec<ParseError>> {
        each(given, empty_or_control)
    }

    fn show(&self, value: &Vec<String>) -> serde_json::Value {
        value.as_slice().into()
    }
}

fn empty_or_control(text: &str) -> Option<String> {
    let accepted = (TextValue::ANY.accepts)(text);
    (!accepted).then(|| "is empty or contains control characters".to_owned())
}

/// A list of patterns.
pub(in crate::config) struct PatternList(pub PatternRule);

impl PatternList {
    /// Patterns without a group.
    pub(in crate::config) const PLAIN: Self = Self(PatternRule::Plain);
    /// Patterns that name a CRSid.
    pub(in crate::config) const NAME_CRSID: Self = Self(PatternRule::NamesCrsid);
}

impl ValueType for PatternList {
    type Value = Vec<String>;

    fn allowed(&self) -> String {
        format!("a list, each {}", self.0.allowed())
    }

    fn read(&self, given: &RawValue<'_>) -> Result<Vec<String>, Vec<ParseError>> {
        each(given, |text| self.0.objection(text))
    }

    fn show(&self, value: &Vec<String>) -> serde_json::Value {
        value.as_slice().into()
    }
}

/// The texts of a list, or an error for each one that is refused.
pub(super) fn each(
    given: &RawValue<'_>,
    objection: impl Fn(&str) -> Option<String>,
) -> Result<Vec<String>, Vec<ParseError>> {
    let mut texts = Vec::new();
    let mut wrongs = Vec::new();
    for (index, item) in given.list()?.into_iter().enumerate() {
        let found = match item {
            Value::String(_, text) => match objection(&text) {
                None => Ok(text),
                Some(reason) => Err(reason),
            },
            other => Err(format!("is {}, not text", kind_of(&other))),
        };
        match found {
            Ok(text) => texts.push(text),
            Err(reason) => wrongs.push(ParseError::inside(format!("[{index}]"), reason)),
        }
    }
    if wrongs.is_empty() {
        Ok(texts)
    } else {
        Err(wrongs)
    }
}

/// A list of CRSids.
pub(in crate::config) struct CrsidList {
    /// So many at most.
    pub most: usize,
}

impl ValueType for CrsidList {
    type Value = Vec<Crsid>;

    fn allowed(&self) -> String {
        format!(
            "a list of at most {} CRSids, such as [\"spqr1\"]",
            self.most
        )
    }

    fn read(&self, given: &RawValue<'_>) -> Result<Vec<Crsid>, Vec<ParseError>> {
        let no_crsid = |text: &str| {
            Crsid::parse(text)
                .is_none()
                .then(|| "is no CRSid".to_owned())
        };
        let texts = each(given, no_crsid)?;
        if texts.len() > self.most {
            return Err(ParseError::because(format!("holds {}", texts.len())));
        }
        let mut people: Vec<_> = texts.iter().filter_map(|text| Crsid::parse(text)).collect();
        people.sort_unstable();
        people.dedup();
        Ok(people)
    }

    fn show(&self, value: &Vec<Crsid>) -> serde_json::Value {
        value.iter().map(Crsid::as_str).collect()
    }
}

/// A list of GitLab's account ids.
pub(in crate::config) struct AccountIdList;

impl ValueType for AccountIdList {
    type Value = Vec<u64>;

    fn allowed(&self) -> String {
        "a list of account ids, such as [42, 43]".to_owned()
    }

    fn read(&self, given: &RawValue<'_>) -> Result<Vec<u64>, Vec<ParseError>> {
        let mut ids = Vec::new();
        let mut wrongs = Vec::new();
        for (index, item) in given.list()?.into_iter().enumerate() {
            let id = item.to_i128().and_then(|id| u64::try_from(id).ok());
            match id.filter(|id| *id > 0) {
                Some(id) => ids.push(id),
                None => wrongs.push(ParseError::inside(
                    format!("[{index}]"),
                    format!("is {}, not an account id", kind_of(&item)),
                )),
            }
        }
        if wrongs.is_empty() {
            Ok(ids)
        } else {
            Err(wrongs)
        }
    }

    fn show(&self, value: &Vec<u64>) -> serde_json::Value {
        value.as_slice().into()
    }
}

/// A list of identity patterns: tables of `provider`, `extern_uid` and perhaps `template`.
pub(in crate::config) struct IdentityPatternList;

impl ValueType for IdentityPatternList {
    type Value = Vec<IdentityPattern>;

    fn allowed(&self) -> String {
        "a list of tables, each with provider, extern_uid and perhaps template".to_owned()
    }

    fn read(&self, given: &RawValue<'_>) -> Result<Self::Value, Vec<ParseError>> {
        let mut identities = Vec::new();
        let mut wrongs = Vec::new();
        for (index, item) in given.list()?.into_iter().enumerate() {
            let at = format!("[{index}]");
            match item {
                Value::Dict(_, fields) => identities.extend(identity(&at, fields, &mut wrongs)),
                other => wrongs.push(ParseError::inside(
                    at,
                    format!("is {}, not a table", kind_of(&other)),
                )),
            }
        }
        if wrongs.is_empty() {
            Ok(identities)
        } else {
            Err(wrongs)
        }
    }

    fn show(&self, value: &Self::Value) -> serde_json::Value {
        let rows = value.iter().map(|identity| {
            let mut row = serde_json::Map::new();
            row.insert("provider".to_owned(), identity.provider.as_str().into());
            row.insert("extern_uid".to_owned(), identity.extern_uid.as_str().into());
            if let Some(template) = &identity.template {
                row.insert("template".to_owned(), template.as_str().into());
            }
            serde_json::Value::Object(row)
        });
        rows.collect()
    }
}

fn identity(at: &str, mut fields: Dict, wrongs: &mut Vec<ParseError>) -> Option<IdentityPattern> {
    let mut field =
        |name: &str, required: bool, allowed: &str, objection: &dyn Fn(&str) -> Option<String>| {
            let reason = match fields.remove(name) {
                None if required => "is missing".to_owned(),
                None => return None,
                Some(Value::String(_, text)) => match objection(&text) {
                    None => return Some(text),
                    Some(reason) => reason,
                },
                Some(other) => format!("is {}, not text", kind_of(&other)),
            };
            let allowed = Some(allowed.to_owned());
            wrongs.push(ParseError {
                at: format!("{at}.{name}"),
                reason,
                allowed,
            });
            None
        };
    let provider = field("provider", true, TextValue::ANY.allowed, &empty_or_control);
    let rule = PatternRule::NamesCrsid;
    let extern_uid = field("extern_uid", true, rule.allowed(), &|text| {
        rule.objection(text)
    });
    let template = field("template", false, "text with {crsid} in it", &|text| {
        (!text.contains("{crsid}")).then(|| "has no {crsid} in it".to_owned())
    });
    wrongs.extend(
        fields
            .keys()
            .map(|name| ParseError::inside(format!("{at}.{name}"), "is an unknown key")),
    );
    Some(IdentityPattern {
        provider: provider?,
        extern_uid: extern_uid?,
        template,
    })
}
