//! A directory that is a file of JSON lines.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use futures::future::BoxFuture;
use serde::Deserialize;

use super::{ControlPeople, Crsid, Directory, Standing, Standings};
use crate::{
    config::objection,
    gate::{CallKind, ErrorKind, Gate, UpstreamId},
    upstream::{CallError, Fault, FaultScope, LenientValue, UpstreamSettings},
};

static SETTINGS: UpstreamSettings = UpstreamSettings {
    url: "the path of the directory file",
    credentials: "the rights on the directory file",
    rights: "to be readable",
    authority: "SSL_CERT_FILE",
};

/// A directory in a file: JSON lines `{"id","cancelled"}`. Read again whenever it has changed;
/// replace it by renaming a finished one over it, as a file caught half-written is refused.
#[derive(Clone, Debug)]
pub struct FileDirectory {
    path: PathBuf,
    gate: Arc<Gate>,
    controls: ControlPeople,
    read: Arc<Mutex<Option<Snapshot>>>,
}

/// Why a directory file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("the directory file {path} cannot be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is saved in another encoding.
    #[error("the directory file {path} {what}")]
    Encoding {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A line that is not of the form.
    #[error(
        "line {line} of the directory file {path} {what}; each line is like {{\"id\":\"spqr1\",\"cancelled\":false}}"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Two lines that say different things of one person.
    #[error(
        "lines {first} and {line} of the directory file {path} contradict each other about {id}"
    )]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// The first of the lines, from 1.
        first: u32,
        /// The other.
        line: u32,
        /// The person.
        id: Crsid,
    },
}

type PeopleByCrsid = HashMap<Crsid, (Standing, u32)>;

#[derive(Clone, Debug)]
struct Snapshot {
    stamp: Stamp,
    people: Arc<PeopleByCrsid>,
}

/// What changes when the file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl FileDirectory {
    /// Reads the file at `path`, so that a mistake in it is told at once.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let gate = Gate::new(UpstreamId::DirectoryFile, CallKind::Read);
        let directory = Self {
            path: path.to_owned(),
            gate,
            controls: ControlPeople::default(),
            read: Arc::default(),
        };
        directory.people()?;
        Ok(directory)
    }

    /// The same, believing no file that is wrong about `controls`.
    #[must_use]
    pub fn controlled_by(self, controls: ControlPeople) -> Self {
        Self { controls, ..self }
    }

    /// The people as the file has them now.
    fn people(&self) -> Result<Arc<PeopleByCrsid>, FileError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.stamp()?;
        if let Some(snapshot) = read.as_ref().filter(|snapshot| snapshot.stamp == stamp) {
            return Ok(Arc::clone(&snapshot.people));
        }
        let file = File::open(&self.path).map_err(|error| self.io(error))?;
        let people = Arc::new(self.parse(BufReader::new(file))?);
        *read = Some(Snapshot {
            stamp,
            people: Arc::clone(&people),
        });
        Ok(people)
    }

    fn stamp(&self) -> Result<Stamp, FileError> {
        let metadata = fs::metadata(&self.path).map_err(|error| self.io(error))?;
        Ok(Stamp {
            modified: metadata.modified().ok(),
            bytes: metadata.len(),
        })
    }

    fn parse(&self, mut lines: impl BufRead) -> Result<PeopleByCrsid, FileError> {
        let mut people = PeopleByCrsid::new();
        let mut text = Vec::new();
        for line in 1.. {
            text.clear();
            if lines
                .read_until(b'\n', &mut text)
                .map_err(|error| self.io(error))?
                == 0
            {
                break;
            }
            if let Some(what) = objection(&text).filter(|_| line == 1) {
                let path = self.path.clone();
                return Err(FileError::Encoding { path, what });
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            let (id, standing) =
                person(text.trim_ascii()).map_err(|what| FileError::Malformed {
                    path: self.path.clone(),
                    line,
                    what,
                })?;
            let (told, first) = *people.entry(id).or_insert((standing, line));
            if told != standing {
                return Err(FileError::Contradiction {
                    path: self.path.clone(),
                    first,
                    line,
                    id,
                });
            }
        }
        Ok(people)
    }

    fn io(&self, source: io::Error) -> FileError {
        FileError::Io {
            path: self.path.clone(),
            source,
        }
    }

    async fn tell(&self, people: &[Crsid]) -> Result<Standings, Fault> {
        let known = self.read().await?;
        let asked = self.controls.beside(people).into_iter();
        let told = asked.filter_map(|person| Some((person, known.get(&person)?.0)));
        self.controls.believe(told)
    }

    async fn read(&self) -> Result<Arc<PeopleByCrsid>, Fault> {
        let this = self.clone();
        let read = tokio::task::spawn_blocking(move || this.people()).await;
        let unreadable =
            |what: String| Fault::new(ErrorKind::Unreadable, what).advising("correct the file");
        match read {
            Ok(Ok(people)) => Ok(people),
            Ok(Err(error)) => Err(unreadable(format!("is unusable: {error}")).caused_by(error)),
            Err(error) => Err(unreadable("was not read to its end".to_owned()).caused_by(error)),
        }
    }
}

impl Directory for FileDirectory {
    fn standings<'a>(&'a self, people: &'a [Crsid]) -> BoxFuture<'a, Result<Standings, CallError>> {
        Box::pin(async move {
            const OPERATION: &str = "read_file";
            let guard = self
                .gate
                .enter()
                .map_err(|closed| CallError::withheld(OPERATION, &self.gate, &closed))?;
            let standings = match self.tell(people).await {
                Ok(standings) => standings,
                Err(fault) => {
                    let blame = FaultScope::Upstream(Arc::clone(&self.gate));
                    let error = CallError::of(
                        UpstreamId::DirectoryFile,
                        OPERATION,
                        &SETTINGS,
                        blame,
                        fault.clone(),
                    );
                    guard.failed(&fault.at_gate(&error.to_string()));
                    return Err(error);
                }
            };
            guard.succeeded();
            Ok(standings)
        })
    }

    fn gates(&self) -> Vec<Arc<Gate>> {
        vec![Arc::clone(&self.gate)]
    }
}

#[derive(Deserialize)]
struct PersonLine<'a> {
    #[serde(borrow, default)]
    id: LenientValue<'a>,
    #[serde(borrow, default)]
    cancelled: LenientValue<'a>,
}

fn person(text: &[u8]) -> Result<(Crsid, Standing), &'static str> {
    let line: PersonLine<'_> = serde_json::from_slice(text).map_err(|_| "is not a JSON object")?;
    let id = line
        .id
        .text()
        .and_then(Crsid::parse)
        .ok_or("has no well-formed `id`")?;
    match line.cancelled {
        LenientValue::Bool(true) => Ok((id, Standing::Cancelled)),
        LenientValue::Bool(false) => Ok((id, Standing::Current)),
        LenientValue::Absent
        | LenientValue::Null
        | LenientValue::Number(_)
        | LenientValue::Text(_)
        | LenientValue::Other => Err("has no `cancelled` that is true or false"),
    }
}
