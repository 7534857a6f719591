//! When a token expires, as GitLab said last.

use std::fmt;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// So many days before a token expires somebody should know.
const WARNING_DAYS: i32 = 30;

/// The day from which GitLab refuses a token (`expires_at`: it ends as that day begins, in UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenExpiry {
    /// The setting that holds the token, such as `GITLAB_TOKEN`.
    pub token: &'static str,
    /// The first day on which it is refused; `None` for a token that never expires.
    pub on: Option<Date>,
}

impl TokenExpiry {
    /// That day, if it comes within thirty days.
    pub fn soon(&self, now: Timestamp) -> Option<Date> {
        let today = now.to_zoned_datetime(TimeZone::UTC).date();
        let last = today.saturating_add(WARNING_DAYS.days());
        self.on.filter(|day| *day <= last)
    }

    /// That it is soon, and what to do about it.
    pub fn advice(&self, now: Timestamp) -> Option<String> {
        let option = if self.token == "GITLAB_READ_TOKEN" {
            " --read"
        } else {
            ""
        };
        self.soon(now).map(|_| {
            format!(
                "{self}: rotate it before that day with `lookup-gitlab-sync token rotate{option}`"
            )
        })
    }

    /// Logs it, if it is soon.
    pub(crate) fn warn_if_soon(&self, now: Timestamp) {
        if let Some(expires) = self.soon(now) {
            let token = self.token;
            tracing::warn!(event = "token_expires_soon", token, %expires, "GitLab's token expires soon: rotate it with `token rotate`");
        }
    }

    /// Never is infinitely late, so that a token that replaces another one ends its alert.
    pub(super) fn count(&self) {
        let at = self
            .on
            .and_then(|day| TimeZone::UTC.to_timestamp(day.into()).ok());
        let at = at.map_or(f64::INFINITY, |at| at.as_duration().as_secs_f64());
        metrics::gauge!("sync_gitlab_token_expiry_timestamp_seconds", "token" => self.token)
            .set(at);
    }
}

impl fmt::Display for TokenExpiry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.on {
            Some(day) => write!(out, "{} expires on {day}", self.token),
            None => write!(out, "{} never expires", self.token),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::long_ago(date(2020, 1, 1), true)]
    #[case::today(date(2026, 3, 10), true)]
    #[case::in_thirty_days(date(2026, 4, 9), true)]
    #[case::a_day_later(date(2026, 4, 10), false)]
    fn a_token_expires_soon_within_thirty_days(#[case] on: Date, #[case] soon: bool) {
        let now: Timestamp = "2026-03-10T23:59:59Z".parse().unwrap();
        let expiry = TokenExpiry {
            token: "GITLAB_TOKEN",
            on: Some(on),
        };
        assert_eq!(expiry.soon(now), soon.then_some(on));
    }

    #[test]
    fn a_token_without_a_day_never_expires() {
        let never = TokenExpiry {
            token: "GITLAB_TOKEN",
            on: None,
        };
        assert_eq!(never.soon(Timestamp::MAX), None);
        assert_eq!(never.to_string(), "GITLAB_TOKEN never expires");
    }
}
