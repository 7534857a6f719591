//! An error with its causes.

use std::{error::Error, iter};

/// Every cause of `error`, from the nearest to the innermost.
pub(crate) fn of(error: &dyn Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    iter::successors(error.source(), |cause| (*cause).source())
}

/// The error with all its causes. A cause that the text so far repeats is left out: many errors
/// print their cause themselves.
pub(crate) fn on_one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in of(error) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// The innermost cause, or the error itself.
pub(crate) fn innermost(error: &dyn Error) -> &dyn Error {
    of(error).last().map_or(error, |cause| cause)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{innermost, of, on_one_line};

    #[derive(Debug, thiserror::Error)]
    #[error("the call failed")]
    struct Silent(#[source] Repeating);

    #[derive(Debug, thiserror::Error)]
    #[error("sending: {0}")]
    struct Repeating(#[source] io::Error);

    #[test]
    fn each_cause_is_said_once() {
        let error = Silent(Repeating(io::Error::other("reset")));
        assert_eq!(of(&error).count(), 2);
        assert_eq!(on_one_line(&error), "the call failed: sending: reset");
        assert_eq!(innermost(&error).to_string(), "reset");
    }

    #[test]
    fn an_error_without_a_cause_is_its_own_innermost() {
        let error = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(on_one_line(&error), error.to_string());
        assert_eq!(innermost(&error).to_string(), error.to_string());
    }
}
