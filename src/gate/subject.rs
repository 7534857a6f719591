//! The one thing that a call or a message is about.

use std::fmt;

/// The one thing that a call or a message is about: an account, a namespace. Where its calls fail
/// and those about others do not, the fault is its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    kind: &'static str,
    id: Box<str>,
}

impl Subject {
    /// The `kind` that is called `id`. Two are the same where both are equal.
    pub fn new(kind: &'static str, id: impl fmt::Display) -> Self {
        Self {
            kind,
            id: id.to_string().into(),
        }
    }

    /// The account of GitLab with this id.
    pub fn account(id: u64) -> Self {
        Self::new("account", id)
    }

    /// The namespace of GitLab with this id.
    pub fn namespace(id: i64) -> Self {
        Self::new("namespace", id)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}
