//! What a directory tells of its changes: whose entries, never what they hold now.
//!
//! No stage asks it yet: runs ask about everybody.

use super::Crsid;

/// Up to where the changes of a directory are known. Only good for the directory that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryMark(pub(super) u64);

/// Whose entries changed since a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangedPeople {
    /// These.
    These {
        /// Sorted, each once; nobody where nothing changed. Who has no entry any more is not among
        /// them.
        people: Vec<Crsid>,
        /// Up to where that is told.
        mark: DirectoryMark,
    },
    /// It does not tell this time: why. Only asking about everybody does.
    NotTold(String),
    /// It never tells.
    NotSupported,
}
