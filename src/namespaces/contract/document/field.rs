//! A field of the document: absent, null or a value.

use serde::{Serialize, Serializer};

/// A field of the document: what is absent stays as it is, null clears, a value sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DocumentField<T> {
    /// Not sent: unchanged.
    #[default]
    Absent,
    /// Sent as null: cleared.
    Null,
    /// Sent: set.
    Value(T),
}

impl<T> DocumentField<T> {
    /// Whether it was not sent at all.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// What the column holds afterwards, given what it held before.
    pub fn over(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Absent => before,
            Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }

    /// The value by reference, where null and absent are the same.
    pub fn as_value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// The value, where null and absent are the same.
    pub fn into_value(self) -> Option<T> {
        self.over(None)
    }
}

impl<T: Clone> DocumentField<T> {
    /// What both say, one after the other: what is absent here is as it was.
    #[must_use]
    pub fn after(&self, older: &Self) -> Self {
        if self.is_absent() {
            older.clone()
        } else {
            self.clone()
        }
    }

    /// The same where null says no more than absent.
    #[must_use]
    pub fn value_after(&self, older: &Self) -> Self {
        match self {
            Self::Null | Self::Absent if matches!(older, Self::Value(_)) => older.clone(),
            Self::Value(_) | Self::Null | Self::Absent => self.clone(),
        }
    }
}

impl<T: Copy> DocumentField<T> {
    /// The value itself, where null and absent are the same.
    pub fn value(&self) -> Option<T> {
        match self {
            Self::Value(value) => Some(*value),
            Self::Absent | Self::Null => None,
        }
    }
}

impl<T: Serialize> Serialize for DocumentField<T> {
    /// Absent fields are to be skipped with `skip_serializing_if`; inside a list there is no such
    /// thing.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::Null => serializer.serialize_none(),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}
