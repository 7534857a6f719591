//! What can go wrong with Pub/Sub itself.

use tonic::{Code, Status};

/// A Pub/Sub that could not be reached or refused. Its text is one line, without bodies and without secrets.
#[derive(Debug, thiserror::Error)]
pub enum PubSubError {
    /// The configuration cannot work.
    #[error("Pub/Sub is not configured: {0}")]
    Configuration(String),
    /// No credentials, or they gave no token.
    #[error(
        "no credentials for Google Cloud Pub/Sub: {0}; run `gcloud auth application-default login`, set \
         GOOGLE_APPLICATION_CREDENTIALS, or set PUBSUB_EMULATOR_HOST to use an emulator"
    )]
    Credentials(String),
    /// Nothing answers there.
    #[error("Pub/Sub at {endpoint} cannot be reached: {why}")]
    Unreachable {
        /// Where it was looked for.
        endpoint: String,
        /// The cause chain on one line.
        why: String,
    },
    /// It answered with an error.
    #[error("Pub/Sub refused to {operation}: {code:?}: {message}")]
    Refused {
        /// What was asked, such as `create subscription user-sync-worker`.
        operation: String,
        /// The gRPC status.
        code: Code,
        /// Its message.
        message: String,
    },
    /// The topic did not confirm a message.
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
    /// Pub/Sub's answer to `operation`.
    pub(crate) fn refused(operation: impl Into<String>, status: &Status) -> Self {
        Self::Refused {
            operation: operation.into(),
            code: status.code(),
            message: super::line::detail(status.message()),
        }
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Many errors print their cause themselves.
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    super::line::detail(&text)
}
