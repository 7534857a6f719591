//! Words and JSON for one dead letter.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    cli::common::output::OutputRow,
    messaging::dead_letters::{About, Seen},
};

/// Whom a letter is about, on one line.
pub(super) fn about(about: &About) -> String {
    let named = [
        ("account", &about.gitlab_user_id),
        ("username", &about.username),
        ("CRSid", &about.crsid),
        ("namespace", &about.namespace_id),
    ];
    let words = named
        .into_iter()
        .filter_map(|(kind, name)| Some(format!("{kind} {}", name.as_ref()?)));
    words.collect::<Vec<_>>().join(", ")
}

/// A time to the second, or nothing.
pub(super) fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

/// A body, as text if it is UTF-8.
pub(super) enum BodyText<'a> {
    Text(&'a str),
    Base64(String),
}

impl<'a> BodyText<'a> {
    pub(super) fn of(body: &'a [u8]) -> Self {
        std::str::from_utf8(body)
            .map_or_else(|_| Self::Base64(BASE64_STANDARD.encode(body)), Self::Text)
    }
}

/// One dead letter in a list.
#[derive(Serialize)]
pub(super) struct DeadLetterLine {
    pub(super) id: String,
    topic: &'static str,
    died_at: Option<Timestamp>,
    reason: &'static str,
    detail: Option<String>,
    stage: Option<&'static str>,
    deaths: u32,
    replays: u32,
    delivery_attempt: Option<u32>,
    run: Option<String>,
    gitlab_user_id: Option<String>,
    username: Option<String>,
    crsid: Option<String>,
    namespace_id: Option<String>,
    bytes: usize,
}

impl From<Seen> for DeadLetterLine {
    fn from(seen: Seen) -> Self {
        let Seen { history, about, .. } = seen;
        Self {
            id: seen.id,
            topic: seen.stage.topic().as_str(),
            died_at: seen.published.or(history.at),
            reason: history.why().as_str(),
            detail: history.detail,
            stage: history.stage.map(crate::messaging::Stage::as_str),
            deaths: history.deaths,
            replays: history.replays,
            delivery_attempt: history.delivery_attempt,
            run: seen.run,
            gitlab_user_id: about.gitlab_user_id,
            username: about.username,
            crsid: about.crsid,
            namespace_id: about.namespace_id,
            bytes: seen.bytes,
        }
    }
}

impl OutputRow for DeadLetterLine {
    const COLUMNS: &'static [&'static str] = &[
        "id", "topic", "died at", "reason", "deaths", "replays", "about", "bytes", "detail",
    ];
    const SENTENCES: &'static [&'static str] = &["about", "detail"];
    const YIELDING: &'static [&'static str] = &["bytes", "detail", "about", "topic"];

    fn cells(&self) -> Vec<String> {
        let about = about(&About {
            gitlab_user_id: self.gitlab_user_id.clone(),
            username: self.username.clone(),
            crsid: self.crsid.clone(),
            namespace_id: self.namespace_id.clone(),
        });
        vec![
            self.id.clone(),
            self.topic.to_owned(),
            time(self.died_at),
            self.reason.to_owned(),
            self.deaths.to_string(),
            self.replays.to_string(),
            about,
            self.bytes.to_string(),
            self.detail.clone().unwrap_or_default(),
        ]
    }
}
