//! Publishing dead letters again.

use std::time::Duration;

use futures::future::join_all;
use tokio::{
    sync::Mutex,
    time::{Interval, MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Letter, Scan, Seen, Selection};
use crate::{
    failpoint,
    messaging::{
        Batching, Connection, PubSubError, Publisher, PublisherOptions, Stage, dead_letters,
    },
};

/// From so many replays on, a letter is replayed only by force: what failed three times needs a
/// person's eye.
pub const MAX_REPLAYS: u32 = 3;
/// Letters under way at once.
const AT_ONCE: usize = 32;
/// How long a confirmation is waited for. One that comes later makes a duplicate, which does no
/// harm.
const CONFIRMATION: Duration = Duration::from_mins(1);

/// How letters are replayed.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// Stamped on every message of this replay; a dead letter that carries it was replayed already.
    pub replay_id: String,
    /// At most so many; `None` is all.
    pub max: Option<u64>,
    /// The time from one to the next; `None` is none.
    pub pause: Option<Duration>,
    /// Letters replayed this often already are skipped.
    pub max_replays: u32,
    /// Replay even those.
    pub force: bool,
}

impl ReplayOptions {
    /// A replay of its own id: all, as fast as they go, none that was replayed three times.
    #[expect(
        clippy::new_without_default,
        reason = "two defaults would not be equal"
    )]
    pub fn new() -> Self {
        Self {
            replay_id: Uuid::new_v4().to_string(),
            max: None,
            pause: None,
            max_replays: MAX_REPLAYS,
            force: false,
        }
    }

    /// Why `seen` is not to be replayed.
    pub fn skip(&self, seen: &Seen) -> Option<Skip> {
        if seen.replay_id.as_ref() == Some(&self.replay_id) {
            Some(Skip::DiedAgain)
        } else if seen.history.replays >= self.max_replays && !self.force {
            Some(Skip::ReplayedTooOften)
        } else {
            None
        }
    }
}

/// Why a letter is not replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// This very replay published it, and it died again.
    DiedAgain,
    /// It was replayed `max_replays` times before.
    ReplayedTooOften,
}

/// What happens to one letter.
#[derive(Clone, Copy, Debug)]
pub enum ReplayEvent<'a> {
    /// Its topic has confirmed it, as this message; the dead letter is still there.
    Confirmed(&'a Seen, &'a str),
    /// It is a dead letter no more; this is its new message id.
    Replayed(&'a Seen, &'a str),
    /// It stays as it was.
    Skipped(&'a Seen, Skip),
    /// It was not confirmed, or confirmed and not acked; either way it is still a dead letter.
    Failed(&'a Seen, &'a str),
}

/// What became of a replay.
#[derive(Debug, Default)]
pub struct Summary {
    /// Confirmed in their topic and no longer dead letters.
    pub replayed: u64,
    /// Replayed by this replay, and dead again while it ran.
    pub died_again: u64,
    /// Left for having been replayed too often.
    pub replayed_too_often: u64,
    /// Not confirmed, or not acked.
    pub failed: u64,
    /// Ids asked for that were not seen.
    pub missing: Vec<String>,
    /// It was stopped before the end.
    pub stopped: bool,
    /// What ended it before the end.
    pub broken: Option<PubSubError>,
}

impl Summary {
    /// Whether every letter that was meant has been replayed.
    pub fn is_complete(&self) -> bool {
        let left = self.failed + self.replayed_too_often;
        left == 0 && self.missing.is_empty() && !self.stopped && self.broken.is_none()
    }
}

/// Publishes the selected dead letters again, each to the topic in whose dead-letter topic it lies,
/// and acks each once that is confirmed. Each has a publish request of its own, so that a refused
/// one fails alone.
///
/// Cancelling `stopping` ends it in order; killed anywhere, nothing is lost, and up to 32 messages
/// are there twice.
pub async fn replay(
    connection: &Connection,
    selection: &Selection,
    options: &ReplayOptions,
    stopping: &CancellationToken,
    progress: &(dyn Fn(ReplayEvent<'_>) + Send + Sync),
) -> Summary {
    let mut replay = Replay {
        connection,
        options,
        stopping,
        progress,
        pace: options.pause.map(pace),
        summary: Summary::default(),
    };
    let mut scan = Scan::new(connection, selection, stopping.clone());
    let ended = replay.run(&mut scan).await;
    let mut summary = replay.summary;
    summary.broken = ended.err();
    summary.stopped = stopping.is_cancelled();
    summary.missing = scan.missing().iter().cloned().collect();
    scan.release().await;
    summary
}

struct Replay<'a> {
    connection: &'a Connection,
    options: &'a ReplayOptions,
    stopping: &'a CancellationToken,
    progress: &'a (dyn Fn(ReplayEvent<'_>) + Send + Sync),
    pace: Option<Mutex<Interval>>,
    summary: Summary,
}

