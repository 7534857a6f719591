//! What an answer's headers say of when to come again.

use std::time::Duration;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::gate::LONGEST_REQUESTED_PAUSE;

/// Numbers this small in `RateLimit-Reset` are seconds from now (IETF draft); GitLab sends a Unix
/// time.
const LARGEST_DELTA: Duration = Duration::from_secs(10_000_000);

/// The pause of `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3), at most
/// [`LONGEST_REQUESTED_PAUSE`].
///
/// Seconds may have a fraction, which some proxies send against the RFC.
pub(super) fn requested_pause(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match seconds(text) {
        Some(pause) => pause,
        None => until(http_date(text)?, now_there(headers)),
    };
    Some(pause.min(LONGEST_REQUESTED_PAUSE))
}

/// How many calls `RateLimit-Remaining` leaves, and how long until `RateLimit-Reset` renews them,
/// at most [`LONGEST_REQUESTED_PAUSE`].
pub(super) fn rate_limit(headers: &HeaderMap) -> Option<(u32, Duration)> {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
    let remaining = text("ratelimit-remaining")?;
    let remaining = match remaining.strip_prefix('-') {
        // Overdrawn: none are left.
        Some(overdrawn) => seconds(overdrawn).map(|_| 0)?,
        None => seconds(remaining)?.as_secs(),
    };
    let reset = seconds(text("ratelimit-reset")?)?;
    let pause = if reset < LARGEST_DELTA {
        reset
    } else {
        let second = i64::try_from(reset.as_secs()).ok();
        let at = second.and_then(|second| Timestamp::from_second(second).ok());
        at.map_or(LONGEST_REQUESTED_PAUSE, |at| until(at, now_there(headers)))
    };
    let remaining = u32::try_from(remaining).unwrap_or(u32::MAX);
    Some((remaining, pause.min(LONGEST_REQUESTED_PAUSE)))
}

/// Digits with at most one point among them, as a time in seconds; more of them than a number holds
/// are the largest.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = Duration::from_secs(whole.parse().unwrap_or(u64::MAX));
    // Rounded up to the next thousandth: coming back too early is answered with another 429.
    let thousandths = fraction.bytes().chain(*b"000").take(3);
    let thousandths = thousandths.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    let rest = fraction.bytes().skip(3).any(|digit| digit != b'0');
    Some(whole.saturating_add(Duration::from_millis(thousandths + u64::from(rest))))
}

/// The upstream's own clock where it tells it, so that a skew between the two machines does not
/// count.
fn now_there(headers: &HeaderMap) -> Timestamp {
    headers
        .get(DATE)
        .and_then(|date| http_date(date.to_str().ok()?))
        .unwrap_or_else(Timestamp::now)
}

/// The three forms of RFC 9110, 5.6.7: the one to send, and the two older ones that must be read.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    if let Ok(date) = jiff::fmt::rfc2822::parse(text) {
        return Some(date.timestamp());
    }
    // Of RFC 850 the weekday is left out: of which century the year is, it cannot tell.
    let rfc_850 = text
        .split_once(", ")
        .and_then(|(_, date)| civil("%d-%b-%y %H:%M:%S GMT", date));
    let date = rfc_850.or_else(|| civil("%a %b %d %H:%M:%S %Y", text))?;
    TimeZone::UTC.to_timestamp(date).ok()
}

fn civil(format: &str, text: &str) -> Option<DateTime> {
    DateTime::strptime(format, text).ok()
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
            requested_pause(&headers(&[("retry-after", "7")])),
            Some(Duration::from_secs(7))
        );
        let dated = headers(&[
            ("date", "Sun, 22 Nov 2026 02:00:00 GMT"),
            ("retry-after", "Sun, 22 Nov 2026 02:01:30 GMT"),
        ]);
        assert_eq!(requested_pause(&dated), Some(Duration::from_secs(90)));
        assert_eq!(requested_pause(&headers(&[("retry-after", "soon")])), None);
        assert_eq!(requested_pause(&headers(&[("retry-after", "-5")])), None);
    }

    /// The inputs are those of other servers and proxies as they were met.
    #[test]
    fn whatever_a_server_means_by_retry_after_is_read_or_bounded() {
        let at = |date: &str, text: &str| {
            requested_pause(&headers(&[("date", date), ("retry-after", text)]))
        };
        let noon = "Sat, 28 Nov 2026 11:59:30 GMT";
        let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
        for (text, pause) in [
            ("4.5", seconds(4.5)),
            ("2.0", seconds(2.0)),
            ("0.0001", seconds(0.001)),
            (" 3 ", seconds(3.0)),
            ("99999999999999999999999", Some(LONGEST_REQUESTED_PAUSE)),
            ("18446744073709551615.9", Some(LONGEST_REQUESTED_PAUSE)),
            ("31536000", Some(LONGEST_REQUESTED_PAUSE)),
            ("Sat, 28 Nov 2026 12:00:00 GMT", seconds(30.0)),
            ("Sat Nov 28 12:00:00 2026", seconds(30.0)),
            ("Saturday, 28-Nov-26 12:00:00 GMT", seconds(30.0)),
            (
                "Fri, 01 Jan 2100 00:00:00 GMT",
                Some(LONGEST_REQUESTED_PAUSE),
            ),
            ("-5", None),
            ("1e3", None),
            ("inf", None),
            (".5", None),
            ("5.", None),
            ("", None),
            ("in a while", None),
        ] {
            assert_eq!(at(noon, text), pause, "{text}");
        }
        for older in [
            "Sat Nov 28 11:59:30 2026",
            "Saturday, 28-Nov-26 11:59:30 GMT",
        ] {
            let pause = at(older, "Sat, 28 Nov 2026 12:00:00 GMT");
            assert_eq!(pause, seconds(30.0), "the upstream's own clock as {older}");
        }
        let padded = at("Sun, 06 Nov 1994 08:49:07 GMT", "Sun Nov  6 08:49:37 1994");
        assert_eq!(padded, seconds(30.0));
    }

    #[test]
    fn a_date_in_the_past_asks_for_no_pause() {
        let dated = headers(&[
            ("date", "Sun, 22 Nov 2026 02:00:00 GMT"),
            ("retry-after", "Sun, 22 Nov 2026 01:00:00 GMT"),
        ]);
        assert_eq!(requested_pause(&dated), Some(Duration::ZERO));
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
        for (reset, pause) in [
            ("30.5", Duration::from_secs_f64(30.5)),
            ("99999999999999999999999", LONGEST_REQUESTED_PAUSE),
            ("4102444800", LONGEST_REQUESTED_PAUSE),
        ] {
            let odd = headers(&[("ratelimit-remaining", "-2"), ("ratelimit-reset", reset)]);
            assert_eq!(rate_limit(&odd), Some((0, pause)), "{reset}");
        }
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
                let _ = (requested_pause(&headers), rate_limit(&headers));
            }
        }
    }
}
