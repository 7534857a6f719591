//! Why a process does not start, or ends by itself.

use std::{io, num::TryFromIntError};

use tracing_subscriber::util::TryInitError;

use crate::{
    config::ConfigErrors,
    messaging::{PubSubError, topology::StageRefused},
    namespaces::{
        ledger::LedgerError, portal::signing_keys::SigningKeyError,
        provisioning::ProvisioningOpenError,
    },
    telemetry::{logs::BadFilter, metrics::MetricsError},
    upstream::BuildError,
};

/// Why a process does not start, or ends by itself.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the text of each variant says what it is, and its fields are named in it"
)]
pub enum AppError {
    #[error(transparent)]
    Configuration(#[from] ConfigErrors),
    #[error("{token} has the scopes {scopes}, and mode is apply: give it {enough}")]
    MissingScope {
        token: &'static str,
        scopes: String,
        enough: String,
    },
    #[error(
        "GITLAB_READ_TOKEN belongs to account {reader} and GITLAB_TOKEN to account {writer}: use one account for both, or the \
         fan-out does not recognise the worker's blocks"
    )]
    TwoOwners { reader: u64, writer: u64 },
    #[error(
        "port {port} cannot serve both public requests and health checks: set {public} and {health} to different ports"
    )]
    SharedPort {
        port: u16,
        public: &'static str,
        health: &'static str,
    },
    #[error("cannot listen on port {port}: set {setting} to a free one")]
    Listen {
        port: u16,
        setting: &'static str,
        source: io::Error,
    },
    #[error("interrupted")]
    Interrupted,
    #[error("a stage ended by itself: see the log")]
    StageEnded,
    #[error("the HTTP server ended by itself")]
    HttpServerEnded {
        #[source]
        cause: Option<HttpServerError>,
    },
    #[error(transparent)]
    HttpServer(#[from] HttpServerError),
    #[error(transparent)]
    Client(#[from] BuildError),
    #[error(transparent)]
    Pattern(#[from] regex::Error),
    #[error(transparent)]
    PubSub(#[from] PubSubError),
    #[error(transparent)]
    StageRefused(#[from] StageRefused),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    #[error(transparent)]
    Provisioning(#[from] ProvisioningOpenError),
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    #[error(transparent)]
    LogFilter(#[from] BadFilter),
    #[error(transparent)]
    LogInstalled(#[from] TryInitError),
    #[error(transparent)]
    TooLarge(#[from] TryFromIntError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl AppError {
    /// Whether a start that failed so may succeed later where nobody does anything about it.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::PubSub(error) => error.may_pass(),
            Self::StageRefused(error) => error.may_pass(),
            Self::Ledger(error) => error.may_pass(),
            Self::Provisioning(error) => error.may_pass(),
            Self::Configuration(_)
            | Self::MissingScope { .. }
            | Self::TwoOwners { .. }
            | Self::SharedPort { .. }
            | Self::Listen { .. }
            | Self::Interrupted
            | Self::StageEnded
            | Self::HttpServerEnded { .. }
            | Self::HttpServer(_)
            | Self::Client(_)
            | Self::Pattern(_)
            | Self::SigningKey(_)
            | Self::Metrics(_)
            | Self::LogFilter(_)
            | Self::LogInstalled(_)
            | Self::TooLarge(_)
            | Self::Io(_) => false,
        }
    }
}

/// How the HTTP server ended.
#[derive(Debug, thiserror::Error)]
pub enum HttpServerError {
    /// It cannot go on.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The panic has been logged, and what it met is not repeated.
    #[error("a bug: see the log")]
    Panicked,
}
