//! Batches concurrent questions about single people into shared calls.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::{
    sync::{Notify, Semaphore},
    time::{sleep, timeout},
};

use super::{Crsid, Directory, Standing, Standings};
use crate::upstream::CallError;

/// How long a batch collects at least, unless it is full before.
const COLLECT: Duration = Duration::from_millis(5);
/// Batches under way while others collect. With fewer, a look waits for an answer that is not its
/// own; each change has a call to itself at worst.
const UNDER_WAY: usize = 4;
/// How long it goes on collecting while so many are under way. Longer, and the looks would grow
/// old.
const PATIENCE: Duration = Duration::from_millis(250);

/// Lets many looks at one person each share calls to the directory. Cheap to clone.
///
/// Every answer comes from a call made after the question: a look is never answered from what an
/// earlier one saw.
#[derive(Clone)]
pub struct SharedLooks {
    inner: Arc<CollectedQuestions>,
}

struct CollectedQuestions {
    directory: Arc<dyn Directory>,
    batch_size: usize,
    collecting: Mutex<Option<(Arc<DirectoryBatch>, Answer)>>,
    /// Full batches do not wait for it.
    under_way: Semaphore,
}

/// Polled by all who wait for it, so that it goes on when some of them stop waiting.
type Answer = Shared<BoxFuture<'static, Result<Arc<Standings>, CallError>>>;

#[derive(Debug, Default)]
struct DirectoryBatch {
    /// `None` once the batch has left.
    people: Mutex<Option<Vec<Crsid>>>,
    full: Notify,
}

impl SharedLooks {
    /// Looks at `directory` with at most `batch_size` people in one question.
    pub fn new(directory: Arc<dyn Directory>, batch_size: usize) -> Self {
        let inner = CollectedQuestions {
            directory,
            batch_size: batch_size.max(1),
            collecting: Mutex::default(),
            under_way: Semaphore::new(UNDER_WAY),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The person's standing as of now.
    ///
    /// # Errors
    /// That of the call, shared by all who asked in it.
    pub async fn standing(&self, person: Crsid) -> Result<Standing, CallError> {
        let standings = self.join(person).await?;
        Ok(standings.of(person))
    }

    /// The directory behind it.
    pub fn directory(&self) -> &Arc<dyn Directory> {
        &self.inner.directory
    }

    /// Puts the person on the batch that collects, or begins one.
    fn join(&self, person: Crsid) -> Answer {
        let mut collecting = self
            .inner
            .collecting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((batch, answer)) = collecting.as_ref()
            && batch.board(person, self.inner.batch_size)
        {
            return answer.clone();
        }
        let batch = Arc::new(DirectoryBatch::of(person));
        let answer = Arc::clone(&self.inner)
            .look(Arc::clone(&batch))
            .boxed()
            .shared();
        *collecting = Some((batch, answer.clone()));
        answer
    }
}

impl CollectedQuestions {
    async fn look(
        self: Arc<Self>,
        batch: Arc<DirectoryBatch>,
    ) -> Result<Arc<Standings>, CallError> {
        let collected = async {
            sleep(COLLECT).await;
            timeout(PATIENCE, self.under_way.acquire()).await
        };
        // In this order always: an order drawn by lot would be a schedule of faults that no seed
        // replays.
        let _place = tokio::select! {
            biased;
            () = batch.full.notified() => None,
            place = collected => Some(place),
        };
        let people = batch.leave();
        self.directory.standings(&people).await.map(Arc::new)
    }
}

impl DirectoryBatch {
    fn of(person: Crsid) -> Self {
        Self {
            people: Mutex::new(Some(vec![person])),
            full: Notify::new(),
        }
    }

    /// False if the batch is full or has left.
    fn board(&self, person: Crsid, size: usize) -> bool {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(people) = people.as_mut() else {
            return false;
        };
        if people.contains(&person) {
            return true;
        }
        if people.len() >= size {
            return false;
        }
        people.push(person);
        if people.len() >= size {
            self.full.notify_one();
        }
        true
    }

    fn leave(&self) -> Vec<Crsid> {
        self.people
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .unwrap_or_default()
    }
}

impl fmt::Debug for SharedLooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLooks")
            .field("directory", &self.inner.directory)
            .finish_non_exhaustive()
    }
}
