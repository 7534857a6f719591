//! One connection to a project's Pub/Sub, on Google Cloud, an emulator or the embedded broker.

use std::{fmt, time::Duration};

use google_cloud_auth::credentials::{self, CacheableResource, Credentials};
use google_cloud_googleapis::pubsub::v1::{
    publisher_client::PublisherClient, subscriber_client::SubscriberClient,
};
use google_cloud_pubsub::client::{BasePublisher, Subscriber};
use tonic::{
    Request,
    metadata::MetadataMap,
    transport::{Channel, ClientTlsConfig, Endpoint},
};

use super::{Names, PubSubError, Publisher, PublisherOptions, Topic, error::chain, line::one_line};
use crate::config;

/// Where Google Cloud's Pub/Sub is.
const GOOGLE_CLOUD: &str = "https://pubsub.googleapis.com";
/// How long connecting and the first token may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one administrative call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer of a unary call. With tonic's default of 4 MiB one large message would break every Pull.
const DECODE_LIMIT: usize = 32 * 1024 * 1024;

/// A connection to one project's Pub/Sub, on Google Cloud, an emulator or the embedded broker. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    endpoint: String,
    local: bool,
    names: Names,
    credentials: Credentials,
    channel: Channel,
    base_publisher: BasePublisher,
    subscriber: Subscriber,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("endpoint", &self.endpoint)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects as `config` says, and on Google Cloud gets a first token: a mistake shows now, not at the first message.
    ///
    /// # Errors
    /// No project, no credentials, or nothing answers at the endpoint.
    pub async fn open(config: &config::PubSub) -> Result<Self, PubSubError> {
        if config.project.trim().is_empty() {
            return Err(PubSubError::Configuration(
                "no project; set pubsub.project or GOOGLE_CLOUD_PROJECT".to_owned(),
            ));
        }
        let local = config.emulator_host.is_some();
        let (endpoint, credentials) = match &config.emulator_host {
            Some(host) => (
                emulator_endpoint(host)?,
                credentials::anonymous::Builder::new().build(),
            ),
            None => (google_endpoint(config), default_credentials().await?),
        };
        let channel = connect(&endpoint).await?;
        let (base_publisher, subscriber) = data_clients(&endpoint, &credentials).await?;
        Ok(Self {
            names: Names::new(config.project.trim(), &config.prefix),
            endpoint,
            local,
            credentials,
            channel,
            base_publisher,
            subscriber,
        })
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
            &self.base_publisher,
            self.names.id(topic),
            self.names.topic(topic),
            options,
        )
    }

    /// Names of topics and subscriptions here.
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// Whether this is an emulator or the embedded broker, where the service may create what it needs.
    pub const fn is_local(&self) -> bool {
        self.local
    }

    /// Google's client for streaming pull.
    pub(crate) const fn subscriber(&self) -> &Subscriber {
        &self.subscriber
    }

    /// Topic calls over gRPC: Google's own clients speak REST here, which emulators answer differently.
    pub fn topics(&self) -> PublisherClient<Channel> {
        PublisherClient::new(self.channel.clone()).max_decoding_message_size(DECODE_LIMIT)
    }

    /// Subscription calls over gRPC, Pull and Acknowledge included.
    pub fn subscriptions(&self) -> SubscriberClient<Channel> {
        SubscriberClient::new(self.channel.clone()).max_decoding_message_size(DECODE_LIMIT)
    }

    /// `message` as a request with our credentials (authorization and, if there is one, the quota project) and a deadline.
    ///
    /// # Errors
    /// When there is no token.
    pub async fn request<T>(&self, message: T) -> Result<Request<T>, PubSubError> {
        let mut request = Request::new(message);
        if !self.local {
            *request.metadata_mut() = authorization(&self.credentials).await?;
        }
        request.set_timeout(CALL_TIMEOUT);
        Ok(request)
    }
}

