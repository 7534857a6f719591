//! The file that a token stands in: a new one takes its place at once and lastingly, or not at all.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use secrecy::ExposeSecret;

use crate::config::Secret;

/// Longer than any token, so that a disk that is full later has room for it.
const ROOM: usize = 4096;

/// Why a file cannot take a new token. Nothing has been rotated yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenFileError {
    #[error("{} is not a regular file", .0.display())]
    NotRegular(PathBuf),
    #[error(
        "{} is there: another rotation is under way, or one was cut off. If none is under way and that file holds a \
         token, it is the new one; otherwise delete it",
        .0.display()
    )]
    UnderWay(PathBuf),
    #[error("{} has changed since this command began: run it again", .0.display())]
    Changed(PathBuf),
    #[error("{} cannot be replaced, so nothing was rotated: make its folder writable, or give --print", path.display())]
    Failed { path: PathBuf, source: io::Error },
}

/// A text that could not be stored as it should be.
#[derive(Debug)]
pub(super) struct Unstored {
    pub source: io::Error,
    /// The file that it stands in nevertheless.
    pub stands_in: Option<PathBuf>,
}

/// A file that has just been replaced by a copy of itself, and so can be replaced by the new token.
/// The file beside it keeps other rotations out meanwhile.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    beside: Beside,
    ends_line: bool,
    mode: u32,
    owner: (u32, u32),
}

/// The file that becomes the token's. It is removed unless it is renamed or kept.
#[derive(Debug)]
struct Beside {
    path: PathBuf,
    file: File,
    is_kept: bool,
}

impl TokenFile {
    /// Proves that `path`, which holds `token`, can be replaced, by replacing it with a copy.
    ///
    /// # Errors
    /// See [`TokenFileError`].
    pub(super) fn rehearse(path: &Path, token: &Secret) -> Result<Self, TokenFileError> {
        let failed = |source| TokenFileError::Failed {
            path: path.to_owned(),
            source,
        };
        // A link stays one, and what it leads to is replaced.
        let real = fs::canonicalize(path).map_err(failed)?;
        let metadata = fs::metadata(&real).map_err(failed)?;
        if !metadata.is_file() {
            return Err(TokenFileError::NotRegular(real));
        }
        let copy = Beside::create(&real).map_err(|error| under_way(error, &real))?;
        // Only now does nobody else rotate it.
        let now = Secret::of_file(&real);
        if now.is_ok_and(|now| now.expose_secret() != token.expose_secret()) {
            return Err(TokenFileError::Changed(real));
        }
        let text = fs::read(&real).map_err(failed)?;
        let owner = (metadata.uid(), metadata.gid());
        let mode = metadata.mode() & 0o7777;
        copy.fill(&text)
            .and_then(|copy| copy.replace(&real, mode, owner))
            .map_err(|unstored| {
                // A copy of the old token, unless it has taken its place.
                if let Some(copy) = unstored.stands_in.filter(|path| *path != real) {
                    let _ = fs::remove_file(copy);
                }
                failed(unstored.source)
            })?;
        let beside = Beside::create(&real).map_err(|error| under_way(error, &real))?;
        let beside = beside
            .fill(&[b' '; ROOM])
            .map_err(|unstored| failed(unstored.source))?;
        Ok(Self {
            path: real,
            beside,
            ends_line: text.ends_with(b"\n"),
            mode,
            owner,
        })
    }

    /// Where the token stands.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the new token in place of the old one.
    ///
    /// # Errors
    /// What went wrong, and where the new token stands nevertheless.
    pub(super) fn store(self, token: &Secret) -> Result<(), Unstored> {
        let mut text = token.expose_secret().to_owned();
        if self.ends_line {
            text.push('\n');
        }
        let written = self.beside.fill(text.as_bytes())?;
        written.replace(&self.path, self.mode, self.owner)
    }
}

fn under_way(error: io::Error, path: &Path) -> TokenFileError {
    if error.kind() == io::ErrorKind::AlreadyExists {
        TokenFileError::UnderWay(beside(path))
    } else {
        TokenFileError::Failed {
            path: path.to_owned(),
            source: error,
        }
    }
}

/// Beside `path`, since only within one file system a file takes another one's place at once.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".rotation");
    path.with_file_name(name)
}

/// A new file that its owner alone can read.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

impl Beside {
    fn create(path: &Path) -> io::Result<Self> {
        let path = beside(path);
        Ok(Self {
            file: create_private(&path)?,
            path,
            is_kept: false,
        })
    }

    /// Makes `text` all that stands in it, lastingly.
    fn fill(mut self, text: &[u8]) -> Result<Self, Unstored> {
        let written = self
            .file
            .rewind()
            .and_then(|()| self.file.write_all(text))
            .and_then(|()| self.file.set_len(text.len() as u64))
            .and_then(|()| self.file.sync_all());
        match written {
            Ok(()) => Ok(self),
            Err(source) => Err(Unstored {
                source,
                stands_in: None,
            }),
        }
    }

    /// Takes the place of `path`, with the rights of the file that stood there. Where that fails,
    /// the text stands here, or there already.
    fn replace(mut self, path: &Path, mode: u32, owner: (u32, u32)) -> Result<(), Unstored> {
        self.is_kept = true;
        let moved = self
            .give(mode, owner)
            .and_then(|()| fs::rename(&self.path, path));
        if let Err(source) = moved {
            return Err(Unstored {
                source,
                stands_in: Some(self.path.clone()),
            });
        }
        let folder = path.parent().unwrap_or(Path::new("/"));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| Unstored {
                source,
                stands_in: Some(path.to_owned()),
            })
    }

    fn give(&self, mode: u32, (user, group): (u32, u32)) -> io::Result<()> {
        let mine = self.file.metadata()?;
        if (mine.uid(), mine.gid()) != (user, group) {
            fchown(&self.file, Some(user), Some(group))?;
        }
        self.file.set_permissions(Permissions::from_mode(mode))?;
        self.file.sync_all()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.is_kept {
            // It holds nothing that is not elsewhere.
            let _ = fs::remove_file(&self.path);
        }
    }
}
