//! Whether an answer of the directory may be believed: the people whose standing is known.
//!
//! A directory whose reader lacks a right need not say so. It answers without the people or the
//! values that the reader may not see, which looks like a fact about them. So people whose standing
//! is known for good are part of every question.

use std::collections::HashMap;

use super::{Crsid, Standing};
use crate::{config, gate::ErrorKind, upstream::Fault};

/// People whose standing is known for good, by which the answers of a directory are judged.
#[derive(Clone, Debug, Default)]
pub struct ControlPeople {
    /// Sorted.
    people: Vec<(Crsid, Standing)>,
}

/// What a directory answered. Only [`ControlPeople::believe`] makes one that tells of anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standings {
    told: HashMap<Crsid, Standing>,
    unreadable: Vec<Crsid>,
}

impl ControlPeople {
    /// Those that `config` names.
    pub fn new(config: &config::ControlsConfig) -> Self {
        let those = |people: &[Crsid], standing| -> Vec<(Crsid, Standing)> {
            people.iter().map(|person| (*person, standing)).collect()
        };
        let mut people = those(&config.cancelled, Standing::Cancelled);
        people.extend(those(&config.current, Standing::Current));
        people.sort_unstable_by_key(|(person, _)| *person);
        Self { people }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.people.len()
    }

    /// Whether no answer can be judged by them.
    pub const fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// `people` and the controls, sorted, each once: what a question asks for.
    pub(super) fn beside(&self, people: &[Crsid]) -> Vec<Crsid> {
        let controls = self.people.iter().map(|(person, _)| *person);
        let mut all: Vec<_> = people.iter().copied().chain(controls).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The answer that tells `told`, if it is right about every control.
    ///
    /// # Errors
    /// The first control that it does not show, or shows with another standing. Nothing that it
    /// says of anybody may be believed.
    pub fn believe(
        &self,
        told: impl IntoIterator<Item = (Crsid, Standing)>,
    ) -> Result<Standings, Fault> {
        let told: HashMap<_, _> = told.into_iter().collect();
        let wrong = self.people.iter().find_map(|(person, standing)| {
            let shown = told.get(person).copied();
            (shown != Some(*standing)).then(|| wrong(*person, *standing, shown))
        });
        match wrong {
            Some(fault) => Err(fault),
            None => Ok(Standings {
                told,
                unreadable: Vec::new(),
            }),
        }
    }
}

/// The fault of an answer that shows the control `person` as `shown`.
fn wrong(person: Crsid, known: Standing, shown: Option<Standing>) -> Fault {
    let known = word(known);
    let what = match shown {
        None => format!("does not show the control {person}, who is {known}"),
        Some(shown) => {
            let shown = word(shown);
            format!("shows the control {person} as {shown}, who is {known}")
        }
    };
    Fault::new(ErrorKind::ControlsWrong, what)
}

const fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Cancelled => "cancelled",
        Standing::Current => "current",
        Standing::Unknown => "neither current nor cancelled",
    }
}

impl Standings {
    /// Nothing but that `people` cannot be shown, though others are. They are unknown.
    pub fn without(people: Vec<Crsid>) -> Self {
        Self {
            told: HashMap::new(),
            unreadable: people,
        }
    }

    /// The standing of `person`; [`Standing::Unknown`] of whom nothing was told.
    pub fn of(&self, person: Crsid) -> Standing {
        self.told.get(&person).copied().unwrap_or(Standing::Unknown)
    }

    /// Of whom it was told, and what.
    pub const fn told(&self) -> &HashMap<Crsid, Standing> {
        &self.told
    }

    /// Whom the directory cannot show though it shows others. They were named to the operator.
    pub fn unreadable(&self) -> &[Crsid] {
        &self.unreadable
    }

    /// Adds what another part of the answer tells.
    pub fn add(&mut self, other: Self) {
        self.told.extend(other.told);
        self.unreadable.extend(other.unreadable);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn person(name: &str) -> Crsid {
        Crsid::parse(name).unwrap()
    }

    fn controls() -> ControlPeople {
        ControlPeople::new(&config::ControlsConfig {
            cancelled: vec![person("gone1")],
            current: vec![person("here1")],
        })
    }

    #[rstest]
    #[case::right(&[("gone1", Standing::Cancelled), ("here1", Standing::Current)], None)]
    #[case::the_cancelled_looks_current(
        &[("gone1", Standing::Current), ("here1", Standing::Current)],
        Some("shows the control gone1 as current, who is cancelled")
    )]
    #[case::the_cancelled_is_hidden(
        &[("here1", Standing::Current)],
        Some("does not show the control gone1, who is cancelled")
    )]
    #[case::the_current_is_hidden(
        &[("gone1", Standing::Cancelled)],
        Some("does not show the control here1, who is current")
    )]
    #[case::the_value_is_hidden(
        &[("gone1", Standing::Unknown), ("here1", Standing::Current)],
        Some("shows the control gone1 as neither current nor cancelled, who is cancelled")
    )]
    #[case::nothing(&[], Some("does not show the control gone1, who is cancelled"))]
    fn an_answer_is_believed_only_if_it_is_right_about_every_control(
        #[case] told: &[(&str, Standing)],
        #[case] wrong: Option<&str>,
    ) {
        let told = told
            .iter()
            .map(|(name, standing)| (person(name), *standing));
        let believed = controls().believe(told.chain([(person("spqr1"), Standing::Cancelled)]));
        match wrong {
            None => assert_eq!(believed.unwrap().of(person("spqr1")), Standing::Cancelled),
            Some(wrong) => {
                let fault = believed.unwrap_err();
                assert_eq!(fault.to_string(), wrong);
                assert_eq!(fault.kind(), ErrorKind::ControlsWrong);
            }
        }
    }

    proptest! {
        #[test]
        fn a_question_holds_each_person_and_each_control_once(numbers in prop::collection::vec(0_u8..40, 0..40)) {
            let mut people: Vec<_> = numbers.iter().map(|number| person(&format!("ab{number}"))).collect();
            people.push(person("here1"));
            let asked = controls().beside(&people);
            prop_assert!(asked.is_sorted() && asked.windows(2).all(|two| two[0] != two[1]));
            prop_assert!(people.iter().all(|person| asked.contains(person)));
            prop_assert!(asked.contains(&person("gone1")));
            prop_assert!(asked.len() <= people.len() + 1);
        }
    }
}
