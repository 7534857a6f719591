//! One dead letter.

use std::collections::BTreeMap;

use bytes::Bytes;
use google_cloud_googleapis::pubsub::v1::PubsubMessage;
use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};

use crate::messaging::{
    Stage,
    attributes::RUN,
    dead_letters::{History, REPLAY_ID},
    held_messages::published,
};

/// A dead letter, leased.
#[derive(Clone, Debug)]
pub struct Letter {
    /// What can be said of it without its body.
    pub seen: Seen,
    /// The body, unchanged since it was first published.
    pub body: Bytes,
    /// Every attribute.
    pub attributes: BTreeMap<String, String>,
}

/// What can be said of a dead letter without its body. Everything but `id`, `stage`, `published`
/// and `bytes` is what the message says of itself.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The message id in the dead-letter topic.
    pub id: String,
    /// The stage in whose dead-letter topic it lies.
    pub stage: Stage,
    /// When it came there, by Pub/Sub's clock.
    pub published: Option<Timestamp>,
    /// How it came there.
    pub history: History,
    /// Its last replay.
    pub replay_id: Option<String>,
    /// Its run.
    pub run: Option<String>,
    /// Whom it is about.
    pub about: About,
    /// The body's length.
    pub bytes: usize,
}

impl Seen {
    /// When it died: Pub/Sub's word, else its own.
    pub fn died(&self) -> Option<Timestamp> {
        self.published.or(self.history.at)
    }
}

impl Letter {
    /// The message of `stage`'s dead-letter topic.
    pub(super) fn new(message: PubsubMessage, stage: Stage) -> Self {
        let published = published(&message);
        let attributes: BTreeMap<_, _> = message.attributes.into_iter().collect();
        Self {
            seen: Seen {
                id: message.message_id,
                stage,
                published,
                history: History::read(&attributes),
                replay_id: attributes.get(REPLAY_ID).cloned(),
                run: attributes.get(RUN).cloned(),
                about: About::read(&message.data),
                bytes: message.data.len(),
            },
            body: message.data,
            attributes,
        }
    }
}

/// Whom a body is about, read leniently: what it was dead-lettered for is often its form. At most
/// one identifier is usual, and none where the body is no JSON object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// GitLab's account id.
    pub gitlab_user_id: Option<String>,
    /// GitLab's username.
    pub username: Option<String>,
    /// The person's identifier.
    pub crsid: Option<String>,
    /// GitLab's namespace id.
    pub namespace_id: Option<String>,
}

/// Longer than any identifier; a longer text is none.
const LONGEST_IDENTIFIER: usize = 255;

impl About {
    fn read(body: &[u8]) -> Self {
        let body: Body = serde_json::from_slice(body).unwrap_or_default();
        Self {
            gitlab_user_id: identifier(body.gitlab_user_id),
            username: identifier(body.username),
            crsid: identifier(body.crsid),
            namespace_id: identifier(body.namespace_id),
        }
    }

    /// Whether `user` is its account id, username or CRSid.
    pub fn is_user(&self, user: &str) -> bool {
        let names = [&self.gitlab_user_id, &self.username, &self.crsid];
        names
            .into_iter()
            .flatten()
            .any(|name| name.eq_ignore_ascii_case(user))
    }
}

#[derive(Default, Deserialize)]
struct Body {
    #[serde(default)]
    gitlab_user_id: Option<Field>,
    #[serde(default)]
    username: Option<Field>,
    #[serde(default)]
    crsid: Option<Field>,
    #[serde(default)]
    namespace_id: Option<Field>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Field {
    Number(u64),
    Text(String),
    Other(IgnoredAny),
}

fn identifier(field: Option<Field>) -> Option<String> {
    match field? {
        Field::Number(id) => Some(id.to_string()),
        Field::Text(text) => (1..=LONGEST_IDENTIFIER)
            .contains(&text.len())
            .then_some(text),
        Field::Other(IgnoredAny) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_body_is_about_is_read_however_wrong_the_rest_is() {
        let about = About::read(br#"{"crsid":"SPQR1","gitlab_user_id":[1],"nonsense":{"a":[]}}"#);
        assert!(about.is_user("spqr1"));
        assert_eq!(about.gitlab_user_id, None);
        assert!(About::read(br#"{"gitlab_user_id":42}"#).is_user("42"));
        assert_eq!(About::read(b"\xff\x00"), About::default());
        assert_eq!(About::read(b"[]"), About::default());
    }
}
