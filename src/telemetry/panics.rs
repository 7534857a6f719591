//! A panic in the log: that there was one, and where.

use std::{
    io::{self, Write},
    panic::{self, Location, PanicHookInfo},
};

use tracing::dispatcher;

/// From now on a panic of any thread is one line of the log, or of standard error while there is no
/// log.
///
/// What the program itself says in so many words is in it. What a panic makes of the values it met
/// is not: an index into a text that is none quotes the text, an `unwrap` shows the error, and
/// either may be a name or a body.
pub fn log_without_what_they_met() {
    panic::set_hook(Box::new(log));
}

/// The one line of one panic.
pub fn log(info: &PanicHookInfo<'_>) {
    let place = info
        .location()
        .map_or_else(String::new, Location::to_string);
    let said = own_words(info);
    if dispatcher::has_been_set() {
        tracing::error!(
            event = "panicked",
            place,
            said,
            "a bug: panicked at {place}"
        );
    } else {
        // Where standard error is gone too, the exit code is all that is left to say.
        let _ = writeln!(io::stderr(), "error: a bug: panicked at {place}: {said}");
    }
}

/// A panic whose text is made of values carries a `String`; one of the source's own words does not.
fn own_words(info: &PanicHookInfo<'_>) -> &'static str {
    info.payload()
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("")
}
