//! A row of GitLab's users API.

use jiff::{Timestamp, civil::Date, tz::Offset};

/// One row of GitLab's users API, as an administrator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// `id`
    pub id: u64,
    /// `username`
    pub username: String,
    /// `state`, as sent.
    pub state: String,
    /// `bot`; absent is false.
    pub bot: bool,
    /// `is_admin`; null is false. The key itself is required.
    pub is_admin: bool,
    /// `last_activity_on`, a date. The key is required, null is fine.
    pub last_activity_on: Timed,
    /// `current_sign_in_at`
    pub current_sign_in_at: Timed,
    /// `last_sign_in_at`
    pub last_sign_in_at: Timed,
    /// `created_at`
    pub created_at: Timed,
    /// `confirmed_at`
    pub confirmed_at: Timed,
    /// `identities`
    pub identities: Vec<Identity>,
    /// The `extern_uid` of each of `scim_identities`; a row of an edition without SCIM has none.
    pub scim_identities: Vec<String>,
    /// `custom_attributes`; the key is required.
    pub custom_attributes: Vec<CustomAttribute>,
}

/// An account that GitLab cannot show, or shows so that it cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// `id`
    pub id: u64,
    /// What is wrong with it; goes on from GitLab's name, and tells no person.
    pub why: String,
}

impl Unreadable {
    /// Names it to the operator.
    pub fn warn(&self) {
        let Self { id, why } = self;
        tracing::warn!(
            event = "account_unreadable",
            gitlab_user_id = id,
            why,
            "GitLab {why}; the account is kept as it is, `explain {id}` says more"
        );
    }
}

/// A time in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timed {
    /// Null or absent.
    Never,
    /// That day, in UTC.
    On(Date),
    /// Present, but neither a date nor a time.
    Unreadable,
}

impl Timed {
    /// Reads a date (`2024-03-02`) or a time with its offset (`2024-03-02T08:00:00.000+01:00`).
    pub fn parse(text: &str) -> Self {
        // A date's parser also takes a time without an offset, whose day in UTC nobody knows.
        let day = if text.len() == "2024-03-02".len() {
            text.parse().ok()
        } else {
            text.parse::<Timestamp>()
                .ok()
                .map(|time| Offset::UTC.to_datetime(time).date())
        };
        day.map_or(Self::Unreadable, Self::On)
    }
}

/// An identity by which an account signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `provider`, such as `saml`.
    pub provider: String,
    /// `extern_uid`, the provider's name of the person.
    pub extern_uid: String,
}

/// A custom attribute of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomAttribute {
    /// `key`
    pub key: String,
    /// `value`
    pub value: String,
}

/// What `GET /user` says of the token's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentUser {
    /// `id`
    pub id: u64,
    /// `username`
    pub username: String,
}

/// What `GET /personal_access_tokens/self` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenDetails {
    /// `name`, which a person chose.
    pub name: Option<String>,
    /// `scopes`
    pub scopes: Vec<String>,
    /// `expires_at`
    pub expires_at: Option<Date>,
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::Timed;

    #[rstest]
    #[case("2024-03-02", Timed::On(date(2024, 3, 2)))]
    #[case("2024-03-02T08:00:00.000Z", Timed::On(date(2024, 3, 2)))]
    #[case("2024-03-02T00:30:00.000+01:00", Timed::On(date(2024, 3, 1)))]
    #[case("2024-03-02T08:00:00", Timed::Unreadable)]
    #[case("2024-02-30", Timed::Unreadable)]
    #[case("yesterday", Timed::Unreadable)]
    #[case("", Timed::Unreadable)]
    fn a_time_is_its_day_in_utc_or_unreadable(#[case] text: &str, #[case] expected: Timed) {
        assert_eq!(Timed::parse(text), expected);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = Timed::parse(&text);
        }
    }
}
