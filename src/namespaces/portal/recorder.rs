//! Records what a namespace has bought, and asks a worker to send it.

use crate::namespaces::{
    contract::document::Document,
    ledger::{Ledger, LedgerError, RecordedSync},
};
use crate::{
    failpoint,
    messaging::{PubSubError, Publisher, RunId, Traceparent, attributes, wire::NamespaceRequest},
};

/// Records and publishes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SyncRecorder {
    ledger: Ledger,
    publisher: Publisher,
}

/// A request that is on record and on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedSync {
    /// The sync.
    pub recorded: RecordedSync,
    /// The message for the worker.
    pub message_id: String,
}

/// A request that is not on its way. Repeating it is safe.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Nothing is recorded.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It is recorded, and no worker knows.
    #[error("recorded, but the message for the worker was not published: repeat the request")]
    Publish(#[source] PubSubError),
    /// There is nothing to send again.
    #[error("namespace {0} has no recorded sync")]
    NothingRecorded(i64),
}

impl SyncRecorder {
    /// Records in `ledger` and publishes with `publisher`, one of `namespace-sync`.
    pub fn new(ledger: Ledger, publisher: Publisher) -> Self {
        Self { ledger, publisher }
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Records `document` for `namespace_id`, and publishes, changed or not: the message of an
    /// earlier request may be lost. `None`, nothing recorded and nothing published, where the
    /// document says nothing.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn record(
        &self,
        namespace_id: i64,
        document: &Document,
        requested_by: Option<&str>,
        run: &RunId,
    ) -> Result<Option<RequestedSync>, RecordError> {
        let recorded = self
            .ledger
            .record(namespace_id, document, requested_by)
            .await?;
        let Some(recorded) = recorded else {
            return Ok(None);
        };
        failpoint::pass("after_recording");
        let message_id = self.publish(namespace_id, requested_by, run).await?;
        tracing::info!(
            event = "namespace_sync_recorded",
            namespace_id,
            namespace_sync_id = recorded.sync_id,
            changed = recorded.changed,
            run = run.as_str(),
        );
        Ok(Some(RequestedSync {
            recorded,
            message_id,
        }))
    }

    /// Asks for the newest sync to be sent again, even if it arrived.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn resync(
        &self,
        namespace_id: i64,
        requested_by: Option<&str>,
        run: &RunId,
    ) -> Result<RequestedSync, RecordError> {
        let recorded = self
            .ledger
            .ask_again(namespace_id, requested_by)
            .await?
            .ok_or(RecordError::NothingRecorded(namespace_id))?;
        let message_id = self.publish(namespace_id, requested_by, run).await?;
        Ok(RequestedSync {
            recorded,
            message_id,
        })
    }

    async fn publish(
        &self,
        namespace_id: i64,
        requested_by: Option<&str>,
        run: &RunId,
    ) -> Result<String, RecordError> {
        let request = NamespaceRequest {
            namespace_id,
            requested_by: requested_by.map(str::to_owned),
        };
        let attributes =
            attributes::for_message(run.as_str(), "namespace_sync", &Traceparent::new());
        self.publisher
            .publish(&request.to_wire(), attributes)
            .await
            .map_err(RecordError::Publish)
    }
}
