//! The dry run of a replay: each letter beside what would become of it.

use serde::Serialize;

use super::words;
use crate::{
    cli::{
        CommandFailure,
        common::output::OutputRow,
        dead_letters::{preview::LetterPreviewer, text},
    },
    messaging::dead_letters::{Letter, ReplayOptions, Seen},
};

/// What the service would do with `letter` now.
///
/// # Errors
/// When that cannot be told.
pub(super) async fn preview(
    letter: &Letter,
    previewer: &LetterPreviewer<'_>,
    options: &ReplayOptions,
) -> Result<PreviewLine, CommandFailure> {
    let Seen {
        id,
        stage,
        about,
        history,
        ..
    } = &letter.seen;
    let (now, detail) = if let Some(skip) = options.skip(&letter.seen) {
        ("skipped", words(skip).to_owned())
    } else {
        let preview = previewer.of(letter).await?;
        if let Some(error) = preview.unknown {
            return Err(error.into());
        }
        (preview.word, preview.detail)
    };
    Ok(PreviewLine {
        kind: "forecast",
        id: id.clone(),
        topic: stage.topic().as_str(),
        about: text::about(about),
        reason: history.why().as_str(),
        replays: history.replays,
        now,
        detail,
    })
}

/// One letter and its preview.
#[derive(Serialize)]
pub(super) struct PreviewLine {
    kind: &'static str,
    id: String,
    topic: &'static str,
    about: String,
    reason: &'static str,
    replays: u32,
    now: &'static str,
    detail: String,
}

impl OutputRow for PreviewLine {
    const COLUMNS: &'static [&'static str] =
        &["id", "topic", "about", "died of", "replays", "would now"];
    const SENTENCES: &'static [&'static str] = &["about", "would now"];
    const YIELDING: &'static [&'static str] = &["topic", "replays", "about"];

    fn cells(&self) -> Vec<String> {
        let texts = [self.topic, &self.about, self.reason].map(ToOwned::to_owned);
        let ends = [self.replays.to_string(), self.detail.clone()];
        std::iter::once(self.id.clone())
            .chain(texts)
            .chain(ends)
            .collect()
    }
}
