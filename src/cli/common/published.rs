//! What a command has published, where it waits for nothing further.

use serde::Serialize;

use super::output::Row;

/// One message.
#[derive(Serialize)]
pub(in crate::cli) struct Published<'a> {
    kind: &'static str,
    message_id: &'a str,
    about: &'a str,
    run: &'a str,
}

impl<'a> Published<'a> {
    pub(in crate::cli) fn new(message_id: &'a str, about: &'a str, run: &'a str) -> Self {
        Self {
            kind: "published",
            message_id,
            about,
            run,
        }
    }
}

impl Row for Published<'_> {
    const COLUMNS: &'static [&'static str] = &["message_id", "about", "run"];

    fn cells(&self) -> Vec<String> {
        [self.message_id, self.about, self.run]
            .map(str::to_owned)
            .to_vec()
    }
}