/// The plaintext address of an emulator; `host:port` as in `PUBSUB_EMULATOR_HOST`, with or without `http://`.
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
fn google_endpoint(config: &config::PubSub) -> String {
    match &config.endpoint {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => GOOGLE_CLOUD.to_owned(),
    }
}

async fn default_credentials() -> Result<Credentials, PubSubError> {
    let credentials = credentials::Builder::default()
        .build()
        .map_err(|error| PubSubError::Credentials(file_problem(&error)))?;
    // Without a key the library asks the metadata server, and for long where there is none.
    tokio::time::timeout(CONNECT_TIMEOUT, authorization(&credentials))
        .await
        .map_err(|_| {
            PubSubError::Credentials(format!(
                "no token came within {} s, as the key file says or by Google Cloud's metadata server",
                CONNECT_TIMEOUT.as_secs()
            ))
        })??;
    Ok(credentials)
}

async fn authorization(credentials: &Credentials) -> Result<MetadataMap, PubSubError> {
    let headers = credentials
        .headers(tonic::Extensions::new())
        .await
        .map_err(|error| no_token(&error))?;
    match headers {
        CacheableResource::New { data, .. } => Ok(MetadataMap::from_headers(data)),
        // Answered only to a caller that names what it has, which this one never does.
        CacheableResource::NotModified => Err(PubSubError::Credentials(
            "the credentials gave no headers".to_owned(),
        )),
    }
}

async fn connect(endpoint: &str) -> Result<Channel, PubSubError> {
    let failed = |error: tonic::transport::Error| unreachable_at(endpoint, &error);
    let mut target = Endpoint::from_shared(endpoint.to_owned())
        .map_err(failed)?
        .connect_timeout(CONNECT_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_keepalive(Some(Duration::from_mins(1)));
    if endpoint.starts_with("https:") {
        target = target
            .tls_config(ClientTlsConfig::new().with_native_roots())
            .map_err(failed)?;
    }
    target.connect().await.map_err(failed)
}

/// The library's own text names the file and whence its name came, where there is none.
fn file_problem(error: &google_cloud_auth::build_errors::Error) -> String {
    let text = if error.is_parsing() {
        format!(
            "the credentials file is not a key file: {}",
            innermost(error)
        )
    } else {
        error.to_string()
    };
    one_line(text.trim_end_matches('.'), 300)
}

/// The outermost texts speak of retries and of the library; what happened is said by the innermost cause.
fn no_token(error: &dyn std::error::Error) -> PubSubError {
    let said = one_line(&innermost(error), 300);
    PubSubError::Credentials(format!(
        "no token was given, as the key file says or by Google Cloud's metadata server: {said}"
    ))
}

fn innermost(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

/// Google's own clients, one channel each.
async fn data_clients(
    endpoint: &str,
    credentials: &Credentials,
) -> Result<(BasePublisher, Subscriber), PubSubError> {
    let publisher = BasePublisher::builder()
        .with_endpoint(endpoint)
        .with_credentials(credentials.clone())
        .build()
        .await
        .map_err(|error| unreachable_at(endpoint, &error))?;
    let subscriber = Subscriber::builder()
        .with_endpoint(endpoint)
        .with_credentials(credentials.clone())
        .build()
        .await
        .map_err(|error| unreachable_at(endpoint, &error))?;
    Ok((publisher, subscriber))
}

fn unreachable_at(endpoint: &str, error: &dyn std::error::Error) -> PubSubError {
    PubSubError::Unreachable {
        endpoint: endpoint.to_owned(),
        why: chain(error),
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
        let config = config::PubSub {
            project: " ".to_owned(),
            emulator_host: None,
            endpoint: None,
            prefix: String::new(),
        };
        let error = Connection::open(&config).await.err().map(|e| e.to_string());
        assert!(error.is_some_and(|text| text.contains("GOOGLE_CLOUD_PROJECT")));
    }
}
