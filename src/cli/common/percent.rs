//! A percentage, as an option's value.

/// What is allowed, as an error says it.
const ALLOWED: &str = "a number from 0 to 100, such as 12 or 7.5, without the percent sign";

/// Reads digits with at most one point among them. What else `f64` would read is a slip here: a
/// sign, an exponent, infinity.
///
/// # Errors
/// What is allowed.
pub(in crate::cli) fn percent(text: &str) -> Result<f64, String> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse()
        .ok()
        .filter(|percent: &f64| plain && (0.0..=100.0).contains(percent))
        .ok_or_else(|| ALLOWED.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::percent;
    use crate::cli::Cli;

    #[rstest]
    #[case("0", 0.0)]
    #[case("12", 12.0)]
    #[case("7.5", 7.5)]
    #[case("007.50", 7.5)]
    #[case("99.999999", 99.999_999)]
    #[case("100", 100.0)]
    #[case("100.0", 100.0)]
    fn a_share_from_none_to_all_is_read(#[case] text: &str, #[case] expected: f64) {
        let read = percent(text).unwrap();
        assert!((read - expected).abs() < f64::EPSILON, "{text}: {read}");
    }

    #[rstest]
    #[case::more_than_all("101")]
    #[case::a_little_more_than_all("100.0000001")]
    #[case::less_than_none("-5")]
    #[case::nothing_with_a_sign("-0")]
    #[case::a_sign("+5")]
    #[case::the_percent_sign("12%")]
    #[case::a_comma("7,5")]
    #[case::an_exponent("1e1")]
    #[case::so_large_that_it_is_infinite("1e999")]
    #[case::infinity("inf")]
    #[case::negative_infinity("-infinity")]
    #[case::not_a_number("NaN")]
    #[case::hexadecimal("0x10")]
    #[case::two_points("1.2.3")]
    #[case::a_point(".")]
    #[case::nothing("")]
    #[case::space(" 12")]
    #[case::a_line_end("12\n")]
    #[case::digits_of_another_script("１２")]
    #[case::a_word("half")]
    #[case::another_option("--all")]
    #[case::digits_without_end(&"9".repeat(10_000))]
    fn anything_else_is_refused_where_it_stands_and_told_what_is_allowed(#[case] text: &str) {
        for command in ["plan", "tick"] {
            for option in ["--max-block-percent", "--max-unblock-percent"] {
                let error =
                    Cli::try_parse_from(["lookup-gitlab-sync", command, option, text]).unwrap_err();
                let told = error.to_string();
                assert_eq!(error.exit_code(), 2, "{told}");
                assert!(told.contains(option), "{told}");
                assert!(told.contains("a number from 0 to 100"), "{told}");
            }
        }
    }
}