enum ReplayEnd {
    Replayed,
    Failed,
    NotBegun,
}

impl Replay<'_> {
    async fn run(&mut self, scan: &mut Scan) -> Result<(), PubSubError> {
        while self.room() > 0 {
            let Some(letters) = scan.next().await? else {
                break;
            };
            self.batch(&letters, scan).await;
        }
        Ok(())
    }

    /// Where the letters of `stage` go. The topic is that of the place where they lie, not what
    /// they say of themselves.
    fn publisher(&self, stage: Stage) -> Publisher {
        let options = PublisherOptions {
            batching: Batching::OneByOne,
            ..PublisherOptions::default()
        };
        self.connection
            .publisher_with(stage.topic().as_str(), &options)
    }

    /// Replays letters of one stage.
    async fn batch(&mut self, letters: &[Letter], scan: &Scan) {
        let Some(first) = letters.first() else {
            return;
        };
        let publisher = self.publisher(first.seen.stage);
        let due: Vec<&Letter> = letters
            .iter()
            .filter(|letter| self.is_due(&letter.seen))
            .collect();
        let mut rest = due.as_slice();
        while !rest.is_empty() && self.room() > 0 {
            let (now, later) = rest.split_at(self.room().min(rest.len()));
            rest = later;
            let ends = join_all(now.iter().map(|letter| self.one(letter, scan, &publisher))).await;
            for end in ends {
                match end {
                    ReplayEnd::Replayed => self.summary.replayed += 1,
                    ReplayEnd::Failed => self.summary.failed += 1,
                    ReplayEnd::NotBegun => {}
                }
            }
        }
    }

    /// How many may begin now.
    fn room(&self) -> usize {
        if self.stopping.is_cancelled() {
            return 0;
        }
        let left = self
            .options
            .max
            .map(|max| max.saturating_sub(self.summary.replayed));
        left.map_or(AT_ONCE, |left| {
            usize::try_from(left).unwrap_or(AT_ONCE).min(AT_ONCE)
        })
    }

    fn is_due(&mut self, seen: &Seen) -> bool {
        let Some(skip) = self.options.skip(seen) else {
            return true;
        };
        match skip {
            Skip::DiedAgain => self.summary.died_again += 1,
            Skip::ReplayedTooOften => self.summary.replayed_too_often += 1,
        }
        (self.progress)(ReplayEvent::Skipped(seen, skip));
        false
    }

    async fn one(&self, letter: &Letter, scan: &Scan, publisher: &Publisher) -> ReplayEnd {
        if !self.may_begin().await {
            return ReplayEnd::NotBegun;
        }
        let seen = &letter.seen;
        failpoint::pass("before_replay");
        let message_id = match self.publish(letter, publisher).await {
            Ok(message_id) => message_id,
            Err(why) => return self.failed(seen, &why),
        };
        (self.progress)(ReplayEvent::Confirmed(seen, &message_id));
        failpoint::pass("after_replay");
        if let Err(error) = scan.ack(&[&seen.id]).await {
            let why = format!("it is published, as {message_id}, and still a dead letter: {error}");
            return self.failed(seen, &why);
        }
        failpoint::pass("after_replay_ack");
        (self.progress)(ReplayEvent::Replayed(seen, &message_id));
        ReplayEnd::Replayed
    }

    async fn publish(&self, letter: &Letter, publisher: &Publisher) -> Result<String, String> {
        let seen = &letter.seen;
        let id = &self.options.replay_id;
        let attributes = dead_letters::replayed(&letter.attributes, seen.stage, id, seen.died());
        let confirmation = publisher.publish_raw(letter.body.clone(), attributes);
        match timeout(CONFIRMATION, confirmation).await {
            Ok(Ok(message_id)) => Ok(message_id),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("not confirmed after {} s", CONFIRMATION.as_secs())),
        }
    }

    fn failed(&self, seen: &Seen, why: &str) -> ReplayEnd {
        (self.progress)(ReplayEvent::Failed(seen, why));
        ReplayEnd::Failed
    }

    /// Waits for its turn; false when there will be none.
    async fn may_begin(&self) -> bool {
        let Some(pace) = &self.pace else {
            return true;
        };
        let turn = async { pace.lock().await.tick().await };
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => false,
            _ = turn => true,
        }
    }
}

fn pace(pause: Duration) -> Mutex<Interval> {
    let mut pace = interval(pause.max(Duration::from_nanos(1)));
    // Never a burst to catch up: the rate is there to spare whoever is behind it.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Mutex::new(pace)
}
