//! Everybody's standing, asked for while the accounts are still being read.
//!
//! GitLab's listing goes page by page, each cursor in the answer before; the directory need not
//! wait for its end.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;

use crate::{
    directory::{Crsid, Directory, Standing, Standings},
    moment::Moment,
    upstream::CallError,
};

/// People who are asked about, each once and in full questions, with the answers so far. What is
/// answered stays when a question fails.
pub(super) struct StandingsReader {
    directory: Arc<dyn Directory>,
    full: usize,
    /// `None` until there is an answer.
    people: HashMap<Crsid, Option<StandingAnswer>>,
    unreadable: BTreeSet<Crsid>,
    next: Vec<Crsid>,
    asked: FuturesUnordered<BoxFuture<'static, StandingsQuery>>,
    answered: u64,
    answered_lists: u64,
}

/// What was answered about a person.
#[derive(Clone, Copy)]
struct StandingAnswer {
    standing: Standing,
    /// When it was asked.
    at: Moment,
}

/// A question that went out, and its answer.
struct StandingsQuery {
    people: Vec<Crsid>,
    at: Moment,
    answer: Result<Standings, CallError>,
}

impl StandingsReader {
    pub(super) fn new(directory: Arc<dyn Directory>) -> Self {
        Self {
            full: directory.people_in_one_question(),
            directory,
            people: HashMap::new(),
            unreadable: BTreeSet::new(),
            next: Vec::new(),
            asked: FuturesUnordered::new(),
            answered: 0,
            answered_lists: 0,
        }
    }

    /// Begins again with who has no answer, or one that is older than `age`.
    pub(super) fn go_on(&mut self, age: Duration) {
        self.asked.clear();
        self.next.clear();
        let mut again = Vec::new();
        for (person, answered) in &mut self.people {
            if answered.is_none_or(|answered| answered.at.age() > age) {
                *answered = None;
                again.push(*person);
            }
        }
        again.sort_unstable();
        for person in again {
            self.unreadable.remove(&person);
            self.put_on_list(person);
        }
    }

    /// Puts the person on the list; a question that is full goes out at the next wait.
    pub(super) fn add(&mut self, person: Crsid) {
        if self.people.contains_key(&person) {
            return;
        }
        self.people.insert(person, None);
        self.put_on_list(person);
    }

    /// Lets the directory keep the time, where GitLab does not.
    pub(super) fn keep_time(&self) {
        self.directory.keep_time();
    }

    /// How many answers about people have come.
    pub(super) const fn answered(&self) -> u64 {
        self.answered
    }

    /// When the oldest answer was asked for.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        let answered = self.people.values().flatten();
        answered.filter_map(|answer| answer.at.wall()).min()
    }

    /// Whom the directory cannot show.
    pub(super) const fn unreadable(&self) -> &BTreeSet<Crsid> {
        &self.unreadable
    }

    /// Everybody's standing, as far as it was answered.
    pub(super) fn standings(&self) -> impl Iterator<Item = (Crsid, Standing)> {
        self.people.iter().map(|(person, answered)| {
            let standing = answered.map_or(Standing::Unknown, |answered| answered.standing);
            (*person, standing)
        })
    }

    /// Waits for `call`, and meanwhile takes in what the directory answers.
    ///
    /// # Errors
    /// Those of `call`, and of every question before it.
    pub(super) async fn beside<T>(
        &mut self,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let mut call = pin!(call);
        loop {
            tokio::select! {
                biased;
                done = &mut call => return done,
                Some(question) = self.asked.next() => self.take_in(question)?,
            }
        }
    }

    /// Asks about the rest.
    pub(super) fn ask_about_rest(&mut self) {
        if !self.next.is_empty() {
            self.ask();
        }
    }

    /// Waits for one more answer; false where all have come.
    ///
    /// # Errors
    /// That of any question: nothing may be concluded from a part.
    pub(super) async fn next_answer(&mut self) -> Result<bool, CallError> {
        match self.asked.next().await {
            Some(question) => self.take_in(question).map(|()| true),
            None => Ok(false),
        }
    }

    /// How many questions have been answered.
    pub(super) const fn answered_lists(&self) -> u64 {
        self.answered_lists
    }

    /// How many questions were asked so far.
    pub(super) fn lists(&self) -> u64 {
        self.answered_lists + self.asked.len() as u64
    }

    fn put_on_list(&mut self, person: Crsid) {
        self.next.push(person);
        if self.next.len() >= self.full {
            self.ask();
        }
    }

    fn ask(&mut self) {
        let people = std::mem::take(&mut self.next);
        let directory = Arc::clone(&self.directory);
        self.asked.push(Box::pin(async move {
            let at = Moment::now();
            let answer = directory.standings(&people).await;
            StandingsQuery { people, at, answer }
        }));
    }

    fn take_in(&mut self, question: StandingsQuery) -> Result<(), CallError> {
        let StandingsQuery { people, at, answer } = question;
        let answer = answer?;
        self.answered += people.len() as u64;
        self.answered_lists += 1;
        for person in people {
            let standing = answer.of(person);
            self.people
                .insert(person, Some(StandingAnswer { standing, at }));
        }
        self.unreadable.extend(answer.unreadable());
        Ok(())
    }
}

