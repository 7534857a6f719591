//! The directory that decides: who a person is in it, and whether they are cancelled.

mod crsid;
mod file;
mod lookup;
mod shared;

use std::{collections::HashMap, fmt, sync::Arc};

use futures::future::BoxFuture;

pub use crsid::Crsid;
pub use file::{FileDirectory, FileError};
pub use lookup::Lookup;
pub use shared::SharedLooks;

use crate::{
    config,
    gate::Gate,
    upstream::{BuildError, CallError, warn_without_clock},
};

/// What the directory says of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// An explicit `cancelled: true`.
    Cancelled,
    /// An explicit `cancelled: false`.
    Current,
    /// Anything else: absent, mistyped, or about somebody else. Never a reason to write.
    Unknown,
}

/// What a directory answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standings {
    /// Whom it told of.
    pub told: HashMap<Crsid, Standing>,
    /// Whom it cannot show though it shows others. They are unknown, and were named to the
    /// operator.
    pub unreadable: Vec<Crsid>,
}

impl Standings {
    /// The standing of `person`; [`Standing::Unknown`] of whom nothing was told.
    pub fn of(&self, person: Crsid) -> Standing {
        self.told.get(&person).copied().unwrap_or(Standing::Unknown)
    }

    /// Adds what another part of the answer tells.
    pub fn add(&mut self, other: Self) {
        self.told.extend(other.told);
        self.unreadable.extend(other.unreadable);
    }
}

impl FromIterator<(Crsid, Standing)> for Standings {
    fn from_iter<I: IntoIterator<Item = (Crsid, Standing)>>(told: I) -> Self {
        Self {
            told: told.into_iter().collect(),
            unreadable: Vec::new(),
        }
    }
}

/// A directory of people. Another university's is one more implementation.
pub trait Directory: Send + Sync + fmt::Debug {
    /// The standing of each person asked for.
    ///
    /// # Errors
    /// When any part of the question got no usable answer: there are no partial answers. Single
    /// people whom the directory cannot show while it shows others are no error.
    fn standings<'a>(&'a self, people: &'a [Crsid]) -> BoxFuture<'a, Result<Standings, CallError>>;

    /// So many people make one question of [`Self::standings`] that costs no more than one call.
    /// All of them, unless the directory is asked over a network.
    fn people_in_one_question(&self) -> usize {
        usize::MAX
    }

    /// Asks it to hold its answers' time against this machine's clock, since GitLab's have none.
    /// Called before each question; says once if the directory tells no time either.
    fn keep_time(&self) {
        warn_without_clock();
    }

    /// The gates its calls go through, for readiness.
    fn gates(&self) -> Vec<Arc<Gate>> {
        Vec::new()
    }
}

/// The directory that `config` names.
///
/// # Errors
/// An address or credentials that HTTP cannot carry; a file that is missing or malformed.
pub fn open(config: &config::DirectoryConfig) -> Result<Arc<dyn Directory>, BuildError> {
    Ok(match config {
        config::DirectoryConfig::Lookup(lookup) => Arc::new(Lookup::new(lookup)?),
        config::DirectoryConfig::File(path) => {
            let file =
                FileDirectory::open(path).map_err(|error| BuildError::File(Box::new(error)))?;
            Arc::new(file)
        }
    })
}
