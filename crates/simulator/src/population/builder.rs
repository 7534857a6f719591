//! What drafts are made of: chance from the seed, unused names, days before today.

use std::collections::BTreeSet;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, time},
    tz::TimeZone,
};
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{Population, draft::AccountDraft};
use crate::{
    gitlab::{SimulatedUser, UserIdentity},
    lookup::SimulatedPerson,
};

const SURNAMES: [&str; 24] = [
    "Abara",
    "Ashdown",
    "Bergstrom",
    "Calloway",
    "Dimitrova",
    "Eastgate",
    "Fenwick",
    "Garrow",
    "Hollis",
    "Ivanov",
    "Jephcott",
    "Kimura",
    "Larkspur",
    "Mbeki",
    "Norcross",
    "Okafor",
    "Petrides",
    "Quarrie",
    "Rosewall",
    "Sandoval",
    "Thackeray",
    "Underhill",
    "Voss",
    "Wetherby",
];

/// Groups that run robots and have administrators of their own.
const GROUPS: [&str; 6] = ["astro", "chem", "history", "library", "maths", "zoology"];

/// The source of everything a population is made of.
#[derive(Debug)]
pub(super) struct PopulationBuilder {
    random: ChaCha8Rng,
    today: Date,
    taken: BTreeSet<String>,
    serial: u32,
}

impl PopulationBuilder {
    pub(super) fn new(seed: u64, today: Date) -> Self {
        // What cases use by name is never drawn.
        let taken = ["root", "ghost1", "spqr"].map(str::to_owned).into();
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            today,
            taken,
            serial: 0,
        }
    }

    /// For accounts that are added to a population: no name in it is drawn again.
    pub(super) fn beside(population: &Population, today: Date) -> Self {
        let mut builder = Self::new(0, today);
        let accounts = population.accounts().iter();
        builder
            .taken
            .extend(accounts.map(|account| account.username.to_lowercase()));
        let people = population.people().iter();
        builder
            .taken
            .extend(people.map(|person| person.crsid.clone()));
        builder
    }

    /// A member in good standing, active lately, with a current person in Lookup.
    pub(super) fn member(&mut self, case: &'static str) -> AccountDraft {
        let crsid = self.crsid();
        self.member_named(case, &crsid)
    }

    /// The same with a username of the case's choice; the person has it in lower case.
    pub(super) fn member_named(&mut self, case: &'static str, username: &str) -> AccountDraft {
        let surname = self.surname();
        let mut account = self.account(username, surname);
        let extern_uid = format!("{}@example.ac.uk", username.to_lowercase());
        account.identities = vec![UserIdentity::new("saml", &extern_uid)];
        let seen = self.upto(60);
        AccountDraft::member(case, account, SimulatedPerson::current(username, surname))
            .seen(self.days_ago(seen))
    }

    /// An external account, seen lately.
    pub(super) fn external(&mut self, case: &'static str) -> AccountDraft {
        let surname = self.surname();
        let username = format!("external-{}-{}", surname.to_lowercase(), self.next());
        let mut account = self.account(&username, surname);
        account.external = true;
        let seen = self.upto(500);
        AccountDraft::external(case, account).seen(self.days_ago(seen))
    }

    /// An account that is neither.
    pub(super) fn other(&mut self, case: &'static str, username: &str) -> AccountDraft {
        let surname = self.surname();
        let account = self.account(username, surname);
        AccountDraft::other(case, account)
    }

    /// An account created three to eight years ago, never seen since.
    fn account(&mut self, username: &str, surname: &str) -> SimulatedUser {
        let age = 1_100 + self.upto(1_900);
        let created = self.days_ago(age);
        let at = format!("{created}T09:{:02}:00.000Z", self.upto(59));
        SimulatedUser::new(0, username)
            .with("name", surname)
            .with("created_at", at.clone())
            .with("confirmed_at", at)
    }

    /// People in Lookup without an account, one in eight of them cancelled.
    pub(super) fn strangers(&mut self, count: usize) -> Vec<SimulatedPerson> {
        let stranger = |builder: &mut Self| {
            let (crsid, surname) = (builder.crsid(), builder.surname());
            if builder.chance(12) {
                SimulatedPerson::cancelled(&crsid, surname)
            } else {
                SimulatedPerson::current(&crsid, surname)
            }
        };
        (0..count).map(|_| stranger(self)).collect()
    }

    /// A CRSid that nobody has.
    pub(super) fn crsid(&mut self) -> String {
        loop {
            let letters = self.random.random_range(2..=4);
            let initials: String = (0..letters)
                .map(|_| char::from(self.random.random_range(b'a'..=b'z')))
                .collect();
            let crsid = format!("{initials}{}", self.random.random_range(1..=2_999));
            if self.taken.insert(crsid.clone()) {
                return crsid;
            }
        }
    }

    pub(super) fn surname(&mut self) -> &'static str {
        self.pick(&SURNAMES)
    }

    pub(super) fn group(&mut self) -> &'static str {
        self.pick(&GROUPS)
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let position = self.random.random_range(0..from.len());
        from.get(position).copied().unwrap_or_default()
    }

    /// A number not given before.
    pub(super) fn next(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    /// From 1 to `most`.
    pub(super) fn upto(&mut self, most: i32) -> i32 {
        self.random.random_range(1..=most)
    }

    /// True in so many of a hundred.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    /// How far the next id is from the last: mostly 1, as accounts were deleted in between.
    pub(super) fn gap(&mut self) -> u64 {
        if self.chance(10) {
            self.random.random_range(2..=9)
        } else {
            1
        }
    }

    pub(super) fn shuffle(&mut self, drafts: &mut [AccountDraft]) {
        drafts.shuffle(&mut self.random);
    }

    /// A run's id, as a marker names it.
    pub(super) fn run(&mut self) -> String {
        self.random
            .random_range(1_000_000_000_000_000..=9_999_999_999_999_999_u64)
            .to_string()
    }

    pub(super) fn days_ago(&self, days: i32) -> Date {
        self.today.saturating_sub(days.days())
    }

    /// Shortly after two in the night of that day, when the sync runs.
    pub(super) fn night(&self, days: i32) -> Timestamp {
        let at = self
            .days_ago(days)
            .to_datetime(time(2, 0, 3, 0))
            .to_zoned_datetime(TimeZone::UTC);
        at.map_or(Timestamp::UNIX_EPOCH, |at| at.timestamp())
    }

    /// The last day on which being seen makes an account inactive today, 24 calendar months later.
    pub(super) fn just_inactive(&self) -> Date {
        let mut day = self.today.saturating_sub(24.months());
        // After a short month two days lead to the same one: 28 and 29 February both to 28
        // February.
        while let Ok(next) = day.tomorrow()
            && next.saturating_add(24.months()) <= self.today
        {
            day = next;
        }
        day
    }
}
