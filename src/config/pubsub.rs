//! `[pubsub]`

use std::time::Duration;

use url::Url;

use super::{
    reader::ConfigReader,
    values::{HostPort, HttpUrl, TextValue},
};

/// How long Pub/Sub waits for a consumer's first ack or extension; every subscription is created
/// with it.
pub const ACK_DEADLINE: Duration = Duration::from_mins(1);

/// Google Cloud Pub/Sub.
#[derive(Clone, Debug)]
pub struct PubSubConfig {
    /// Google Cloud project id.
    pub project: String,
    /// `host:port` of an emulator or of the embedded broker; no credentials are sent there.
    pub emulator_host: Option<String>,
    /// The endpoint of Google Cloud's Pub/Sub instead of `https://pubsub.googleapis.com`, such as a
    /// region's own, which keeps messages in that region.
    pub endpoint: Option<Url>,
    /// Put before every topic and subscription name. Empty.
    pub prefix: String,
}

const PROJECT: TextValue = TextValue {
    allowed: "a project id: at most 63 lower-case letters, digits and - . :",
    accepts: |text| {
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:".contains(&byte);
        (1..=63).contains(&text.len()) && text.bytes().all(plain)
    },
};

/// What a topic's name may begin with, see
/// <https://docs.cloud.google.com/pubsub/docs/create-topic#resource_names>.
const PREFIX: TextValue = TextValue {
    allowed: "nothing, or at most 100 of letters, digits and - _ . ~ + that begin with a letter and not with goog",
    accepts: |text| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~+".contains(&byte);
        let begins = text
            .bytes()
            .next()
            .is_none_or(|byte| byte.is_ascii_alphabetic());
        text.len() <= 100 && begins && text.bytes().all(plain) && !text.starts_with("goog")
    },
};

impl PubSubConfig {
    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Option<Self> {
        let project = reader.required("pubsub.project", &PROJECT);
        let emulator_host = reader.optional("pubsub.emulator_host", &HostPort);
        let endpoint = reader.optional("pubsub.endpoint", &HttpUrl::default());
        if reader.is_given("pubsub.endpoint") && reader.is_given("pubsub.emulator_host") {
            reader.reject(
                "pubsub.endpoint",
                "is given beside pubsub.emulator_host; allowed: one of them",
            );
        }
        let prefix = reader.value_or("pubsub.prefix", &PREFIX, String::new());
        Some(Self {
            project: project?,
            emulator_host,
            endpoint,
            prefix,
        })
    }
}
