//! The custom attributes of one account, in the order in which GitLab lists them.

use std::ops::Index;

/// Keys and values. GitLab asks its database for no order and gets the rows as they were last
/// written, so that one that is set anew moves to the end (seen on 18.9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// The value of `key`; keys differ by case.
    pub fn get(&self, key: &str) -> Option<&String> {
        self.iter()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value)
    }

    /// Whether there is such a key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets it as `PUT` does: it moves to the end, unless it had this value already.
    pub fn insert(&mut self, key: String, value: String) {
        if self.get(&key) != Some(&value) {
            self.upsert(key, value);
        }
    }

    /// Sets it as GitLab sets its own: it moves to the end in any case.
    pub(super) fn upsert(&mut self, key: String, value: String) {
        self.remove(&key);
        self.0.push((key, value));
    }

    /// Takes it out; the value it had.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        let position = self.0.iter().position(|(known, _)| known == key)?;
        Some(self.0.remove(position).1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each with its value, in GitLab's order.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

impl Index<&str> for Attributes {
    type Output = String;

    /// The value; an empty text, which no attribute has, where there is none.
    fn index(&self, key: &str) -> &String {
        static NONE: String = String::new();
        self.get(key).unwrap_or(&NONE)
    }
}

impl FromIterator<(String, String)> for Attributes {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        let mut attributes = Self::default();
        for (key, value) in pairs {
            attributes.insert(key, value);
        }
        attributes
    }
}
