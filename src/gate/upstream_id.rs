//! What a gate guards: an upstream, and one kind of its calls.

use std::fmt;

/// An API this service calls; the label of its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamId {
    /// GitLab.
    GitLab,
    /// Lookup, its token endpoint included.
    Lookup,
    /// The directory that is a file.
    DirectoryFile,
    /// The API that provisions namespaces: GitLab's own, or ours.
    Provisioning,
    /// The database of the namespace ledger.
    Ledger,
}

impl UpstreamId {
    /// The label `upstream` of metrics and log lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GitLab => "gitlab",
            Self::Lookup => "lookup",
            Self::DirectoryFile => "directory_file",
            Self::Provisioning => "provisioning",
            Self::Ledger => "ledger",
        }
    }
}

impl fmt::Display for UpstreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GitLab => "GitLab",
            Self::Lookup => "Lookup",
            Self::DirectoryFile => "The directory file",
            Self::Provisioning => "The provisioning API",
            Self::Ledger => "The ledger database",
        })
    }
}

/// Reads and writes of an upstream work or fail apart: GitLab in maintenance mode reads well and
/// refuses writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// Calls that change nothing.
    Read,
    /// Calls that change state.
    Write,
}

impl CallKind {
    /// The label `gate` of metrics and log lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}
