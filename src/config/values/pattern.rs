//! Regular expressions that classify accounts.

use regex::Regex;
use regex_syntax::hir::Look;

/// What a pattern must be, beside a valid regular expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum PatternRule {
    /// Nothing more.
    Plain,
    /// A group `crsid`, and both ends of the text: a pattern that finds a CRSid somewhere inside
    /// another name would give a robot's account to an unrelated person.
    NamesCrsid,
}

impl PatternRule {
    /// What is allowed, to be read after "allowed:".
    pub(in crate::config) fn allowed(self) -> &'static str {
        match self {
            Self::Plain => "a regular expression that does not match everything",
            Self::NamesCrsid => {
                "a regular expression with a group (?<crsid>…) that begins with ^ and ends with $"
            }
        }
    }

    /// Why `pattern` is refused; `None` when it is accepted. Never repeats the pattern.
    pub(in crate::config) fn objection(self, pattern: &str) -> Option<String> {
        let parsed = match regex_syntax::parse(pattern) {
            Ok(parsed) => parsed,
            Err(error) => return Some(format!("is not a regular expression ({})", kind(&error))),
        };
        let Ok(regex) = Regex::new(pattern) else {
            return Some("is too large when compiled".to_owned());
        };
        if regex.is_match("") {
            return Some("matches even an empty text".to_owned());
        }
        if self == Self::Plain {
            return None;
        }
        if !regex.capture_names().flatten().any(|name| name == "crsid") {
            return Some("has no group named crsid".to_owned());
        }
        let looks = parsed.properties();
        let anchored = looks.look_set_prefix().contains(Look::Start)
            && looks.look_set_suffix().contains(Look::End);
        (!anchored).then(|| "may match only a part of a text".to_owned())
    }
}

fn kind(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "unsupported".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::PatternRule;

    #[rstest]
    #[case(PatternRule::Plain, "^external-", None)]
    #[case(PatternRule::Plain, "robot", None)]
    #[case(PatternRule::Plain, "", Some("matches even"))]
    #[case(PatternRule::Plain, ".*", Some("matches even"))]
    #[case(
        PatternRule::Plain,
        "(",
        Some("is not a regular expression (unclosed group)")
    )]
    #[case(PatternRule::Plain, "((a{1000}){1000}){1000}", Some("is too large"))]
    #[case(PatternRule::NamesCrsid, "(?i)^(?<crsid>[a-z][a-z0-9]{1,7})$", None)]
    #[case(
        PatternRule::NamesCrsid,
        r"^(?P<crsid>[a-z0-9]+)@example\.ac\.uk$",
        None
    )]
    #[case(PatternRule::NamesCrsid, "^([a-z]+)$", Some("no group named crsid"))]
    #[case(
        PatternRule::NamesCrsid,
        "^(?<id>[a-z]+)$",
        Some("no group named crsid")
    )]
    #[case(
        PatternRule::NamesCrsid,
        "(?<crsid>[a-z]+)",
        Some("may match only a part")
    )]
    #[case(
        PatternRule::NamesCrsid,
        "^(?<crsid>[a-z]+)",
        Some("may match only a part")
    )]
    #[case(
        PatternRule::NamesCrsid,
        "^a|(?<crsid>b)$",
        Some("may match only a part")
    )]
    #[case(
        PatternRule::NamesCrsid,
        "(?m)^(?<crsid>[a-z]+)$",
        Some("may match only a part")
    )]
    fn a_pattern_compiles_and_means_whole_names(
        #[case] rule: PatternRule,
        #[case] pattern: &str,
        #[case] objection: Option<&str>,
    ) {
        let found = rule.objection(pattern);
        match (&found, objection) {
            (None, None) => {}
            (Some(found), Some(part)) => assert!(found.contains(part), "{found}"),
            _ => assert_eq!(found.as_deref(), objection),
        }
    }
}
