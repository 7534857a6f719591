//! The clients of one connection.

use std::time::Duration;

use google_cloud_auth::credentials::Credentials;
use google_cloud_gax::retry_policy::RetryPolicyExt as _;
use google_cloud_googleapis::pubsub::v1::{
    publisher_client::PublisherClient, subscriber_client::SubscriberClient,
};
use google_cloud_pubsub::{
    client::{BasePublisher, Subscriber},
    retry_policy::RetryableErrors,
};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use crate::messaging::{PubSubError, error::chain};

/// How long connecting and the first token may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// After so long without a byte from Pub/Sub it is asked for a sign of life. Google's front ends
/// take more frequent signs for an attack, from about every ten seconds on.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// How long that sign may take before the connection is given up.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer of a unary call. With tonic's default of 4 MiB one large message would break
/// every Pull.
const DECODE_LIMIT: usize = 32 * 1024 * 1024;

/// Where Pub/Sub is, and who asks.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) endpoint: String,
    pub(super) credentials: Credentials,
    /// An emulator or the embedded broker.
    pub(super) local: bool,
}

impl Target {
    /// A connection for administrative calls and Pull.
    pub(super) async fn channel(&self) -> Result<Channel, PubSubError> {
        let failed = |error: tonic::transport::Error| self.unreachable(&error);
        let mut target = Endpoint::from_shared(self.endpoint.clone())
            .map_err(failed)?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            // Google's emulator closes a connection on which nothing is asked and yet a sign of
            // life wanted.
            .keep_alive_while_idle(!self.local)
            .tcp_keepalive(Some(Duration::from_mins(1)));
        if self.endpoint.starts_with("https:") {
            target = target
                .tls_config(ClientTlsConfig::new().with_native_roots())
                .map_err(failed)?;
        }
        target.connect().await.map_err(failed)
    }

    /// Google's client for publishing, on a connection of its own. What it is given to publish
    /// fails where it is not confirmed `within` this time, attempts of its own included: on a
    /// connection that is dead and stays open each of them would wait for ten minutes. It offers no
    /// keepalive.
    pub(super) async fn publishers(&self, within: Duration) -> Result<BasePublisher, PubSubError> {
        BasePublisher::builder()
            .with_endpoint(&self.endpoint)
            .with_credentials(self.credentials.clone())
            .with_retry_policy(RetryableErrors.with_time_limit(within))
            .build()
            .await
            .map_err(|error| self.unreachable(&error))
    }

    /// Google's client for streaming pull, on a connection of its own. It offers no keepalive.
    pub(super) async fn subscriber(&self) -> Result<Subscriber, PubSubError> {
        Subscriber::builder()
            .with_endpoint(&self.endpoint)
            .with_credentials(self.credentials.clone())
            .build()
            .await
            .map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &dyn std::error::Error) -> PubSubError {
        PubSubError::Unreachable {
            endpoint: self.endpoint.clone(),
            why: chain(error),
        }
    }
}

/// Topic calls over gRPC: Google's own clients speak REST here, which emulators answer differently.
pub(in crate::messaging) fn topics(channel: Channel) -> PublisherClient<Channel> {
    PublisherClient::new(channel).max_decoding_message_size(DECODE_LIMIT)
}

/// Subscription calls over gRPC, Pull and Acknowledge included.
pub(in crate::messaging) fn subscriptions(channel: Channel) -> SubscriberClient<Channel> {
    SubscriberClient::new(channel).max_decoding_message_size(DECODE_LIMIT)
}
