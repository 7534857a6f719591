//! Who failed at what while others did not. Time comes in; nothing here waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use super::Subject;

/// So many different subjects that fail at the same, without a success between them, are not to
/// blame themselves.
pub(super) const DIFFERENT: usize = 5;
/// One of fewer who fail, that failed so often since the last success, is to blame all the same.
const PATIENCE: u32 = 8;
/// How long is remembered that a subject failed while others did not, from its last failure on.
const MEMORY: Duration = Duration::from_hours(24);
/// Of so many at most.
const REMEMBERED: usize = 10_000;

/// What one purpose of calls is, such as to block an account; a closed set.
pub(super) type Purpose = &'static str;

/// Whose fault a failure is, by what is known of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultVerdict {
    /// That of the subject: others succeed, or nobody else is known to fail.
    Subject {
        /// Nobody has been told yet, since its last success.
        news: bool,
    },
    /// Others fail too, and too few to tell.
    Unknown,
    /// Everybody fails.
    Everybody,
}

/// What is remembered of those who failed.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// How often each failed at what since the last success at it.
    failing: BTreeMap<Purpose, BTreeMap<Subject, u32>>,
    /// Who failed at what while another succeeded, and has not succeeded since; and when last.
    alone: BTreeMap<(Purpose, Subject), Instant>,
    /// Who has been told of.
    told: BTreeSet<(Purpose, Subject)>,
}

impl Evidence {
    /// A call of that purpose reached its end: whoever failed at it since the last success failed
    /// alone.
    pub(super) fn succeeded(&mut self, purpose: Purpose, about: Option<&Subject>, now: Instant) {
        for subject in self.failing.remove(purpose).unwrap_or_default().into_keys() {
            if Some(&subject) != about {
                self.alone.insert((purpose, subject), now);
            }
        }
        if let Some(about) = about {
            let key = (purpose, about.clone());
            self.alone.remove(&key);
            self.told.remove(&key);
        }
        self.forget(now);
    }

    /// A call of that purpose about `about` failed.
    pub(super) fn failed(
        &mut self,
        purpose: Purpose,
        about: &Subject,
        now: Instant,
    ) -> FaultVerdict {
        if self.failed_alone(purpose, about, now) {
            self.alone.insert((purpose, about.clone()), now);
            return self.blame(purpose, about);
        }
        let failing = self.note(purpose, about);
        let (different, times) = (failing.len(), failing.get(about).copied());
        if different >= DIFFERENT {
            FaultVerdict::Everybody
        } else if different == 1 || times.is_some_and(|times| times >= PATIENCE) {
            self.blame(purpose, about)
        } else {
            FaultVerdict::Unknown
        }
    }

    /// Takes down that it failed, which judges nobody yet.
    pub(super) fn note(&mut self, purpose: Purpose, about: &Subject) -> &BTreeMap<Subject, u32> {
        let failing = self.failing.entry(purpose).or_default();
        let times = failing.entry(about.clone()).or_default();
        *times = times.saturating_add(1);
        failing
    }

    /// Its own fault for a reason of its own, whatever others do.
    pub(super) fn blame(&mut self, purpose: Purpose, about: &Subject) -> FaultVerdict {
        if self.told.len() >= REMEMBERED {
            self.told.clear();
        }
        let news = self.told.insert((purpose, about.clone()));
        FaultVerdict::Subject { news }
    }

    /// Whether others succeeded at what it failed at, within the memory.
    pub(super) fn failed_alone(&self, purpose: Purpose, about: &Subject, now: Instant) -> bool {
        self.alone
            .get(&(purpose, about.clone()))
            .is_some_and(|last| now.saturating_duration_since(*last) < MEMORY)
    }

    /// Whether it failed at anything since the last success at that.
    pub(super) fn is_failing(&self, about: &Subject) -> bool {
        self.failing
            .values()
            .any(|failing| failing.contains_key(about))
    }

    fn forget(&mut self, now: Instant) {
        if self.alone.len() > REMEMBERED {
            self.alone
                .retain(|_, last| now.saturating_duration_since(*last) < MEMORY);
        }
        while self.alone.len() > REMEMBERED {
            self.alone.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: Purpose = "block_user";

    fn account(id: u64) -> Subject {
        Subject::account(id)
    }

    #[tokio::test(start_paused = true)]
    async fn who_fails_while_nobody_else_does_is_to_blame_and_told_of_once() {
        let mut evidence = Evidence::default();
        let now = Instant::now();
        let first = evidence.failed(BLOCK, &account(1), now);
        assert_eq!(first, FaultVerdict::Subject { news: true });
        let again = evidence.failed(BLOCK, &account(1), now);
        assert_eq!(again, FaultVerdict::Subject { news: false });
        evidence.succeeded(BLOCK, Some(&account(1)), now);
        let anew = evidence.failed(BLOCK, &account(1), now);
        assert_eq!(anew, FaultVerdict::Subject { news: true });
    }

    #[tokio::test(start_paused = true)]
    async fn five_who_fail_without_a_success_between_them_are_everybody() {
        let mut evidence = Evidence::default();
        let now = Instant::now();
        evidence.failed(BLOCK, &account(1), now);
        for id in 2..=4 {
            assert_eq!(
                evidence.failed(BLOCK, &account(id), now),
                FaultVerdict::Unknown
            );
        }
        let fifth = evidence.failed(BLOCK, &account(5), now);
        assert_eq!(fifth, FaultVerdict::Everybody);
        let elsewhere = evidence.failed("unblock_user", &account(6), now);
        assert_eq!(elsewhere, FaultVerdict::Subject { news: true });
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_who_failed_while_another_succeeded_are_to_blame_for_a_day() {
        let mut evidence = Evidence::default();
        let begun = Instant::now();
        for id in 1..=100 {
            evidence.failed(BLOCK, &account(id), begun);
        }
        evidence.succeeded(BLOCK, Some(&account(1_000)), begun);
        for hours in [0, 23, 46] {
            let now = begun + Duration::from_hours(hours);
            for id in 1..=100 {
                let verdict = evidence.failed(BLOCK, &account(id), now);
                let FaultVerdict::Subject { news } = verdict else {
                    panic!("{verdict:?}")
                };
                assert_eq!(news, hours == 0 && id != 1, "account {id}");
            }
        }
        let now = begun + Duration::from_hours(71);
        assert!(!evidence.failed_alone(BLOCK, &account(1), now));
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_a_few_is_to_blame_after_it_failed_often() {
        let mut evidence = Evidence::default();
        let now = Instant::now();
        evidence.failed(BLOCK, &account(1), now);
        let verdicts: Vec<_> = (0..8)
            .map(|_| evidence.failed(BLOCK, &account(2), now))
            .collect();
        assert!(
            verdicts
                .iter()
                .take(7)
                .all(|said| *said == FaultVerdict::Unknown)
        );
        assert_eq!(verdicts.last(), Some(&FaultVerdict::Subject { news: true }));
    }
}
