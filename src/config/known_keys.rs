//! The known keys: those that the code reads.

use figment2::value::{Dict, Value};

use super::{
    error::ConfigError,
    origin::ValueOrigin,
    source::OWN_PREFIX,
    suggest::{nearest, suggestion},
    values::kind_of,
};

/// Every key the code asks for.
pub(super) struct KnownKeys {
    keys: Vec<String>,
}

impl KnownKeys {
    pub(super) fn new(keys: impl IntoIterator<Item = String>) -> Self {
        Self {
            keys: keys.into_iter().collect(),
        }
    }

    /// Removes from a file's values every unknown key, and reports each.
    pub(super) fn prune(&self, values: &mut Dict, origin: &ValueOrigin) -> Vec<ConfigError> {
        let mut mistakes = Vec::new();
        self.prune_section("", values, origin, &mut mistakes);
        mistakes
    }

    fn prune_section(
        &self,
        section: &str,
        values: &mut Dict,
        origin: &ValueOrigin,
        mistakes: &mut Vec<ConfigError>,
    ) {
        values.retain(|name, value| {
            let path = format!("{section}{name}");
            if self.keys.contains(&path) {
                return true;
            }
            let inside = format!("{path}.");
            let problem = match value {
                Value::Dict(_, inner) if self.is_section(&inside) => {
                    self.prune_section(&inside, inner, origin, mistakes);
                    return true;
                }
                other if self.is_section(&inside) => {
                    format!("is {}; allowed: a section [{path}]", kind_of(other))
                }
                _ => format!("is an unknown key{}", self.meant(&path)),
            };
            mistakes.push(ConfigError::at(path, origin.clone(), problem));
            false
        });
    }

    fn is_section(&self, with_dot: &str) -> bool {
        self.keys.iter().any(|key| key.starts_with(with_dot))
    }

    /// `None` when the variable is not ours; otherwise its key, or what is wrong with its name.
    pub(super) fn key_of_variable(&self, name: &str) -> Option<Result<&str, String>> {
        if let Some(rest) = name.strip_prefix(OWN_PREFIX) {
            let known = self.keys.iter().find(|key| variable_of(key) == name);
            return Some(match known {
                Some(key) => Ok(key),
                None => Err(self.unknown_variable(rest)),
            });
        }
        // One underscore instead of two. Only an exact match counts: a cluster may set variables
        // of its own for a service of this name.
        let single = |key: &&String| variable_of(key).replace("__", "_") == name;
        let meant = self.keys.iter().find(single)?;
        Some(Err(format!(
            "is an unknown variable; did you mean {}?",
            variable_of(meant)
        )))
    }

    fn unknown_variable(&self, rest: &str) -> String {
        let path = rest.to_lowercase().replace("__", ".");
        let meant = nearest(&path, self.keys.iter().map(String::as_str)).map(variable_of);
        format!("is an unknown variable{}", suggestion(meant.as_deref()))
    }

    fn meant(&self, path: &str) -> String {
        let sections = self
            .keys
            .iter()
            .flat_map(|key| key.match_indices('.').filter_map(|(at, _)| key.get(..at)));
        let candidates = self.keys.iter().map(String::as_str).chain(sections);
        suggestion(nearest(path, candidates))
    }
}

/// Our own variable of a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("{OWN_PREFIX}{}", key.replace('.', "__").to_uppercase())
}
