//! The GitLab side: the internal endpoint that provisions what a namespace has bought.
//!
//! [`ProvisioningState::open`] once, then [`serve`], or [`router`] inside a larger one.

mod add_ons;
pub mod api;
mod base_product;
mod catalogue;
mod compute_minutes;
pub mod database;
mod duo;
mod failure;
mod namespace;
mod portal_keys;
mod purchases;
mod seats;
mod service;
mod storage;
mod subscription;
mod tables;
pub mod token;

use std::{future::IntoFuture, io, sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::{config::CertificateAuthority, upstream::BuildError};

pub use portal_keys::KeyTiming;

use crate::namespaces::{contract::document::rules::DocumentRules, database::DatabasePool};
use portal_keys::PortalKeys;
use service::ProvisioningService;

/// The settings of the service.
#[derive(Clone, Debug)]
pub struct ProvisioningSettings {
    /// The database.
    pub database: database::DatabaseSettings,
    /// The portal's address, which is the issuer of its tokens too.
    pub portal_url: Url,
    /// Authorities that may have signed its certificate, beside the system's own.
    pub authority: Option<CertificateAuthority>,
    /// How its keys are kept.
    pub keys: KeyTiming,
    /// What a document may say: the plans and add-ons that this GitLab knows.
    pub rules: DocumentRules,
    /// One call, at most, its wait for its turn included; then it answers 503. 60 s.
    pub call_deadline: Duration,
    /// The body of a request has to arrive in this time; then it is answered 408. 20 s.
    pub body_deadline: Duration,
}

impl ProvisioningSettings {
    /// The defaults for a database and a portal.
    pub fn new(database: database::DatabaseSettings, portal_url: Url) -> Self {
        Self {
            database,
            portal_url,
            authority: None,
            keys: KeyTiming::default(),
            rules: DocumentRules::default(),
            call_deadline: Duration::from_mins(1),
            body_deadline: Duration::from_secs(20),
        }
    }
}

/// A service that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ProvisioningOpenError {
    /// The database.
    #[error(transparent)]
    Database(#[from] database::DatabaseOpenError),
    /// The client that asks the portal for its keys.
    #[error("the portal cannot be asked for its keys")]
    Client(#[source] BuildError),
}

impl ProvisioningOpenError {
    /// Whether another attempt may succeed where nobody does anything about it.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Database(error) => error.may_pass(),
            Self::Client(_) => false,
        }
    }
}

/// What all calls share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ProvisioningState {
    pool: DatabasePool,
    keys: Arc<PortalKeys>,
    service: Arc<ProvisioningService>,
    calls: TaskTracker,
    body_deadline: Duration,
}

impl ProvisioningState {
    /// Opens the database as [`database::open`] does; the portal is asked when the first token
    /// comes.
    ///
    /// # Errors
    /// [`ProvisioningOpenError`].
    pub async fn open(settings: ProvisioningSettings) -> Result<Self, ProvisioningOpenError> {
        let authority = settings.authority.as_ref();
        let keys = PortalKeys::new(settings.portal_url, authority, settings.keys)
            .map_err(ProvisioningOpenError::Client)?;
        let pool = database::open(&settings.database).await?;
        Ok(Self {
            keys: Arc::new(keys),
            service: Arc::new(ProvisioningService::new(
                pool.clone(),
                settings.call_deadline,
                settings.rules,
            )),
            calls: TaskTracker::new(),
            body_deadline: settings.body_deadline,
            pool,
        })
    }

    /// Whether the database answers now; for readiness.
    ///
    /// # Errors
    /// What it, or the wait for a connection, ended in.
    pub async fn ready(&self) -> Result<(), sqlx::Error> {
        self.pool.ready().await
    }

    /// Waits for the calls that run, then closes the database. For a server that is not
    /// [`serve`]'s.
    pub async fn close(&self) {
        self.calls.close();
        self.calls.wait().await;
        self.pool.close().await;
    }
}

/// The endpoint.
pub fn router(state: ProvisioningState) -> axum::Router {
    api::router(state)
}

/// Serves [`router`] on `listener` until `stop`, then finishes what runs, within `grace`.
///
/// # Errors
/// Those of the listener.
pub async fn serve(
    state: ProvisioningState,
    listener: TcpListener,
    stop: CancellationToken,
    grace: Duration,
) -> io::Result<()> {
    let server = axum::serve(listener, router(state.clone()))
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    let finished = async {
        let result = server.into_future().await;
        state.close().await;
        result
    };
    let out_of_grace = async {
        stop.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        result = finished => result,
        () = out_of_grace => Ok(()),
    }
}
