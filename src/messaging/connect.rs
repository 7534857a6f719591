//! One connection to a project's Pub/Sub, on Google Cloud, an emulator or the embedded broker.

mod calls;
mod clients;
mod credentials;
mod renewable;
mod timeouts;

pub use timeouts::PubSubTimeouts;

use std::{fmt, sync::Arc, time::Duration};

use google_cloud_auth::credentials::anonymous;
use google_cloud_googleapis::pubsub::v1::{
    publisher_client::PublisherClient, subscriber_client::SubscriberClient,
};
use google_cloud_pubsub::client::{BasePublisher, Subscriber};
use tonic::{Request, transport::Channel};

use self::{clients::Target, credentials::authorization};
use super::{Names, PubSubError, Publisher, PublisherOptions, Topic, publisher::RefusalLog};
use crate::config;

pub(super) use self::{
    calls::PULL_WAIT,
    clients::{subscriptions, topics},
    renewable::Renewable,
};

/// Where Google Cloud's Pub/Sub is.
const GOOGLE_CLOUD: &str = "https://pubsub.googleapis.com";

/// A connection to one project's Pub/Sub, on Google Cloud, an emulator or the embedded broker.
/// Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    target: Target,
    names: Names,
    timeouts: PubSubTimeouts,
    channel: Arc<Renewable<Channel>>,
    publishers: Arc<Renewable<BasePublisher>>,
    tells_refusals: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("endpoint", &self.target.endpoint)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects as `config` says, and on Google Cloud gets a first token: a mistake shows now, not
    /// at the first message.
    ///
    /// # Errors
    /// No project, no credentials, or nothing answers at the endpoint.
    pub async fn open(config: &config::PubSubConfig) -> Result<Self, PubSubError> {
        Self::open_with(config, PubSubTimeouts::default()).await
    }

    /// [`Self::open`] with other timeouts, for tests that cannot wait.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub async fn open_with(
        config: &config::PubSubConfig,
        timeouts: PubSubTimeouts,
    ) -> Result<Self, PubSubError> {
        if config.project.trim().is_empty() {
            return Err(PubSubError::Configuration(
                "no project; set pubsub.project or GOOGLE_CLOUD_PROJECT".to_owned(),
            ));
        }
        let target = target(config).await?;
        Ok(Self {
            names: Names::new(config.project.trim(), &config.prefix),
            channel: Arc::new(channels(&target).await?),
            publishers: Arc::new(publishers(&target, timeouts).await?),
            timeouts,
            target,
            tells_refusals: false,
        })
    }

    /// The same, whose publishers log what Pub/Sub refuses: for stages, which nobody watches.
    #[must_use]
    pub fn telling_refusals(self) -> Self {
        Self {
            tells_refusals: true,
            ..self
        }
    }

    /// The same, with a new connection for calls; publishers are shared.
    ///
    /// # Errors
    /// When nothing answers at the endpoint.
    pub(super) async fn afresh(&self) -> Result<Self, PubSubError> {
        Ok(Self {
            channel: Arc::new(channels(&self.target).await?),
            ..self.clone()
        })
    }

    /// The same connection for calls that are given up sooner: one attempt after `call`, all of them
    /// after `calls`.
    pub(super) fn waiting_for(&self, call: Duration, calls: Duration) -> Self {
        let timeouts = PubSubTimeouts {
            call,
            calls,
            ..self.timeouts
        };
        Self {
            timeouts,
            ..self.clone()
        }
    }

    /// Google's client for streaming pull, on a connection of its own, which closes with the last
    /// stream.
    ///
    /// # Errors
    /// When the client cannot be made. It connects with its first stream.
    pub(super) async fn subscriber(&self) -> Result<Subscriber, PubSubError> {
        self.target.subscriber().await
    }

    /// A publisher of `topic`.
    ///
    /// # Errors
    /// None today; publishing itself can fail.
    #[expect(
        clippy::unused_async,
        reason = "callers await it: a publisher may come to check its topic"
    )]
    pub async fn publisher(&self, topic: Topic) -> Result<Publisher, PubSubError> {
        Ok(self.publisher_with(topic.as_str(), &PublisherOptions::default()))
    }

    /// A publisher of the topic called `topic` (without prefix), which may be a dead-letter topic.
    pub fn publisher_with(&self, topic: &str, options: &PublisherOptions) -> Publisher {
        Publisher::new(
            &self.publishers,
            self.timeouts,
            self.names.id(topic),
            self.names.topic(topic),
            options,
            self.tells_refusals.then(RefusalLog::default),
        )
    }

    /// Names of topics and subscriptions here.
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// Whether this is an emulator or the embedded broker, where the service may create what it
    /// needs.
    pub const fn is_local(&self) -> bool {
        self.target.local
    }

    /// Topic calls over gRPC, each made once; see [`Self::request`].
    pub fn topics(&self) -> PublisherClient<Channel> {
        topics(self.channel.current().client)
    }

    /// Subscription calls over gRPC, Pull and Acknowledge included, each made once; see
    /// [`Self::request`].
    pub fn subscriptions(&self) -> SubscriberClient<Channel> {
        subscriptions(self.channel.current().client)
    }

    /// `message` as a request with our credentials (authorization and, if there is one, the quota
    /// project) and a deadline.
    ///
    /// # Errors
    /// When there is no token.
    pub async fn request<T>(&self, message: T) -> Result<Request<T>, PubSubError> {
        let mut request = Request::new(message);
        if !self.target.local {
            *request.metadata_mut() = authorization(&self.target.credentials).await?;
        }
        request.set_timeout(self.timeouts.call);
        Ok(request)
    }
}

