//! The record of what was asked, by which tests count calls.

use std::collections::VecDeque;

use serde::Serialize;

/// Older requests are forgotten past this many, so that a server left running does not grow for
/// ever.
const REMEMBERED: usize = 1_000_000;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Counts from 1 and is never used again.
    pub number: u64,
    /// The method.
    pub method: String,
    /// The path with its query, as it was sent.
    pub path: String,
    /// The status of the answer; null while there is none, and for good where the connection was
    /// cut.
    pub status: Option<u16>,
    /// The body, where the answer is one bare word: `true`, `false` or `null`. It stands here even
    /// where the connection was cut after the effect, so that effects can be counted.
    pub answer: Option<&'static str>,
    /// When it came in.
    pub time: jiff::Timestamp,
}

/// Carried by a response whose body is one bare word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BareWord(pub(crate) &'static str);

/// What was asked of one server.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: VecDeque<Entry>,
    last: u64,
}

impl Journal {
    /// Notes a request that came in, and gives it its number.
    pub(super) fn begin(&mut self, method: &str, path: &str) -> u64 {
        self.last += 1;
        if self.entries.len() >= REMEMBERED {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry {
            number: self.last,
            method: method.to_owned(),
            path: path.to_owned(),
            status: None,
            answer: None,
            time: jiff::Timestamp::now(),
        });
        self.last
    }

    /// Notes how it was answered.
    pub(super) fn end(&mut self, number: u64, status: Option<u16>, said: Option<BareWord>) {
        let first = self.entries.front().map_or(0, |entry| entry.number);
        let position = number
            .checked_sub(first)
            .and_then(|position| usize::try_from(position).ok());
        if let Some(entry) = position.and_then(|position| self.entries.get_mut(position)) {
            entry.status = status;
            entry.answer = said.map(|BareWord(word)| word);
        }
    }

    pub(super) fn since(&self, since: u64) -> Vec<Entry> {
        let known = self.entries.partition_point(|entry| entry.number <= since);
        self.entries.iter().skip(known).cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_after_the_journal_was_emptied_under_a_request() {
        let mut journal = Journal::default();
        let lost = journal.begin("GET", "/a");
        journal.clear();
        let kept = journal.begin("GET", "/b");
        journal.end(lost, Some(200), None);
        journal.end(kept, Some(404), Some(BareWord("null")));
        let entries = journal.since(0);
        assert_eq!(entries.len(), 1);
        assert_eq!(
            (kept, entries[0].status, entries[0].answer),
            (2, Some(404), Some("null"))
        );
        assert!(journal.since(2).is_empty());
    }
}
