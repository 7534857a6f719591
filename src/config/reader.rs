//! Reads keys one by one, so that one mistake hides no other, and remembers what it read.

use std::path::Path;

use figment2::value::Value;
use secrecy::SecretString;

use super::{
    effective::Setting,
    error::ConfigError,
    origin::Origin,
    schema::variable_of,
    secret::{FileProblem, Secret},
    source::{MergedSources, USUAL_VARIABLES},
    values::{self, SECRET, Text, ValueType},
};

/// Reads keys from the sources.
pub(super) struct Reader<'s> {
    sources: &'s MergedSources,
    /// Each key asked for so far.
    pub settings: Vec<Setting>,
    /// Values that are not allowed.
    pub wrong: Vec<ConfigError>,
    /// Keys that are required and not there, since this was last taken.
    pub missing: Vec<ConfigError>,
}

/// Whether a key, if not given, has a value anyway.
enum Absent<T> {
    Default(T),
    Fine,
    Missing,
}

impl<'s> Reader<'s> {
    pub(super) fn new(sources: &'s MergedSources) -> Self {
        Self {
            sources,
            settings: Vec::new(),
            wrong: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// A key with a default; where the value is wrong the default stands in, and the mistake is kept.
    pub(super) fn value_or<F: ValueType>(
        &mut self,
        key: &str,
        form: &F,
        default: F::Value,
    ) -> F::Value
    where
        F::Value: Clone,
    {
        let found = self.read(key, form, Absent::Default(default.clone()));
        found.unwrap_or(default)
    }

    /// A key that may be absent.
    pub(super) fn optional<F: ValueType>(&mut self, key: &str, form: &F) -> Option<F::Value> {
        self.read(key, form, Absent::Fine)
    }

    /// A key that must be given where its concern is needed.
    pub(super) fn required<F: ValueType>(&mut self, key: &str, form: &F) -> Option<F::Value> {
        self.read(key, form, Absent::Missing)
    }

    /// A secret, given as `key` or as the name of a file, `key_file`; of both the stronger source wins.
    pub(super) fn secret(&mut self, key: &str) -> Option<Secret> {
        let file_key = format!("{key}_file");
        let rank = |found: Option<(Value, Origin)>| found.map(|(_, origin)| origin.rank());
        let (by_value, by_file) = (
            rank(self.sources.find(key)),
            rank(self.sources.find(&file_key)),
        );
        if by_value.is_some() && by_value == by_file {
            self.object(
                &file_key,
                format!("is given beside {key}; allowed: one of them"),
            );
        }
        let direct = self.read_unless(by_file > by_value, key, &values::Secret);
        let path = self.read_unless(by_value > by_file, &file_key, &Text::ANY);
        match path {
            Some(path) if by_file > by_value => self.secret_of_file(key, &file_key, &path),
            _ => direct.map(Secret::from),
        }
    }

    /// Reads a key whose mistakes do not matter where a stronger source has made it idle.
    fn read_unless<F: ValueType>(&mut self, idle: bool, key: &str, form: &F) -> Option<F::Value> {
        let before = self.wrong.len();
        let value = self.optional(key, form);
        if idle {
            self.wrong.truncate(before);
        }
        value
    }

    /// The value of a key that is read elsewhere, if it is given and right; its mistakes are told there.
    pub(super) fn peek<F: ValueType>(&self, key: &str, form: &F) -> Option<F::Value> {
        let (value, origin) = self.sources.find(key)?;
        let given = values::RawValue {
            value: &value,
            from_text: origin.is_text(),
        };
        form.read(&given).ok()
    }

    /// Says that `key` is missing, where a form cannot tell.
    pub(super) fn lacks(&mut self, key: &str, allowed: &str) {
        self.missing.push(lacking(key, allowed));
    }

    /// Says that what was given for `key` does not go with the rest.
    pub(super) fn object(&mut self, key: &str, problem: impl Into<String>) {
        let origin = self
            .sources
            .find(key)
            .map_or(Origin::Default, |(_, origin)| origin);
        self.wrong.push(ConfigError::at(key, origin, problem));
    }

    /// Whether a source gives `key`.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.sources.find(key).is_some()
    }

    fn read<F: ValueType>(
        &mut self,
        key: &str,
        form: &F,
        absent: Absent<F::Value>,
    ) -> Option<F::Value> {
        let Some((value, origin)) = self.sources.find(key) else {
            let value = match absent {
                Absent::Default(value) => Some(value),
                Absent::Fine => None,
                Absent::Missing => {
                    self.lacks(key, &form.allowed());
                    None
                }
            };
            self.remember(
                key,
                value.as_ref().map(|value| form.show(value)),
                Origin::Default,
            );
            return value;
        };
        let given = values::RawValue {
            value: &value,
            from_text: origin.is_text(),
        };
        match form.read(&given) {
            Ok(value) => {
                self.remember(key, Some(form.show(&value)), origin);
                Some(value)
            }
            Err(wrongs) => {
                self.remember(key, None, origin.clone());
                self.wrong.extend(wrongs.into_iter().map(|wrong| {
                    let allowed = wrong.allowed.unwrap_or_else(|| form.allowed());
                    let problem = format!("{}; allowed: {allowed}", wrong.reason);
                    ConfigError::at(format!("{key}{}", wrong.at), origin.clone(), problem)
                }));
                None
            }
        }
    }

    fn secret_of_file(&mut self, key: &str, file_key: &str, path: &str) -> Option<Secret> {
        let origin = Origin::File(path.to_owned());
        match Secret::of_file(Path::new(path)) {
            Ok(secret) => {
                let shown = Some(values::Secret.show(&SecretString::default()));
                for setting in self
                    .settings
                    .iter_mut()
                    .filter(|setting| setting.key == key)
                {
                    (setting.value, setting.origin) = (shown.clone(), origin.clone());
                }
                Some(secret)
            }
            Err(FileProblem::Unreadable(problem)) => {
                self.object(file_key, format!("names a file that {problem}"));
                None
            }
            Err(FileProblem::NoSecret(reasons)) => {
                self.wrong.extend(reasons.into_iter().map(|reason| {
                    ConfigError::at(key, origin.clone(), format!("{reason}; allowed: {SECRET}"))
                }));
                None
            }
        }
    }

    fn remember(&mut self, key: &str, value: Option<serde_json::Value>, origin: Origin) {
        self.settings.push(Setting {
            key: key.to_owned(),
            value,
            origin,
        });
    }
}

/// Says that `key` is missing.
pub(super) fn lacking(key: &str, allowed: &str) -> ConfigError {
    ConfigError::without_origin(
        key,
        format!("is missing; {}allowed: {allowed}", remedy(key)),
    )
}

/// How to set a key, to be read after "is missing;".
fn remedy(key: &str) -> String {
    // The strongest name of a key stands last.
    let usual = USUAL_VARIABLES.iter().rfind(|(_, of)| *of == key);
    let usual = usual.map_or_else(String::new, |(name, _)| format!("{name}, "));
    format!("set {key} in the file, {usual}or {}; ", variable_of(key))
}
