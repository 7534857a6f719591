//! Everything the broker holds: topics, subscriptions, and the way of a message between them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use google_cloud_googleapis::pubsub::v1::{
    PubsubMessage, Schema as SchemaSettings, SchemaView, Subscription as Settings,
    Topic as TopicSettings,
};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::dead_letter;
use super::message::StoredMessage;
use super::names::{ResourceKind, ResourceName, within};
use super::paging::{ListPage, page};
use super::queue::ExhaustedMessage;
use super::schema::{DELETED_SCHEMA, Schema};
use super::streams::StreamControls;
use super::subscription::Subscription;

/// The state of one broker, in memory only.
#[derive(Debug)]
pub(super) struct BrokerStore {
    catalog: RwLock<BrokerCatalog>,
    next_message: AtomicU64,
    next_subscription: AtomicU64,
    stop: CancellationToken,
    pub(super) streams: StreamControls,
}

#[derive(Debug, Default)]
struct BrokerCatalog {
    topics: BTreeMap<String, TopicState>,
    subscriptions: BTreeMap<String, Arc<Subscription>>,
    schemas: BTreeMap<String, Schema>,
}

#[derive(Debug)]
struct TopicState {
    settings: TopicSettings,
    subscriptions: BTreeMap<String, Arc<Subscription>>,
    published: AtomicU64,
}

impl BrokerStore {
    pub(super) fn new(stop: CancellationToken) -> Self {
        // Message ids begin at the time, so that a broker that is started again does not give out
        // the ids of the one before.
        let micros = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_micros();
        Self {
            catalog: RwLock::default(),
            next_message: AtomicU64::new(u64::try_from(micros).unwrap_or_default()),
            next_subscription: AtomicU64::new(u64::try_from(micros).unwrap_or_default()),
            stop,
            streams: StreamControls::default(),
        }
    }

    /// Completes when the broker stops.
    pub(super) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    pub(super) fn create_topic(&self, settings: TopicSettings) -> Result<TopicSettings, Status> {
        ResourceName::parse(ResourceKind::Topics, &settings.name)?;
        let mut catalog = self.write();
        if catalog.topics.contains_key(&settings.name) {
            return Err(ResourceKind::Topics.already_exists(&settings.name));
        }
        catalog.check_schema_of(&settings)?;
        let topic = TopicState {
            settings: settings.clone(),
            subscriptions: BTreeMap::new(),
            published: AtomicU64::new(0),
        };
        catalog.topics.insert(settings.name.clone(), topic);
        Ok(settings)
    }

    pub(super) fn topic(&self, name: &str) -> Result<TopicSettings, Status> {
        Ok(self.read().topic(name)?.settings.clone())
    }

    /// Changes a topic's settings by what `change` makes of them.
    pub(super) fn update_topic(
        &self,
        name: &str,
        change: impl FnOnce(&TopicSettings) -> Result<TopicSettings, Status>,
    ) -> Result<TopicSettings, Status> {
        let mut catalog = self.write();
        let changed = change(&catalog.topic(name)?.settings)?;
        catalog.check_schema_of(&changed)?;
        if let Some(topic) = catalog.topics.get_mut(name) {
            topic.settings = changed.clone();
        }
        Ok(changed)
    }

    /// Topics of a project, by name.
    pub(super) fn topics(&self, project: &str, size: i32, token: &str) -> ListPage<TopicSettings> {
        let catalog = self.read();
        page(&catalog.topics, size, token, |name| within(project, name))
            .map(|topic| topic.settings.clone())
    }

    /// Names of a topic's subscriptions.
    pub(super) fn topic_subscriptions(
        &self,
        name: &str,
        size: i32,
        token: &str,
    ) -> Result<ListPage<String>, Status> {
        let catalog = self.read();
        let subscriptions = &catalog.topic(name)?.subscriptions;
        Ok(page(subscriptions, size, token, |_| true).map(|found| found.name.to_string()))
    }

    /// Deletes a topic. Its subscriptions stay, with what was published before.
    pub(super) fn delete_topic(&self, name: &str) -> Result<(), Status> {
        let topic = self
            .write()
            .topics
            .remove(name)
            .ok_or_else(|| ResourceKind::Topics.missing(name))?;
        topic
            .subscriptions
            .values()
            .for_each(|subscription| subscription.orphan());
        Ok(())
    }

