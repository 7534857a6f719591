//! Values of options, and what a mistake in one is told.

use jiff::civil::Date;

/// A day, such as `2026-09-01`.
pub fn day(text: &str) -> Result<Date, String> {
    let form = || {
        format!(
            "{text} is no day; allowed: a date such as 2026-09-01, which begins at midnight UTC"
        )
    };
    let is_plain = text.len() == "2026-09-01".len();
    text.parse().ok().filter(|_| is_plain).ok_or_else(form)
}

/// The id of an account in GitLab.
pub fn account_id(text: &str) -> Result<u64, String> {
    let id = text.parse().ok().filter(|id| *id > 0);
    id.ok_or_else(|| {
        format!("{text} is no id of an account; allowed: its number in GitLab, such as 17")
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_day_is_a_date_and_nothing_more() {
        assert_eq!(day("2026-09-01"), Ok(date(2026, 9, 1)));
        for text in [
            "2026-09-01T00:00:00Z",
            "2026-09-31",
            "2026-9-1",
            "09/01/26",
            "20260901",
            "",
        ] {
            let error = day(text).unwrap_err();
            assert!(error.contains("such as 2026-09-01"), "{error}");
        }
    }

    #[test]
    fn an_id_is_a_number_above_zero() {
        assert_eq!(account_id("17"), Ok(17));
        for text in ["old-sync", "0", "-1", "1.5", ""] {
            assert!(account_id(text).unwrap_err().contains("such as 17"));
        }
    }
}
