//! An in-process Pub/Sub: `google.pubsub.v1` over gRPC on a loopback port.
//!
//! For the demo, for development and for tests. It keeps nothing on disk and is never offered for
//! production. It does what this service and Google's official clients in Rust and Python rely
//! on, and refuses anything else with UNIMPLEMENTED, naming it.

mod ack_id;
mod counts;
mod dead_letter;
mod deadline;
mod filter;
mod flow;
mod message;
mod names;
mod paging;
mod policy;
mod publisher;
mod queue;
mod schema;
mod schemas;
mod store;
mod streaming_pull;
mod streams;
#[expect(unused_qualifications, clippy::pedantic, reason = "generated code")]
mod stubs;
mod subscriber;
mod subscription;
mod subscription_settings;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

pub use counts::DeliveryCounts;

use deadline::DeadlineService;
use publisher::PublisherService;
use schemas::SchemaServiceOf;
use store::BrokerStore;
use stubs::publisher_server::PublisherServer;
use stubs::schema_service_server::SchemaServiceServer;
use stubs::subscriber_server::SubscriberServer;
use subscriber::SubscriberService;
use subscription::Subscription;

/// Above the largest publish request, so that one over the limit is told so by name.
const MAX_DECODED_BYTES: usize = 32 * 1024 * 1024;
const STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// How long [`Broker::stop`] waits for connections to close.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// How a broker is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerSettings {
    /// The port; 0 takes any that is free.
    pub port: u16,
    /// The address to listen on; 127.0.0.1 by default.
    pub bind: Option<IpAddr>,
}

/// A broker could not be started.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The port is taken or may not be used.
    #[error("the Pub/Sub broker cannot listen on {address}")]
    Listen {
        /// The address it tried.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running broker. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    store: Arc<BrokerStore>,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
    stop: DropGuard,
}

impl Broker {
    /// Starts a broker with no topics; it serves when this returns.
    ///
    /// # Errors
    /// [`BrokerError::Listen`] if the port cannot be had.
    pub async fn start(settings: BrokerSettings) -> Result<Self, BrokerError> {
        let wanted = SocketAddr::new(
            settings.bind.unwrap_or(Ipv4Addr::LOCALHOST.into()),
            settings.port,
        );
        let failed = |source| BrokerError::Listen {
            address: wanted,
            source,
        };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = CancellationToken::new();
        let store = Arc::new(BrokerStore::new(stop.clone()));
        let server = tokio::spawn(serve(listener, Arc::clone(&store), stop.clone()));
        tracing::warn!(
            event = "broker_started",
            %address,
            "the embedded Pub/Sub broker keeps nothing on disk: it is for demo, development and tests only"
        );
        Ok(Self {
            address,
            store,
            server,
            stop: stop.drop_guard(),
        })
    }

    /// `127.0.0.1:port`, the form of `PUBSUB_EMULATOR_HOST`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Stops: streams and waiting pulls end with UNAVAILABLE, connections are closed. What was
    /// not acknowledged is gone.
    pub async fn stop(self) {
        drop(self.stop);
        let mut server = self.server;
        if tokio::time::timeout(STOP_GRACE, &mut server).await.is_err() {
            tracing::warn!(
                event = "broker_stop_timed_out",
                "a client keeps its connection to the broker open"
            );
            server.abort();
        }
    }

    /// What became of a subscription's messages; `None` if it is not there. The name is full:
    /// `projects/{project}/subscriptions/{id}`.
    pub fn counts(&self, subscription: &str) -> Option<DeliveryCounts> {
        self.store
            .subscription(subscription)
            .ok()
            .map(|subscription| subscription.counts())
    }

    /// Ends every lease of a subscription now, as its ack deadline would: what was delivered and
    /// is not acknowledged is delivered again. For tests that would else wait for the deadline of
    /// a consumer that was killed; wait for the end of its stream ([`DeliveryCounts::streams`])
    /// first, or it may take them again. Returns how many leases there were; `None` if the
    /// subscription is not there. The name is full: `projects/{project}/subscriptions/{id}`.
    pub fn lapse_leases(&self, subscription: &str) -> Option<usize> {
        let subscription = self.store.subscription(subscription).ok()?;
        let (lapsed, dead) = subscription.lapse();
        self.store.bury(&subscription, dead);
        Some(lapsed)
    }

    /// Ends every streaming pull that is open with UNAVAILABLE, as the service does now and then.
    /// Leases stay.
    pub fn reset_streams(&self) {
        self.store.streams.reset();
    }

    /// Lets every streaming pull stay open and bring nothing, or no longer so. Pulls are answered
    /// as ever.
    pub fn mute_streams(&self, muted: bool) {
        self.store.streams.mute(muted);
    }

    /// Messages published to a topic; `None` if it is not there. The name is full:
    /// `projects/{project}/topics/{id}`.
    pub fn published(&self, topic: &str) -> Option<u64> {
        self.store.published(topic)
    }
}

async fn serve(
    listener: TcpListener,
    store: Arc<BrokerStore>,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let publisher = PublisherServer::new(PublisherService(Arc::clone(&store)));
    let schemas = SchemaServiceServer::new(SchemaServiceOf(Arc::clone(&store)));
    let subscriber = SubscriberServer::new(SubscriberService(store));
    let routes = Routes::from(axum::Router::new().fallback(unknown))
        .add_service(DeadlineService(
            publisher.max_decoding_message_size(MAX_DECODED_BYTES),
        ))
        .add_service(DeadlineService(
            subscriber.max_decoding_message_size(MAX_DECODED_BYTES),
        ))
        .add_service(DeadlineService(schemas));
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .add_routes(routes)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            stop.cancelled_owned(),
        )
        .await
}

/// A call of no service that is here, such as one of access control: clients show its text and
/// nothing else.
async fn unknown(call: Uri) -> Response {
    let method = call.path().trim_start_matches('/');
    names::unoffered(method).into_http()
}

/// Completes with the status that ends whatever waits on `subscription`.
async fn termination(store: &BrokerStore, subscription: &Subscription) -> Status {
    tokio::select! {
        () = store.stopped() => Status::unavailable("the broker is shutting down"),
        () = subscription.deleted() => {
            names::ResourceKind::Subscriptions.missing(&subscription.name.to_string())
        }
    }
}
