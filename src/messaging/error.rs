//! What can go wrong with Pub/Sub itself.

use std::sync::Arc;

use google_cloud_pubsub::error::PublishError;
use tonic::{Code, Status, TimeoutExpired};

use super::{Operation, advice};
use crate::telemetry::causes;

/// A Pub/Sub that could not be reached or refused. Its text is one line, without bodies and without
/// secrets.
#[derive(Debug, thiserror::Error)]
pub enum PubSubError {
    /// The configuration cannot work.
    #[error("Pub/Sub is not configured: {0}")]
    Configuration(String),
    /// No credentials, or they are refused.
    #[error("{}", without_credentials(.0))]
    Credentials(String),
    /// Credentials that gave no token now, and may later.
    #[error("{}", without_credentials(.0))]
    NoToken(String),
    /// Nothing answers there.
    #[error("Pub/Sub at {endpoint} cannot be reached: {why}; {}", reach(.endpoint))]
    Unreachable {
        /// Where it was looked for.
        endpoint: String,
        /// The cause chain on one line.
        why: String,
    },
    /// It answered with an error.
    #[error("Pub/Sub refused to {operation}: {code:?}: {message}{}", advice::after(.operation, *.code, .message))]
    Refused {
        /// What was asked, such as `create subscription user-sync-worker`.
        operation: Operation,
        /// The gRPC status.
        code: Code,
        /// Its message.
        message: String,
    },
    /// The topic did not confirm a message. It may have it all the same.
    #[error("a message for {topic} was not confirmed: {why}")]
    Unconfirmed {
        /// The topic's id.
        topic: String,
        /// The cause chain on one line.
        why: String,
    },
    /// A body that has no JSON form. A bug.
    #[error("a message for {topic} has no JSON form: {why}")]
    Unencodable {
        /// The topic's id.
        topic: String,
        /// Why.
        why: String,
    },
}

impl PubSubError {
    /// Whether what was asked for is not there.
    pub(super) const fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                code: Code::NotFound,
                ..
            }
        )
    }

    /// Pub/Sub's answer to `operation`, or that there was none in time.
    pub(crate) fn refused(operation: &Operation, status: &Status) -> Self {
        let operation = operation.clone();
        if is_ours_timed_out(status) {
            return Self::Refused {
                operation,
                code: Code::DeadlineExceeded,
                message: "no answer came in time".to_owned(),
            };
        }
        Self::Refused {
            operation,
            code: status.code(),
            message: super::line::detail(&said(status)),
        }
    }

    /// Why `topic` did not confirm a message.
    pub(crate) fn unconfirmed(topic: &str, error: &PublishError) -> Self {
        match rpc(error).and_then(google_cloud_pubsub::Error::status) {
            Some(status) => Self::Refused {
                operation: Operation::Publish(topic.to_owned()),
                code: code_named(status.code.name()),
                message: super::line::detail(&status.message),
            },
            None => Self::Unconfirmed {
                topic: topic.to_owned(),
                why: chain(error),
            },
        }
    }

    /// Whether the request broke a rule of Pub/Sub's, so that nothing of it was taken and nothing
    /// will be.
    pub(super) fn is_invalid(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                code: Code::InvalidArgument,
                ..
            }
        )
    }

    /// Whether Pub/Sub, not the request, is to blame: waiting may help.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { code, .. } => {
                matches!(code, Code::Unavailable | Code::DeadlineExceeded)
            }
            Self::Configuration(_)
            | Self::Credentials(_)
            | Self::NoToken(_)
            | Self::Unconfirmed { .. }
            | Self::Unencodable { .. } => false,
        }
    }

    /// Whether another attempt may succeed where nobody does anything about it: not where a right
    /// or a resource is missing, or the configuration is wrong.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NoToken(_) | Self::Unconfirmed { .. } => true,
            Self::Refused { code, .. } => match code {
                Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::Aborted
                | Code::Internal
                | Code::ResourceExhausted
                | Code::Unknown => true,
                Code::Ok
                | Code::InvalidArgument
                | Code::NotFound
                | Code::AlreadyExists
                | Code::PermissionDenied
                | Code::Unauthenticated
                | Code::FailedPrecondition
                | Code::OutOfRange
                | Code::Unimplemented
                | Code::DataLoss => false,
            },
            Self::Configuration(_) | Self::Credentials(_) | Self::Unencodable { .. } => false,
        }
    }
}

fn without_credentials(why: &str) -> String {
    format!(
        "no credentials for Google Cloud Pub/Sub: {why}; run `gcloud auth application-default login`, set \
         GOOGLE_APPLICATION_CREDENTIALS, or set PUBSUB_EMULATOR_HOST to use an emulator"
    )
}

/// Whether it was this side that gave up waiting: tonic calls that `CANCELLED`.
pub(super) fn is_ours_timed_out(status: &Status) -> bool {
    causes::of(status).any(<dyn std::error::Error>::is::<TimeoutExpired>)
}

/// What Pub/Sub said; where the connection broke, the innermost cause, for tonic's own text is
/// `transport error`.
fn said(status: &Status) -> String {
    match causes::of(status).last() {
        Some(cause) => format!("{}: {cause}", status.message()),
        None => status.message().to_owned(),
    }
}

/// Whether a new client on a new connection may succeed where this one did not.
pub(super) fn is_worth_another_client(error: &PublishError) -> bool {
    let Some(error) = rpc(error) else {
        return false;
    };
    error.is_timeout()
        || error.is_exhausted()
        || error.is_transport()
        || error.is_io()
        || error.is_connect()
        || error
            .status()
            .is_some_and(|status| matches!(status.code.name(), "UNAVAILABLE" | "DEADLINE_EXCEEDED"))
}

fn rpc(error: &PublishError) -> Option<&google_cloud_pubsub::Error> {
    let source = std::error::Error::source(error)?;
    source
        .downcast_ref::<Arc<google_cloud_pubsub::Error>>()
        .map(AsRef::as_ref)
}

/// Google's client and ours have a type each for the same codes.
fn code_named(name: &str) -> Code {
    match name {
        "CANCELLED" => Code::Cancelled,
        "INVALID_ARGUMENT" => Code::InvalidArgument,
        "DEADLINE_EXCEEDED" => Code::DeadlineExceeded,
        "NOT_FOUND" => Code::NotFound,
        "PERMISSION_DENIED" => Code::PermissionDenied,
        "RESOURCE_EXHAUSTED" => Code::ResourceExhausted,
        "FAILED_PRECONDITION" => Code::FailedPrecondition,
        "INTERNAL" => Code::Internal,
        "UNAVAILABLE" => Code::Unavailable,
        "UNAUTHENTICATED" => Code::Unauthenticated,
        _ => Code::Unknown,
    }
}

/// What to look at where nothing answers.
fn reach(endpoint: &str) -> &'static str {
    if endpoint.starts_with("https:") {
        "can this machine reach it, and does it trust its certificate?"
    } else {
        "is PUBSUB_EMULATOR_HOST right, and is the emulator running?"
    }
}

/// An error with its causes, on one line of a detail's length.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    super::line::detail(&causes::on_one_line(error))
}