    /// Publishes to every subscription of the topic; returns the message ids. One message that the
    /// topic's schema refuses is the refusal of all.
    pub(super) fn publish(
        &self,
        topic: &str,
        mut messages: Vec<PubsubMessage>,
    ) -> Result<Vec<String>, Status> {
        let catalog = self.read();
        let topic = catalog.topic(topic)?;
        catalog.validate(&topic.settings, &mut messages)?;
        let first = self
            .next_message
            .fetch_add(messages.len() as u64, Ordering::Relaxed);
        let now = SystemTime::now();
        let messages: Vec<Arc<StoredMessage>> = (first..)
            .zip(messages)
            .map(|(id, message)| Arc::new(StoredMessage::new(id, now, message)))
            .collect();
        topic
            .published
            .fetch_add(messages.len() as u64, Ordering::Relaxed);
        topic
            .subscriptions
            .values()
            .for_each(|subscription| subscription.publish(&messages));
        Ok(messages
            .iter()
            .map(|message| message.wire.message_id.clone())
            .collect())
    }

    /// Messages published to a topic since it was created.
    pub(super) fn published(&self, topic: &str) -> Option<u64> {
        let catalog = self.read();
        catalog
            .topics
            .get(topic)
            .map(|topic| topic.published.load(Ordering::Relaxed))
    }

    /// Creates a subscription of accepted settings and starts its timekeeper.
    pub(super) fn create_subscription(
        self: &Arc<Self>,
        accepted: Settings,
    ) -> Result<Settings, Status> {
        let name = ResourceName::parse(ResourceKind::Subscriptions, &accepted.name)?;
        let key = name.to_string();
        let mut catalog = self.write();
        if catalog.subscriptions.contains_key(&key) {
            return Err(ResourceKind::Subscriptions.already_exists(&key));
        }
        catalog.check_dead_letter_topic(&accepted)?;
        let topic_name = accepted.topic.clone();
        let number = self.next_subscription.fetch_add(1, Ordering::Relaxed);
        let subscription = Arc::new(Subscription::new(name, number, accepted)?);
        let topic = catalog
            .topics
            .get_mut(&topic_name)
            .ok_or_else(|| ResourceKind::Topics.missing(&topic_name))?;
        topic
            .subscriptions
            .insert(key.clone(), Arc::clone(&subscription));
        catalog.subscriptions.insert(key, Arc::clone(&subscription));
        drop(catalog);
        tokio::spawn(Arc::clone(self).keep_time(Arc::clone(&subscription)));
        Ok(subscription.settings())
    }

    pub(super) fn subscription(&self, name: &str) -> Result<Arc<Subscription>, Status> {
        let found = self.read().subscriptions.get(name).cloned();
        found.ok_or_else(|| ResourceKind::Subscriptions.missing(name))
    }

    pub(super) fn update_subscription(
        &self,
        update: &Settings,
        paths: &[String],
    ) -> Result<Settings, Status> {
        let subscription = self.subscription(&update.name)?;
        if paths.iter().any(|path| path == "dead_letter_policy") {
            self.read().check_dead_letter_topic(update)?;
        }
        subscription.update(update, paths)
    }

    /// Subscriptions of a project, by name.
    pub(super) fn subscriptions(
        &self,
        project: &str,
        size: i32,
        token: &str,
    ) -> ListPage<Settings> {
        let catalog = self.read();
        page(&catalog.subscriptions, size, token, |name| {
            within(project, name)
        })
        .map(|subscription| subscription.settings())
    }

    pub(super) fn delete_subscription(&self, name: &str) -> Result<(), Status> {
        let mut catalog = self.write();
        let subscription = catalog
            .subscriptions
            .remove(name)
            .ok_or_else(|| ResourceKind::Subscriptions.missing(name))?;
        for topic in catalog.topics.values_mut() {
            topic.subscriptions.remove(name);
        }
        subscription.delete();
        Ok(())
    }

