//! Durations: `"500ms"`, `"10s"`, `"2m"`, `"1h"`.

use std::{ops::RangeInclusive, time::Duration};

use super::{ParseError, RawValue, ValueType};

/// A duration within bounds.
pub(in crate::config) struct DurationRange(pub RangeInclusive<Duration>);

/// Each unit and how many milliseconds it has, the longest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl ValueType for DurationRange {
    type Value = Duration;

    fn allowed(&self) -> String {
        let (from, to) = (display(*self.0.start()), display(*self.0.end()));
        format!("a time from {from} to {to}, such as \"500ms\", \"10s\" or \"2m\"")
    }

    fn read(&self, given: &RawValue<'_>) -> Result<Duration, Vec<ParseError>> {
        let span = parse(given.text()?)
            .ok_or_else(|| ParseError::because("is not a number with a unit of time"))?;
        if self.0.contains(&span) {
            return Ok(span);
        }
        Err(ParseError::because(format!("is {}", display(span))))
    }

    fn show(&self, value: &Duration) -> serde_json::Value {
        display(*value).into()
    }
}

fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, milliseconds) = UNITS
        .into_iter()
        .find(|(name, _)| *name == unit.trim_start())?;
    let number: u64 = number.parse().ok()?;
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

/// In the longest unit that divides it; [`DurationRange`] reads it back.
pub(in crate::config) fn display(span: Duration) -> String {
    let milliseconds = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    UNITS
        .into_iter()
        .find(|(_, length)| milliseconds > 0 && milliseconds.is_multiple_of(*length))
        .map_or_else(
            || "0s".to_owned(),
            |(unit, length)| format!("{}{unit}", milliseconds / length),
        )
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};
    use rstest::rstest;

    use super::{Duration, display, parse};

    #[rstest]
    #[case("500ms", Some(500))]
    #[case("10s", Some(10_000))]
    #[case(" 2 m ", Some(120_000))]
    #[case("1h", Some(3_600_000))]
    #[case("0s", Some(0))]
    #[case("10", None)]
    #[case("s", None)]
    #[case("", None)]
    #[case("1.5s", None)]
    #[case("-1s", None)]
    #[case("10S", None)]
    #[case("1m30s", None)]
    #[case("18446744073709551615h", None)]
    #[case("99999999999999999999s", None)]
    #[case("١s", None)]
    fn a_span_is_a_number_with_its_unit(#[case] text: &str, #[case] milliseconds: Option<u64>) {
        assert_eq!(parse(text), milliseconds.map(Duration::from_millis));
    }

    proptest! {
        #[test]
        fn what_is_displayed_reads_back(milliseconds in 0..u64::MAX / 3_600_000) {
            let span = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&display(span)), Some(span));
        }
    }
}
