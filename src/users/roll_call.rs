//! Everybody's standing, asked for while the accounts are still being read.
//!
//! GitLab's listing goes page by page, each cursor in the answer before; the directory need not wait for its end.

use std::{collections::HashMap, pin::pin};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};

use crate::{
    directory::{Crsid, Directory, Standing},
    upstream::CallError,
};

type Answer = Result<HashMap<Crsid, Standing>, CallError>;

/// People who are asked about, each once and in full questions, with the answers so far.
pub(super) struct RollCall<'a> {
    directory: &'a dyn Directory,
    full: usize,
    /// Unknown until an answer tells otherwise.
    standings: HashMap<Crsid, Standing>,
    next: Vec<Crsid>,
    asked: FuturesUnordered<BoxFuture<'a, (u64, Answer)>>,
    answered: u64,
}

impl<'a> RollCall<'a> {
    pub(super) fn new(directory: &'a dyn Directory) -> Self {
        Self {
            directory,
            full: directory.people_in_one_question(),
            standings: HashMap::new(),
            next: Vec::new(),
            asked: FuturesUnordered::new(),
            answered: 0,
        }
    }

    /// How many people have been answered about.
    pub(super) const fn answered(&self) -> u64 {
        self.answered
    }

    /// Puts the person on the list; a question that is full goes out at the next wait.
    pub(super) fn add(&mut self, person: Crsid) {
        if self.standings.contains_key(&person) {
            return;
        }
        self.standings.insert(person, Standing::Unknown);
        self.next.push(person);
        if self.next.len() >= self.full {
            self.ask();
        }
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
                Some((people, answer)) = self.asked.next() => {
                    self.standings.extend(answer?);
                    self.answered += people;
                }
            }
        }
    }

    /// Asks about the rest, and waits for every answer.
    ///
    /// # Errors
    /// That of any question: nothing may be concluded from a part.
    pub(super) async fn finish(mut self) -> Result<HashMap<Crsid, Standing>, CallError> {
        if !self.next.is_empty() {
            self.ask();
        }
        while let Some((_, answer)) = self.asked.next().await {
            self.standings.extend(answer?);
        }
        Ok(self.standings)
    }

    fn ask(&mut self) {
        let people = std::mem::take(&mut self.next);
        let directory = self.directory;
        self.asked.push(Box::pin(async move {
            (people.len() as u64, directory.standings(&people).await)
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::future;
    use tokio::sync::Notify;

    use super::*;
    use crate::upstream::{Blame, ErrorKind, Fault, Name, Settings};

    static SETTINGS: Settings = Settings {
        url: "",
        credentials: "",
        rights: "",
        authority: "directory.ca_file",
    };

    /// Takes two in one question. Everybody is current but `absent`, whom it does not know, and `nobody`, about whom it
    /// fails.
    #[derive(Debug, Default)]
    struct Pairs {
        questions: Mutex<Vec<usize>>,
        asked: Notify,
    }

    impl Directory for Pairs {
        fn standings<'a>(&'a self, people: &'a [Crsid]) -> BoxFuture<'a, Answer> {
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
                Ok(standings.collect())
            } else {
                Err(CallError::of(
                    Name::Lookup,
                    "list_people",
                    &SETTINGS,
                    Blame::Call,
                    fault(),
                ))
            };
            Box::pin(future::ready(answer))
        }

        fn people_in_one_question(&self) -> usize {
            2
        }
    }

    fn person(name: &str) -> Crsid {
        Crsid::parse(name).unwrap()
    }

    #[tokio::test]
    async fn the_directory_is_asked_while_the_accounts_are_still_being_read() {
        let directory = Pairs::default();
        let mut people = RollCall::new(&directory);
        people.add(person("aaa11"));
        people.add(person("bbb22"));
        let page = async {
            directory.asked.notified().await;
            Ok("the next page")
        };
        let waited = std::time::Duration::from_mins(1);
        let page = tokio::time::timeout(waited, people.beside(page)).await;
        assert_eq!(page.unwrap().unwrap(), "the next page");
    }

    #[tokio::test]
    async fn everybody_is_asked_about_once_in_as_few_questions_as_can_be() {
        let directory = Pairs::default();
        let mut people = RollCall::new(&directory);
        for name in [
            "aaa11", "bbb22", "aaa11", "ccc33", "bbb22", "ddd44", "eee55",
        ] {
            people.add(person(name));
            people.beside(future::ready(Ok(()))).await.unwrap();
        }
        let standings = people.finish().await.unwrap();
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
        let directory = Pairs::default();
        let mut people = RollCall::new(&directory);
        people.add(person("aaa11"));
        people.add(person("absent"));
        let standings = people.finish().await.unwrap();
        assert_eq!(standings[&person("absent")], Standing::Unknown);
        assert_eq!(standings[&person("aaa11")], Standing::Current);
    }

    #[tokio::test]
    async fn nothing_is_concluded_from_a_part() {
        let directory = Pairs::default();
        let mut people = RollCall::new(&directory);
        for name in ["aaa11", "bbb22", "nobody"] {
            people.add(person(name));
        }
        assert!(people.finish().await.is_err());
    }
}
