//! Leases of messages that were pulled by single calls: Google's client keeps those of its streams
//! only.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use google_cloud_googleapis::pubsub::v1::{AcknowledgeRequest, ModifyAckDeadlineRequest};
use tokio::task::AbortHandle;
use tracing::warn;

use super::{Connection, Operation, PubSubError, connect::subscriptions};

/// How long each extension lasts, in seconds.
const EXTENSION_SECONDS: i32 = 60;
/// Ack ids in one request: Pub/Sub takes 512 KiB, and an id has some 200 bytes.
const IDS_A_REQUEST: usize = 1_000;

/// The messages of one subscription that were pulled, kept leased until they are acked or given
/// back. Of each it holds two ids. Dropped, it lets the leases lapse.
pub(super) struct Leases {
    shared: Arc<LeaseTable>,
    keeper: AbortHandle,
}

struct LeaseTable {
    connection: Connection,
    /// Full name.
    subscription: String,
    /// Ack ids by message id.
    held: Mutex<HashMap<String, String>>,
}

impl Leases {
    /// No leases yet; those to come are extended at every `interval`.
    pub(super) fn new(connection: &Connection, subscription: String, interval: Duration) -> Self {
        let shared = Arc::new(LeaseTable {
            connection: connection.clone(),
            subscription,
            held: Mutex::default(),
        });
        let keeper = tokio::spawn(keep(Arc::clone(&shared), interval)).abort_handle();
        Self { shared, keeper }
    }

    /// Holds a message under its newest ack id.
    pub(super) fn hold(&self, message_id: String, ack_id: String) {
        self.shared.held().insert(message_id, ack_id);
    }

    /// Whether a message is held.
    pub(super) fn holds(&self, message_id: &str) -> bool {
        self.shared.held().contains_key(message_id)
    }

    /// Acks messages that are held.
    pub(super) async fn ack(&self, message_ids: &[&str]) -> Result<(), PubSubError> {
        for ids in message_ids.chunks(IDS_A_REQUEST) {
            let ack_ids = self.shared.ack_ids(ids);
            if !ack_ids.is_empty() {
                self.shared.acknowledge(&ack_ids).await?;
            }
            // Extended until the ack is confirmed: an ack that has to be repeated needs its lease.
            let mut held = self.shared.held();
            for id in ids {
                held.remove(*id);
            }
        }
        Ok(())
    }

    /// Gives back messages that are held, to be delivered again. What cannot be given back lapses
    /// by itself.
    pub(super) async fn give_back(&self, message_ids: &[&str]) {
        let ack_ids = self.shared.ack_ids(message_ids);
        {
            let mut held = self.shared.held();
            for id in message_ids {
                held.remove(*id);
            }
        }
        if let Err(error) = self.shared.modify_all(ack_ids, 0).await {
            warn!(event = "leases_not_released", %error, "the messages come again when their leases have lapsed");
        }
    }

    /// Gives back everything that is held. What cannot be given back lapses by itself.
    pub(super) async fn release(self) {
        self.keeper.abort();
        let ack_ids: Vec<String> = self
            .shared
            .held()
            .drain()
            .map(|(_, ack_id)| ack_id)
            .collect();
        if let Err(error) = self.shared.modify_all(ack_ids, 0).await {
            warn!(event = "leases_not_released", %error, "the messages come again when their leases have lapsed");
        }
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl LeaseTable {
    fn held(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ack_ids(&self, message_ids: &[&str]) -> Vec<String> {
        let held = self.held();
        message_ids
            .iter()
            .filter_map(|id| held.get(*id).cloned())
            .collect()
    }

    async fn acknowledge(&self, ack_ids: &[String]) -> Result<(), PubSubError> {
        let request = AcknowledgeRequest {
            subscription: self.subscription.clone(),
            ack_ids: ack_ids.to_vec(),
        };
        let call =
            |channel, request| async move { subscriptions(channel).acknowledge(request).await };
        self.connection
            .ask(&Operation::Acknowledge, &request, call)
            .await
    }

    async fn modify_all(&self, ack_ids: Vec<String>, seconds: i32) -> Result<(), PubSubError> {
        for ack_ids in ack_ids.chunks(IDS_A_REQUEST) {
            self.modify(ack_ids, seconds).await?;
        }
        Ok(())
    }

    async fn modify(&self, ack_ids: &[String], seconds: i32) -> Result<(), PubSubError> {
        let request = ModifyAckDeadlineRequest {
            subscription: self.subscription.clone(),
            ack_ids: ack_ids.to_vec(),
            ack_deadline_seconds: seconds,
        };
        self.connection
            .ask(
                &Operation::ChangeLeases,
                &request,
                |channel, request| async move {
                    subscriptions(channel).modify_ack_deadline(request).await
                },
            )
            .await
    }
}

async fn keep(shared: Arc<LeaseTable>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let ack_ids: Vec<String> = shared.held().values().cloned().collect();
        if let Err(error) = shared.modify_all(ack_ids, EXTENSION_SECONDS).await {
            warn!(event = "leases_not_extended", %error);
        }
    }
}
