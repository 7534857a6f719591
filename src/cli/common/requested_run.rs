//! A run that a command asks for: its messages, and their outcomes where the command follows them.

use serde::Serialize;

use super::{
    failure::CommandFailure,
    follow::{RequestedMessage, RunWatch, follow},
    output::{self, OutputFormat, OutputRow},
};
use crate::messaging::{Connection, Follow, PubSubError, RunId};

/// A run that a command asks for.
pub(in crate::cli) struct RequestedRun {
    /// The attribute `run` of its messages.
    pub id: RunId,
    outcomes: Option<Follow>,
}

impl RequestedRun {
    /// A new run. Where the command follows it, its outcomes are subscribed to before a message of
    /// it is published.
    pub async fn open(connection: &Connection, follows: bool) -> Result<Self, PubSubError> {
        let id = RunId::new();
        let outcomes = if follows {
            Some(Follow::open(connection, &id).await?)
        } else {
            None
        };
        Ok(Self { id, outcomes })
    }

    /// Prints the messages that were published; where the command follows the run, what `watch` makes of its outcomes instead.
    ///
    /// # Errors
    /// When the run did not end well, or nothing more came of it.
    pub async fn finish(
        self,
        published: &[RequestedMessage],
        watch: RunWatch,
        dry_run: bool,
        output: OutputFormat,
    ) -> Result<(), CommandFailure> {
        match self.outcomes {
            Some(outcomes) => follow(outcomes, watch, dry_run, output).await,
            None => print_published(published, &self.id, output),
        }
    }

    /// The outcomes, for a command that shows them in its own way.
    pub fn into_outcomes(self) -> Option<Follow> {
        self.outcomes
    }
}

/// Prints the messages of `run` that were published.
pub(in crate::cli) fn print_published(
    published: &[RequestedMessage],
    run: &RunId,
    output: OutputFormat,
) -> Result<(), CommandFailure> {
    let rows = published.iter().map(|message| PublishedMessage {
        kind: "published",
        message_id: &message.id,
        about: &message.about,
        run: run.as_str(),
    });
    Ok(output::print(output, &rows.collect::<Vec<_>>())?)
}

#[derive(Serialize)]
struct PublishedMessage<'a> {
    kind: &'static str,
    message_id: &'a str,
    about: &'a str,
    run: &'a str,
}

impl OutputRow for PublishedMessage<'_> {
    const COLUMNS: &'static [&'static str] = &["message_id", "about", "run"];
    const SENTENCES: &'static [&'static str] = &["about"];

    fn cells(&self) -> Vec<String> {
        [self.message_id, self.about, self.run]
            .map(str::to_owned)
            .to_vec()
    }
}
