//! Whether writes are paused, as `pause` and `resume` print it.

use serde::Serialize;

use super::output::OutputRow;
use crate::pause::PauseNotice;

/// What holds after the command.
#[derive(Debug, Serialize)]
pub struct PauseRow {
    state: &'static str,
    /// Of the pause that holds, or that was ended.
    paused_since: Option<String>,
    paused_by: Option<String>,
    pause_reason: Option<String>,
    /// Whether it was this command that changed it.
    changed: bool,
}

impl PauseRow {
    /// `pause` holds; `changed` if it is new.
    pub fn paused(pause: PauseNotice, changed: bool) -> Self {
        Self::new("paused", Some(pause), changed)
    }

    /// Writes go on; `ended` is the pause that there was.
    pub fn running(ended: Option<PauseNotice>) -> Self {
        let changed = ended.is_some();
        Self::new("running", ended, changed)
    }

    fn new(state: &'static str, pause: Option<PauseNotice>, changed: bool) -> Self {
        let (since, by, reason) = pause.map_or((None, None, None), |pause| {
            (pause.since, pause.by, pause.reason)
        });
        Self {
            state,
            paused_since: since.map(|since| since.to_string()),
            paused_by: by,
            pause_reason: reason,
            changed,
        }
    }
}

impl OutputRow for PauseRow {
    const COLUMNS: &'static [&'static str] = &["state", "paused_since", "paused_by", "reason"];
    const SENTENCES: &'static [&'static str] = &["reason"];

    fn cells(&self) -> Vec<String> {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        vec![
            self.state.to_owned(),
            text(&self.paused_since),
            text(&self.paused_by),
            text(&self.pause_reason),
        ]
    }
}
