//! Reads keys one by one, so that one error hides no other, and remembers what it read.

use std::path::Path;

use figment2::value::Value;
use secrecy::SecretString;

use super::{
    effective::EffectiveSetting,
    error::ConfigError,
    known_keys::variable_of,
    origin::ValueOrigin,
    secret::{Secret, SecretFileError},
    source::{MergedSources, USUAL_VARIABLES},
    values::{self, HostNameList, HttpUrl, SECRET, TextValue, ValueType},
};

/// Reads keys from the sources.
pub(super) struct ConfigReader<'s> {
    sources: &'s MergedSources,
    /// Each key asked for so far.
    pub settings: Vec<EffectiveSetting>,
    /// Values that are not allowed.
    pub errors: Vec<ConfigError>,
    /// Required keys that are missing, since this was last taken.
    pub missing: Vec<ConfigError>,
}

/// What a key is where no source gives it.
enum WhenAbsent<T> {
    Default(T),
    Fine,
    Missing,
}

impl<'s> ConfigReader<'s> {
    pub(super) fn new(sources: &'s MergedSources) -> Self {
        Self {
            sources,
            settings: Vec::new(),
            errors: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// A key with a default, which also replaces an invalid value; the error is kept.
    pub(super) fn value_or<F: ValueType>(
        &mut self,
        key: &str,
        form: &F,
        default: F::Value,
    ) -> F::Value
    where
        F::Value: Clone,
    {
        let found = self.read(key, form, WhenAbsent::Default(default.clone()));
        found.unwrap_or(default)
    }

    /// A key that may be absent.
    pub(super) fn optional<F: ValueType>(&mut self, key: &str, form: &F) -> Option<F::Value> {
        self.read(key, form, WhenAbsent::Fine)
    }

    /// A key that must be given where its section is required.
    pub(super) fn required<F: ValueType>(&mut self, key: &str, form: &F) -> Option<F::Value> {
        self.read(key, form, WhenAbsent::Missing)
    }

    /// A secret, given as `key` or as the name of a file, `key_file`; of both the stronger source
    /// wins.
    pub(super) fn secret(&mut self, key: &str) -> Option<Secret> {
        let file_key = format!("{key}_file");
        let rank = |found: Option<(Value, ValueOrigin)>| found.map(|(_, origin)| origin.rank());
        let (by_value, by_file) = (
            rank(self.sources.find(key)),
            rank(self.sources.find(&file_key)),
        );
        if by_value.is_some() && by_value == by_file {
            self.reject(
                &file_key,
                format!("is given beside {key}; allowed: one of them"),
            );
        }
        let direct = self.read_unless(by_file > by_value, key, &values::SecretText);
        let path = self.read_unless(by_value > by_file, &file_key, &TextValue::ANY);
        match path {
            Some(path) if by_file > by_value => self.secret_of_file(key, &file_key, &path),
            _ => direct.map(Secret::from),
        }
    }

    /// Reads a key. Its errors do not matter where a stronger source overrides it (`idle`).
    fn read_unless<F: ValueType>(&mut self, idle: bool, key: &str, form: &F) -> Option<F::Value> {
        let before = self.errors.len();
        let value = self.optional(key, form);
        if idle {
            self.errors.truncate(before);
        }
        value
    }

    /// The form of an address that `insecure_hosts` counts for; `without` is what the client adds.
    pub(super) fn api_address(&self, without: Option<&'static str>) -> HttpUrl {
        let hosts = self.peek("insecure_hosts", &HostNameList);
        HttpUrl {
            without,
            insecure_hosts: Some(hosts.unwrap_or_default()),
        }
    }

    /// The value of a key that is read elsewhere, if it is given and valid; its errors are reported
    /// there.
    pub(super) fn peek<F: ValueType>(&self, key: &str, form: &F) -> Option<F::Value> {
        let (value, origin) = self.sources.find(key)?;
        let given = values::RawValue {
            value: &value,
            from_text: origin.is_text(),
        };
        form.read(&given).ok()
    }

    /// Reports that `key` is missing.
    pub(super) fn missing(&mut self, key: &str, allowed: &str) {
        self.missing.push(missing_key(key, allowed));
    }

    /// Reports that the value of `key` conflicts with other values.
    pub(super) fn reject(&mut self, key: &str, problem: impl Into<String>) {
        let origin = self
            .sources
            .find(key)
            .map_or(ValueOrigin::Default, |(_, origin)| origin);
        self.errors.push(ConfigError::at(key, origin, problem));
    }

    /// Whether a source gives `key`.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.sources.find(key).is_some()
    }

    fn read<F: ValueType>(
        &mut self,
        key: &str,
        form: &F,
        absent: WhenAbsent<F::Value>,
    ) -> Option<F::Value> {
        let Some((value, origin)) = self.sources.find(key) else {
            let value = match absent {
                WhenAbsent::Default(value) => Some(value),
                WhenAbsent::Fine => None,
                WhenAbsent::Missing => {
                    self.missing(key, &form.allowed());
                    None
                }
            };
            self.remember(
                key,
                value.as_ref().map(|value| form.show(value)),
                ValueOrigin::Default,
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
                self.errors.extend(wrongs.into_iter().map(|wrong| {
                    let allowed = wrong.allowed.unwrap_or_else(|| form.allowed());
                    let problem = format!("{}; allowed: {allowed}", wrong.reason);
                    ConfigError::at(format!("{key}{}", wrong.at), origin.clone(), problem)
                }));
                None
            }
        }
    }

    fn secret_of_file(&mut self, key: &str, file_key: &str, path: &str) -> Option<Secret> {
        let origin = ValueOrigin::File(path.to_owned());
        match Secret::of_file(Path::new(path)) {
            Ok(secret) => {
                let shown = Some(values::SecretText.show(&SecretString::default()));
                for setting in self
                    .settings
                    .iter_mut()
                    .filter(|setting| setting.key == key)
                {
                    (setting.value, setting.origin) = (shown.clone(), origin.clone());
                }
                Some(secret)
            }
            Err(SecretFileError::Unreadable(problem)) => {
                self.reject(file_key, format!("names a file that {problem}"));
                None
            }
            Err(SecretFileError::NoSecret(reasons)) => {
                self.errors.extend(reasons.into_iter().map(|reason| {
                    ConfigError::at(key, origin.clone(), format!("{reason}; allowed: {SECRET}"))
                }));
                None
            }
        }
    }

    fn remember(&mut self, key: &str, value: Option<serde_json::Value>, origin: ValueOrigin) {
        self.settings.push(EffectiveSetting {
            key: key.to_owned(),
            value,
            origin,
        });
    }
}

/// The error for a `key` that is missing.
pub(super) fn missing_key(key: &str, allowed: &str) -> ConfigError {
    ConfigError::without_origin(
        key,
        format!("is missing; {}allowed: {allowed}", remedy(key)),
    )
}

/// How to set a key, to be read after "is missing;".
fn remedy(key: &str) -> String {
    // Of the names of a key the strongest comes last.
    let usual = USUAL_VARIABLES.iter().rfind(|(_, of)| *of == key);
    let usual = usual.map_or_else(String::new, |(name, _)| format!("{name}, "));
    format!("set {key} in the file, {usual}or {}; ", variable_of(key))
}
