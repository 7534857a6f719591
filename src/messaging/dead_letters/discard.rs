//! Taking dead letters away for good.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::Serialize;
use tokio::{
    fs::{File, OpenOptions},
    io::AsyncWriteExt as _,
};
use tokio_util::sync::CancellationToken;

use super::{Letter, Scan, Seen, Selection};
use crate::messaging::{Connection, PubSubError};

/// Why a discard ended before the end. What it had not acked is still there.
#[derive(Debug, thiserror::Error)]
pub enum DiscardError {
    /// Pub/Sub could not be reached or refused.
    #[error(transparent)]
    PubSub(#[from] PubSubError),
    /// The file could not be written, or was there before.
    #[error("cannot write {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What became of a discard.
#[derive(Debug, Default)]
pub struct Discarded {
    /// In the file, and no longer dead letters.
    pub discarded: u64,
    /// Ids asked for that were not seen.
    pub missing: Vec<String>,
    /// It was stopped before the end.
    pub stopped: bool,
    /// What ended it before the end.
    pub broken: Option<DiscardError>,
}

/// Takes the selected dead letters away for good, having written them to the new file `path`, one
/// JSON object a line. A batch is acked only after the file is synced; `written` is called in
/// between. No letter, no file.
///
/// Killed anywhere, every letter is in the file or still a dead letter, and some may be both.
pub async fn discard(
    connection: &Connection,
    selection: &Selection,
    path: &Path,
    stopping: &CancellationToken,
    written: &(dyn Fn(&Seen) + Send + Sync),
) -> Discarded {
    let mut scan = Scan::new(connection, selection, stopping.clone());
    let mut discarded = Discarded::default();
    let ended = run(&mut scan, path, written, &mut discarded.discarded).await;
    discarded.broken = ended.err();
    discarded.stopped = stopping.is_cancelled();
    discarded.missing = scan.missing().iter().cloned().collect();
    scan.release().await;
    discarded
}

async fn run(
    scan: &mut Scan,
    path: &Path,
    written: &(dyn Fn(&Seen) + Send + Sync),
    discarded: &mut u64,
) -> Result<(), DiscardError> {
    let failed = |source| DiscardError::File {
        path: path.to_owned(),
        source,
    };
    let mut file = None;
    while let Some(letters) = scan.next().await? {
        let open = match file.take() {
            Some(open) => open,
            None => create(path).await.map_err(failed)?,
        };
        file = Some(append(open, &letters).await.map_err(failed)?);
        for letter in &letters {
            written(&letter.seen);
        }
        let ids: Vec<&str> = letters
            .iter()
            .map(|letter| letter.seen.id.as_str())
            .collect();
        scan.ack(&ids).await?;
        *discarded += ids.len() as u64;
    }
    Ok(())
}

/// A new file that only its owner can read: bodies name people. Its folder is synced too, or the
/// name may be lost.
async fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .await?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).await?;
    folder.sync_all().await?;
    Ok(file)
}

async fn append(mut file: File, letters: &[Letter]) -> io::Result<File> {
    for letter in letters {
        let mut line = serde_json::to_vec(&Record::of(letter))?;
        line.push(b'\n');
        file.write_all(&line).await?;
    }
    file.flush().await?;
    file.sync_all().await?;
    Ok(file)
}

/// A letter on disk: enough to publish it again by hand.
#[derive(Serialize)]
struct Record<'a> {
    message_id: &'a str,
    topic: &'static str,
    publish_time: Option<Timestamp>,
    discarded_at: Timestamp,
    attributes: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

impl<'a> Record<'a> {
    fn of(letter: &'a Letter) -> Self {
        let text = std::str::from_utf8(&letter.body).ok();
        Self {
            message_id: &letter.seen.id,
            topic: letter.seen.stage.dead_letter_topic(),
            publish_time: letter.seen.published,
            discarded_at: Timestamp::now(),
            attributes: &letter.attributes,
            body: text,
            body_base64: text.is_none().then(|| BASE64_STANDARD.encode(&letter.body)),
        }
    }
}
