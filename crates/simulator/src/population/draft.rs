//! One account in the making, with its person and the end it is to have.

use jiff::{SignedDuration, Timestamp, civil::Date};
use serde_json::{Value, json};

use super::{AccountClass, Expected, ExpectedReason, builder::PopulationBuilder};
use crate::{
    gitlab::{OWNER, SimulatedUser, UserState},
    lookup::SimulatedPerson,
};

/// The custom attribute by which the service knows its own blocks.
pub(super) const MARKER: &str = "lookup_gitlab_sync";

/// The administrator who does by hand what people do.
pub(super) const ADMINISTRATOR: &str = "root";

/// An account without its id, and the people in Lookup that belong to it.
#[derive(Clone, Debug)]
pub(super) struct AccountDraft {
    pub(super) case: &'static str,
    pub(super) class: AccountClass,
    pub(super) account: SimulatedUser,
    pub(super) people: Vec<SimulatedPerson>,
    pub(super) expected: Expected,
}

impl AccountDraft {
    pub(super) fn member(
        case: &'static str,
        account: SimulatedUser,
        person: SimulatedPerson,
    ) -> Self {
        Self {
            case,
            class: AccountClass::Member,
            account,
            people: vec![person],
            expected: Expected::Untouched,
        }
    }

    pub(super) fn external(case: &'static str, account: SimulatedUser) -> Self {
        Self {
            case,
            class: AccountClass::External,
            account,
            people: Vec::new(),
            expected: Expected::Untouched,
        }
    }

    pub(super) fn other(case: &'static str, account: SimulatedUser) -> Self {
        Self {
            case,
            class: AccountClass::Other,
            account,
            people: Vec::new(),
            expected: Expected::Untouched,
        }
    }

    pub(super) fn state(mut self, state: UserState) -> Self {
        self.account.state = state;
        self
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.account = self.account.with(key, value);
        self
    }

    pub(super) fn attribute(mut self, key: &str, value: impl Into<String>) -> Self {
        self.account = self.account.with_attribute(key, value);
        self
    }

    /// The person is cancelled in Lookup, a former student as far as it says.
    pub(super) fn cancelled(self) -> Self {
        self.person(|person| {
            person
                .with("cancelled", true)
                .without("misAffiliation")
                .without("displayName")
        })
    }

    /// The person is not in Lookup's answer.
    pub(super) fn absent(mut self) -> Self {
        self.people.clear();
        self
    }

    /// Changes how Lookup shows the person.
    pub(super) fn person(mut self, change: impl FnMut(SimulatedPerson) -> SimulatedPerson) -> Self {
        self.people = self.people.into_iter().map(change).collect();
        self
    }

    /// Last active on that day, signed in the day before and some time before that.
    pub(super) fn seen(self, day: Date) -> Self {
        let before = day.yesterday().unwrap_or(day);
        let earlier = before.yesterday().unwrap_or(before);
        self.with("last_activity_on", day.to_string())
            .with("current_sign_in_at", format!("{before}T08:30:00.000Z"))
            .with("last_sign_in_at", format!("{earlier}T16:45:00.000Z"))
    }

    /// Has not signed in or done anything, ever.
    pub(super) fn never_seen(self) -> Self {
        ["last_activity_on", "current_sign_in_at", "last_sign_in_at"]
            .into_iter()
            .fold(self, |draft, key| draft.with(key, Value::Null))
    }

    /// Blocked by the service so many days ago: the marker, and three seconds later GitLab's own
    /// record.
    pub(super) fn blocked_by_us(
        self,
        builder: &mut PopulationBuilder,
        days: i32,
        reason: ExpectedReason,
    ) -> Self {
        let at = builder.night(days);
        self.state(UserState::Blocked)
            .marked(builder, at, reason)
            .attribute("blocked_by", by_us(after(at, 3)))
    }

    /// Only the marker.
    pub(super) fn marked(
        self,
        builder: &mut PopulationBuilder,
        at: Timestamp,
        reason: ExpectedReason,
    ) -> Self {
        let marker =
            json!({"v": 1, "reason": reason.as_str(), "at": at.to_string(), "run": builder.run()});
        self.attribute(MARKER, marker.to_string())
    }

    /// Blocked by the administrator so many days ago.
    pub(super) fn blocked_by_a_person(self, builder: &PopulationBuilder, days: i32) -> Self {
        self.state(UserState::Blocked)
            .attribute("blocked_by", by_a_person(builder.night(days)))
    }

    pub(super) fn becomes(mut self, expected: Expected) -> Self {
        self.expected = expected;
        self
    }

    pub(super) fn becomes_blocked(self, reason: ExpectedReason) -> Self {
        self.becomes(Expected::Blocked { reason })
    }
}

/// `blocked_by` or `unblocked_by` with the service's account.
pub(super) fn by_us(at: Timestamp) -> String {
    stamp(OWNER, 1, at)
}

/// The same with the administrator's.
pub(super) fn by_a_person(at: Timestamp) -> String {
    stamp(ADMINISTRATOR, 2, at)
}

pub(super) fn stamp(username: &str, id: u64, at: Timestamp) -> String {
    format!("{username}/{id}+{}", at.strftime("%Y-%m-%d %H:%M:%S UTC"))
}

pub(super) fn after(at: Timestamp, seconds: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(seconds))
        .unwrap_or(at)
}
