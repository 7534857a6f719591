//! Resource names: `projects/{project}/{collection}/{id}`.

use std::fmt;

use tonic::Status;

/// The kinds of resource the broker keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResourceKind {
    Topics,
    Subscriptions,
    Schemas,
}

impl ResourceKind {
    const fn segment(self) -> &'static str {
        match self {
            Self::Topics => "topics",
            Self::Subscriptions => "subscriptions",
            Self::Schemas => "schemas",
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Topics => "Topic",
            Self::Subscriptions => "Subscription",
            Self::Schemas => "Schema",
        }
    }

    /// `ALREADY_EXISTS` for `name`.
    pub(super) fn already_exists(self, name: &str) -> Status {
        Status::already_exists(format!("{} already exists (resource={name})", self.noun()))
    }

    /// What a call on a name that is not there gets: `INVALID_ARGUMENT` if it never could be
    /// there, else `NOT_FOUND`.
    pub(super) fn missing(self, name: &str) -> Status {
        match ResourceName::parse(self, name) {
            Ok(_) => Status::not_found(format!("{} not found (resource={name})", self.noun())),
            Err(malformed) => malformed,
        }
    }
}

/// A well-formed name, split into its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResourceName {
    pub(super) project: String,
    collection: ResourceKind,
    pub(super) id: String,
}

impl ResourceName {
    /// Reads a full resource name.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for any other form, and for an id that Pub/Sub refuses: 3 to 255
    /// characters, beginning with a letter, not with `goog`.
    pub(super) fn parse(collection: ResourceKind, name: &str) -> Result<Self, Status> {
        let mut parts = name.split('/');
        match (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) {
            (Some("projects"), Some(project), Some(segment), Some(id), None)
                if !project.is_empty() && segment == collection.segment() && acceptable(id) =>
            {
                Ok(Self {
                    project: project.to_owned(),
                    collection,
                    id: id.to_owned(),
                })
            }
            _ => Err(Status::invalid_argument(format!(
                "Invalid [{}] name: (name={name})",
                collection.segment()
            ))),
        }
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "projects/{}/{}/{}",
            self.project,
            self.collection.segment(),
            self.id
        )
    }
}

/// Whether `name` belongs to `parent`, which is `projects/{project}`.
pub(super) fn within(parent: &str, name: &str) -> bool {
    name.strip_prefix(parent)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// `UNIMPLEMENTED`, naming what was asked for.
pub(super) fn unoffered(what: &str) -> Status {
    Status::unimplemented(format!("{what} is not offered by the embedded broker"))
}

fn acceptable(id: &str) -> bool {
    (3..=255).contains(&id.len())
        && id.starts_with(|first: char| first.is_ascii_alphabetic())
        && !id.starts_with("goog")
        && id
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.~+%".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("projects/p/topics/abc", true)]
    #[case("projects/p/topics/a~b+c%d.e_f-g", true)]
    #[case("projects/p/topics/ab", false)]
    #[case("projects/p/topics/1abc", false)]
    #[case("projects/p/topics/google-like", false)]
    #[case("projects/p/topics/a b c", false)]
    #[case("projects//topics/abc", false)]
    #[case("projects/p/subscriptions/abc", false)]
    #[case("projects/p/topics/abc/more", false)]
    #[case("abc", false)]
    fn only_names_that_google_accepts_are_accepted(#[case] name: &str, #[case] accepted: bool) {
        assert_eq!(
            ResourceName::parse(ResourceKind::Topics, name).is_ok(),
            accepted
        );
    }

    #[test]
    fn a_name_is_written_as_it_was_read() {
        let name = "projects/p/subscriptions/worker";
        let parsed =
            ResourceName::parse(ResourceKind::Subscriptions, name).map(|name| name.to_string());
        assert_eq!(parsed.ok().as_deref(), Some(name));
    }
}
