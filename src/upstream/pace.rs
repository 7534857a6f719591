//! What an answer's headers say of when to come again.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The longest pause an upstream can ask for: a mistyped `Retry-After` must not stop the service for a year.
/// GitLab's own longest is ten minutes.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// Numbers this small in `RateLimit-Reset` are seconds from now (IETF draft); GitLab sends a Unix time.
const LARGEST_DELTA: i64 = 10_000_000;

/// The pause of `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(until(http_date(text)?, now_there(headers))),
    }
}

/// How many calls `RateLimit-Remaining` leaves, and how long until `RateLimit-Reset` renews them.
pub(super) fn rate_limit(headers: &HeaderMap) -> Option<(u32, Duration)> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let remaining = number("ratelimit-remaining")?.max(0);
    let reset = number("ratelimit-reset")?.max(0);
    let pause = if reset < LARGEST_DELTA {
        Duration::from_secs(reset.unsigned_abs())
    } else {
        until(Timestamp::from_second(reset).ok()?, now_there(headers))
    };
    Some((u32::try_from(remaining).unwrap_or(u32::MAX), pause))
}

/// The upstream's own clock where it tells it, so that a skew between the two machines does not count.
fn now_there(headers: &HeaderMap) -> Timestamp {
    headers
        .get(DATE)
        .and_then(|date| http_date(date.to_str().ok()?))
        .unwrap_or_else(Timestamp::now)
}

/// A date as HTTP writes it.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text)
        .ok()
        .map(|date| date.timestamp())
}

fn until(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date_of_the_upstreams_clock() {
        assert_eq!(
            retry_after(&headers(&[("retry-after", "7")])),
            Some(Duration::from_secs(7))
        );
        let dated = headers(&[
            ("date", "Sun, 22 Nov 2026 02:00:00 GMT"),
            ("retry-after", "Sun, 22 Nov 2026 02:01:30 GMT"),
        ]);
        assert_eq!(retry_after(&dated), Some(Duration::from_secs(90)));
        assert_eq!(retry_after(&headers(&[("retry-after", "soon")])), None);
        assert_eq!(retry_after(&headers(&[("retry-after", "-5")])), None);
    }

    #[test]
    fn a_date_in_the_past_asks_for_no_pause() {
        let dated = headers(&[
            ("date", "Sun, 22 Nov 2026 02:00:00 GMT"),
            ("retry-after", "Sun, 22 Nov 2026 01:00:00 GMT"),
        ]);
        assert_eq!(retry_after(&dated), Some(Duration::ZERO));
    }

    #[test]
    fn the_rate_limit_reset_is_read_as_a_unix_time_and_as_seconds() {
        let unix = headers(&[
            ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ("ratelimit-remaining", "3"),
            ("ratelimit-reset", "1767225660"),
        ]);
        assert_eq!(rate_limit(&unix), Some((3, Duration::from_mins(1))));
        let delta = headers(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "30")]);
        assert_eq!(rate_limit(&delta), Some((0, Duration::from_secs(30))));
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(text in "[ -~]{0,40}", number in any::<i64>()) {
            let number = number.to_string();
            for value in [text.as_str(), &number] {
                let headers = headers(&[
                    ("retry-after", value), ("date", value),
                    ("ratelimit-remaining", value), ("ratelimit-reset", value),
                ]);
                let _ = (retry_after(&headers), rate_limit(&headers));
            }
        }
    }
}
