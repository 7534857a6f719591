//! Shows the progress of a replay, and each message that was not replayed.

use std::io;

use serde::Serialize;

use super::words;
use crate::{
    cli::common::{
        output::{self, OutputFormat, OutputRow},
        progress::WorkProgress,
    },
    messaging::dead_letters::{ReplayEvent, Skip},
    telemetry::escape,
};

/// Progress on a terminal; what was not replayed is said as it happens.
pub(super) struct ReplayBar(WorkProgress);

impl ReplayBar {
    pub(super) fn new(output: OutputFormat, total: Option<u64>) -> Self {
        Self(WorkProgress::counted(output, "replayed", total))
    }

    pub(super) fn show(&self, event: ReplayEvent<'_>, output: OutputFormat) {
        let told = match event {
            ReplayEvent::Confirmed(..) | ReplayEvent::Skipped(_, Skip::DiedAgain) => return,
            ReplayEvent::Replayed(seen, message_id) => {
                self.0.advance();
                if output != OutputFormat::Json {
                    return;
                }
                ReplayLine {
                    kind: "replayed",
                    id: &seen.id,
                    message_id: Some(message_id),
                    why: None,
                }
            }
            ReplayEvent::Skipped(seen, skip @ Skip::ReplayedTooOften) => ReplayLine {
                kind: "skipped",
                id: &seen.id,
                message_id: None,
                why: Some(words(skip)),
            },
            ReplayEvent::Failed(seen, why) => ReplayLine {
                kind: "failed",
                id: &seen.id,
                message_id: None,
                why: Some(why),
            },
        };
        let printed = self.0.suspend(|| told.print(output));
        if let Err(error) = printed {
            tracing::debug!(event = "progress_not_shown", %error);
        }
    }
}

/// What became of one letter.
#[derive(Serialize)]
struct ReplayLine<'a> {
    kind: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

impl ReplayLine<'_> {
    fn print(&self, output: OutputFormat) -> io::Result<()> {
        match output {
            OutputFormat::Json => output::print(output, std::slice::from_ref(self)),
            OutputFormat::Table | OutputFormat::Csv => {
                let why = escape(self.why.unwrap_or_default());
                output::note(&format!("{} {}: {why}", self.kind, escape(self.id)))
            }
        }
    }
}

impl OutputRow for ReplayLine<'_> {
    const COLUMNS: &'static [&'static str] = &["kind", "id", "why"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.kind.to_owned(),
            self.id.to_owned(),
            self.why.unwrap_or_default().to_owned(),
        ]
    }
}
