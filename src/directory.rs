//! The directory that decides: who a person is in it, and whether they are cancelled.

mod changes;
mod controls;
mod file;
mod lookup;
mod shared;

use std::{fmt, sync::Arc};

use futures::future::BoxFuture;

pub use changes::{ChangedPeople, DirectoryMark};
pub use controls::{ControlPeople, Standings};
pub use file::{FileDirectory, FileError};
pub use lookup::Lookup;
pub use shared::SharedLooks;

pub use crate::crsid::Crsid;
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

    /// Up to where its people have changed by now; `None` of a directory that cannot tell what
    /// changes.
    ///
    /// # Errors
    /// See [`CallError`].
    fn mark(&self) -> BoxFuture<'_, Result<Option<DirectoryMark>, CallError>> {
        Box::pin(async { Ok(None) })
    }

    /// Whose entries changed since `mark`. It tells nothing of what they are now.
    ///
    /// # Errors
    /// See [`CallError`].
    fn changed_people(
        &self,
        _mark: DirectoryMark,
    ) -> BoxFuture<'_, Result<ChangedPeople, CallError>> {
        Box::pin(async { Ok(ChangedPeople::NotSupported) })
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

/// The directory that `config` names, which believes no answer that is wrong about `controls`.
///
/// # Errors
/// An address or credentials that HTTP cannot carry; a file that is missing or malformed.
pub fn open(
    config: &config::DirectoryConfig,
    controls: &config::ControlsConfig,
) -> Result<Arc<dyn Directory>, BuildError> {
    let controls = ControlPeople::new(controls);
    Ok(match config {
        config::DirectoryConfig::Lookup(lookup) => {
            Arc::new(Lookup::new(lookup)?.controlled_by(controls))
        }
        config::DirectoryConfig::File(path) => {
            let file =
                FileDirectory::open(path).map_err(|error| BuildError::File(Box::new(error)))?;
            Arc::new(file.controlled_by(controls))
        }
    })
}
