//! WHO on the command line: a CRSid, a username or a GitLab id.

use crate::{
    directory::Crsid,
    messaging::wire::{OneLine, Who},
};

/// What somebody typed: digits are an id, what could be a CRSid is one, all else is a username.
pub fn parse(text: &str) -> Result<Who, String> {
    if text.is_empty() {
        return Err("a CRSid, a username or a GitLab id".to_owned());
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse() {
            Ok(0) | Err(_) => Err("GitLab's ids start at 1 and end at 2^64".to_owned()),
            Ok(id) => Ok(Who::Account(id)),
        };
    }
    if !OneLine::USERNAME.admits(text) {
        return Err(format!("a username is {}", OneLine::USERNAME));
    }
    Ok(Crsid::parse(text).map_or_else(|| Who::Username(text.to_owned()), Who::Person))
}

/// As it is shown again.
pub fn show(who: &Who) -> String {
    match who {
        Who::Account(id) => format!("account {id}"),
        Who::Username(username) => format!("username {username}"),
        Who::Person(crsid) => format!("CRSid {crsid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_told_apart() {
        assert_eq!(parse("42"), Ok(Who::Account(42)));
        assert_eq!(
            parse("SPQR1"),
            Ok(Who::Person(Crsid::parse("spqr1").unwrap()))
        );
        assert_eq!(
            parse("external-x"),
            Ok(Who::Username("external-x".to_owned()))
        );
        assert_eq!(parse("4x"), Ok(Who::Username("4x".to_owned())));
        for text in ["", "0", "99999999999999999999999", "a\nb", &"x".repeat(256)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