async fn target(config: &config::PubSubConfig) -> Result<Target, PubSubError> {
    Ok(match &config.emulator_host {
        Some(host) => Target {
            endpoint: emulator_endpoint(host)?,
            credentials: anonymous::Builder::new().build(),
            local: true,
        },
        None => Target {
            endpoint: google_endpoint(config),
            credentials: credentials::default_credentials().await?,
            local: false,
        },
    })
}

async fn channels(target: &Target) -> Result<Renewable<Channel>, PubSubError> {
    let target = target.clone();
    Renewable::open(move || {
        let target = target.clone();
        Box::pin(async move { target.channel().await })
    })
    .await
}

async fn publishers(
    target: &Target,
    timeouts: PubSubTimeouts,
) -> Result<Renewable<BasePublisher>, PubSubError> {
    let target = target.clone();
    Renewable::open(move || {
        let target = target.clone();
        Box::pin(async move { target.publishers(timeouts.publish).await })
    })
    .await
}

/// The plaintext address of an emulator; `host:port` as in `PUBSUB_EMULATOR_HOST`, with or without
/// `http://`.
fn emulator_endpoint(host: &str) -> Result<String, PubSubError> {
    let host = host
        .trim()
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok());
    if has_port {
        Ok(format!("http://{host}"))
    } else {
        Err(PubSubError::Configuration(
            "the emulator's address must be host:port, such as 127.0.0.1:8085".to_owned(),
        ))
    }
}

/// Google Cloud's address, or the one configured in its place.
fn google_endpoint(config: &config::PubSubConfig) -> String {
    match &config.endpoint {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => GOOGLE_CLOUD.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_is_named_by_host_and_port() {
        for host in [
            "127.0.0.1:8085",
            "http://127.0.0.1:8085/",
            " 127.0.0.1:8085",
        ] {
            assert_eq!(
                emulator_endpoint(host).ok().as_deref(),
                Some("http://127.0.0.1:8085")
            );
        }
        for host in ["", "localhost", ":8085", "localhost:", "localhost:none"] {
            assert!(matches!(
                emulator_endpoint(host),
                Err(PubSubError::Configuration(_))
            ));
        }
    }

    #[tokio::test]
    async fn a_connection_without_a_project_says_what_to_set() {
        let config = config::PubSubConfig {
            project: " ".to_owned(),
            emulator_host: None,
            endpoint: None,
            prefix: String::new(),
        };
        let error = Connection::open(&config).await.err().map(|e| e.to_string());
        assert!(error.is_some_and(|text| text.contains("GOOGLE_CLOUD_PROJECT")));
    }
}