    /// Creates a schema of `parent`, which is `projects/{project}`.
    pub(super) fn create_schema(
        &self,
        parent: &str,
        id: &str,
        schema: Schema,
    ) -> Result<SchemaSettings, Status> {
        let name = ResourceName::parse(ResourceKind::Schemas, &format!("{parent}/schemas/{id}"))?
            .to_string();
        let revision = self.next_subscription.fetch_add(1, Ordering::Relaxed);
        let mut catalog = self.write();
        if catalog.schemas.contains_key(&name) {
            return Err(ResourceKind::Schemas.already_exists(&name));
        }
        let schema = schema.named(name.clone(), revision);
        let shown = schema.view(SchemaView::Full);
        catalog.schemas.insert(name, schema);
        Ok(shown)
    }

    pub(super) fn schema(&self, name: &str) -> Result<Schema, Status> {
        self.read().schema(name).cloned()
    }

    /// Schemas of a project, by name.
    pub(super) fn schemas(
        &self,
        project: &str,
        view: SchemaView,
        size: i32,
        token: &str,
    ) -> ListPage<SchemaSettings> {
        let catalog = self.read();
        page(&catalog.schemas, size, token, |name| within(project, name))
            .map(|schema| schema.view(view))
    }

    /// Deletes a schema. Its topics stay, and take nothing from then on.
    pub(super) fn delete_schema(&self, name: &str) -> Result<(), Status> {
        let mut catalog = self.write();
        if catalog.schemas.remove(name).is_none() {
            return Err(ResourceKind::Schemas.missing(name));
        }
        catalog
            .topics
            .values_mut()
            .filter_map(|topic| topic.settings.schema_settings.as_mut())
            .filter(|settings| settings.schema == name)
            .for_each(|settings| DELETED_SCHEMA.clone_into(&mut settings.schema));
        Ok(())
    }

    /// Forwards dead messages. Where there is no topic for them they stay, as on the service.
    pub(super) fn bury(&self, subscription: &Subscription, dead: Vec<ExhaustedMessage>) {
        let policy = subscription.policy().dead_letter;
        for dead in dead {
            let copy = dead_letter::copy(&subscription.name, &dead.message, dead.attempts);
            let buried = policy
                .as_ref()
                .is_some_and(|policy| self.publish(&policy.topic, vec![copy]).is_ok());
            if !buried {
                subscription.put_back(dead);
            }
        }
    }

    async fn keep_time(self: Arc<Self>, subscription: Arc<Subscription>) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = subscription.keep_time(|dead| self.bury(&subscription, dead)) => {}
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, BrokerCatalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BrokerCatalog> {
        self.catalog.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BrokerCatalog {
    fn topic(&self, name: &str) -> Result<&TopicState, Status> {
        self.topics
            .get(name)
            .ok_or_else(|| ResourceKind::Topics.missing(name))
    }

    fn schema(&self, name: &str) -> Result<&Schema, Status> {
        self.schemas
            .get(name)
            .ok_or_else(|| ResourceKind::Schemas.missing(name))
    }

    fn check_schema_of(&self, topic: &TopicSettings) -> Result<(), Status> {
        match &topic.schema_settings {
            Some(settings) if settings.schema != DELETED_SCHEMA => {
                self.schema(&settings.schema).map(drop)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Checks messages by the topic's schema and marks them with it, as the service does.
    fn validate(
        &self,
        topic: &TopicSettings,
        messages: &mut [PubsubMessage],
    ) -> Result<(), Status> {
        let Some(settings) = &topic.schema_settings else {
            return Ok(());
        };
        if settings.schema == DELETED_SCHEMA {
            return Err(Status::not_found("Schema associated with topic deleted."));
        }
        let schema = self.schema(&settings.schema)?;
        for message in &*messages {
            schema.check(settings.encoding(), &message.data)?;
        }
        for message in messages {
            message
                .attributes
                .extend(schema.attributes(settings.encoding()));
        }
        Ok(())
    }

    fn check_dead_letter_topic(&self, settings: &Settings) -> Result<(), Status> {
        match &settings.dead_letter_policy {
            Some(policy) => self.topic(&policy.dead_letter_topic).map(|_| ()),
            None => Ok(()),
        }
    }
}