impl fmt::Debug for StandingsReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandingsReader")
            .field("people", &self.people.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::future;
    use tokio::sync::Notify;

    use super::*;
    use crate::{
        directory::ControlPeople,
        gate::{ErrorKind, UpstreamId},
        upstream::{Fault, FaultScope, UpstreamSettings},
    };

    static SETTINGS: UpstreamSettings = UpstreamSettings {
        url: "",
        credentials: "",
        rights: "",
        authority: "directory.ca_file",
    };

    /// Takes two in one question. Everybody is current but `absent`, whom it does not know, and
    /// `nobody`, about whom it fails.
    #[derive(Debug, Default)]
    struct PairwiseDirectory {
        questions: Mutex<Vec<usize>>,
        asked: Notify,
    }

    impl Directory for PairwiseDirectory {
        fn standings<'a>(
            &'a self,
            people: &'a [Crsid],
        ) -> BoxFuture<'a, Result<Standings, CallError>> {
            self.questions.lock().unwrap().push(people.len());
            self.asked.notify_one();
            let known = people.iter().all(|person| person.as_str() != "nobody");
            let fault = || Fault::new(ErrorKind::Unavailable, "is away");
            let standings = people
                .iter()
                .filter(|person| person.as_str() != "absent")
                .copied()
                .map(|person| (person, Standing::Current));
            let answer = if known {
                Ok(ControlPeople::default().believe(standings).unwrap())
            } else {
                Err(CallError::of(
                    UpstreamId::Lookup,
                    "list_people",
                    &SETTINGS,
                    FaultScope::Request,
                    fault(),
                ))
            };
            Box::pin(future::ready(answer))
        }

        fn people_in_one_question(&self) -> usize {
            2
        }
    }

    fn told(people: &StandingsReader) -> HashMap<Crsid, Standing> {
        people.standings().collect()
    }

    async fn finish(people: &mut StandingsReader) -> Result<(), CallError> {
        people.ask_about_rest();
        while people.next_answer().await? {}
        Ok(())
    }

    fn person(name: &str) -> Crsid {
        Crsid::parse(name).unwrap()
    }

    #[tokio::test]
    async fn the_directory_is_asked_while_the_accounts_are_still_being_read() {
        let directory = Arc::new(PairwiseDirectory::default());
        let mut people = StandingsReader::new(Arc::clone(&directory) as Arc<dyn Directory>);
        people.add(person("aaa11"));
        people.add(person("bbb22"));
        let page = async {
            directory.asked.notified().await;
            Ok("the next page")
        };
        let waited = Duration::from_mins(1);
        let page = tokio::time::timeout(waited, people.beside(page)).await;
        assert_eq!(page.unwrap().unwrap(), "the next page");
    }

    #[tokio::test]
    async fn everybody_is_asked_about_once_in_as_few_questions_as_can_be() {
        let directory = Arc::new(PairwiseDirectory::default());
        let mut people = StandingsReader::new(Arc::clone(&directory) as Arc<dyn Directory>);
        for name in [
            "aaa11", "bbb22", "aaa11", "ccc33", "bbb22", "ddd44", "eee55",
        ] {
            people.add(person(name));
            people.beside(future::ready(Ok(()))).await.unwrap();
        }
        finish(&mut people).await.unwrap();
        let standings = told(&people);
        assert_eq!(standings.len(), 5);
        assert!(
            standings
                .values()
                .all(|standing| *standing == Standing::Current)
        );
        assert_eq!(*directory.questions.lock().unwrap(), [2, 2, 1]);
    }

    #[tokio::test]
    async fn who_is_not_in_the_answer_is_unknown() {
        let directory = Arc::new(PairwiseDirectory::default());
        let mut people = StandingsReader::new(Arc::clone(&directory) as Arc<dyn Directory>);
        people.add(person("aaa11"));
        people.add(person("absent"));
        finish(&mut people).await.unwrap();
        let standings = told(&people);
        assert_eq!(standings[&person("absent")], Standing::Unknown);
        assert_eq!(standings[&person("aaa11")], Standing::Current);
    }

    #[tokio::test]
    async fn nothing_is_concluded_from_a_part() {
        let directory = Arc::new(PairwiseDirectory::default());
        let mut people = StandingsReader::new(Arc::clone(&directory) as Arc<dyn Directory>);
        for name in ["aaa11", "bbb22", "nobody"] {
            people.add(person(name));
        }
        assert!(finish(&mut people).await.is_err());
    }

    #[tokio::test]
    async fn who_was_answered_about_is_not_asked_about_again_after_a_failure() {
        let directory = Arc::new(PairwiseDirectory::default());
        let mut people = StandingsReader::new(Arc::clone(&directory) as Arc<dyn Directory>);
        for name in ["aaa11", "bbb22", "nobody"] {
            people.add(person(name));
        }
        assert!(finish(&mut people).await.is_err());
        people.go_on(Duration::from_hours(1));
        people.add(person("ccc33"));
        assert!(finish(&mut people).await.is_err(), "nobody still fails");
        assert_eq!(*directory.questions.lock().unwrap(), [2, 1, 2]);
        let known = told(&people);
        assert_eq!(known[&person("aaa11")], Standing::Current);
        assert_eq!(known[&person("ccc33")], Standing::Unknown);
    }
}
