//! A rate limit of so many requests in a fixed window, as GitLab's `Rack::Attack` counts them.

use std::{collections::HashMap, time::Duration};

use axum::{http::HeaderValue, response::Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// So many requests of one caller in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Requests let through in one period.
    pub requests: u32,
    /// The period, in whole seconds. Periods begin at multiples of it since 1970, not at the first
    /// request.
    #[serde(rename = "seconds", with = "seconds")]
    pub period: Duration,
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(period: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(period.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

/// The callers' counts in the present period.
#[derive(Debug)]
pub(crate) struct Windows {
    limit: RateLimit,
    period: i64,
    counts: HashMap<Vec<u8>, u32>,
}

/// What the limit says to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) admitted: bool,
    limit: RateLimit,
    observed: u32,
    reset: i64,
    wait: i64,
}

impl Windows {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            period: i64::MIN,
            counts: HashMap::new(),
        }
    }

    pub(crate) fn admit(&mut self, caller: &[u8], now: Timestamp) -> Admission {
        let seconds = i64::try_from(self.limit.period.as_secs())
            .unwrap_or(i64::MAX)
            .max(1);
        let period = now.as_second() / seconds;
        if period != self.period {
            self.period = period;
            self.counts.clear();
        }
        let count = self.counts.entry(caller.to_owned()).or_default();
        *count = count.saturating_add(1);
        let reset = (period + 1).saturating_mul(seconds);
        Admission {
            admitted: *count <= self.limit.requests,
            limit: self.limit,
            observed: *count,
            reset,
            wait: (reset - now.as_second()).max(1),
        }
    }
}

impl Admission {
    /// `response` with the headers every counted answer has, and those of a refusal.
    pub(crate) fn mark(self, name: &'static str, mut response: Response) -> Response {
        let seconds = u32::try_from(self.limit.period.as_secs())
            .unwrap_or(u32::MAX)
            .max(1);
        // GitLab states the limit per minute, whatever the period is.
        let per_minute = (u64::from(self.limit.requests) * 60).div_ceil(u64::from(seconds));
        let headers = response.headers_mut();
        headers.insert("ratelimit-name", HeaderValue::from_static(name));
        headers.insert("ratelimit-limit", per_minute.into());
        headers.insert("ratelimit-observed", self.observed.into());
        headers.insert(
            "ratelimit-remaining",
            self.limit.requests.saturating_sub(self.observed).into(),
        );
        headers.insert("ratelimit-reset", self.reset.into());
        if !self.admitted {
            headers.insert("retry-after", self.wait.into());
            if let Some(date) = http_date(self.reset) {
                headers.insert("ratelimit-resettime", date);
            }
        }
        response
    }
}

fn http_date(second: i64) -> Option<HeaderValue> {
    let time = Timestamp::from_second(second).ok()?;
    time.strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_its_own_window_and_a_new_period_starts_anew() {
        let mut windows = Windows::new(RateLimit {
            requests: 1,
            period: Duration::from_mins(1),
        });
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(windows.admit(b"a", at(30)).admitted);
        assert!(windows.admit(b"b", at(30)).admitted);
        let refused = windows.admit(b"a", at(31));
        assert_eq!(
            (refused.admitted, refused.reset, refused.wait),
            (false, 60, 29)
        );
        assert!(windows.admit(b"a", at(60)).admitted);
    }
}
