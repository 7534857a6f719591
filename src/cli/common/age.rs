//! How long ago, as it is said on the command line.

use jiff::SignedDuration;

/// Such as `90m`, `12h`, or `3d`, where a day is 24 hours.
///
/// # Errors
/// What is allowed.
pub fn age(text: &str) -> Result<SignedDuration, String> {
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<i64>().ok());
    let age = match days {
        Some(days) => days
            .checked_mul(24)
            .and_then(SignedDuration::try_from_hours),
        None => text.parse().ok(),
    };
    let in_reach = |age: &SignedDuration| !age.is_negative() && age.as_hours() < 100 * 366 * 24;
    age.filter(in_reach)
        .ok_or_else(|| "an age such as 90m, 12h or 3d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_minutes_hours_or_days() {
        assert_eq!(age("90m"), Ok(SignedDuration::from_mins(90)));
        assert_eq!(age("3d"), Ok(SignedDuration::from_hours(72)));
        for text in [
            "",
            "d",
            "-1h",
            "3 weeks ago",
            "99999999999999d",
            "9999999999999h",
        ] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
