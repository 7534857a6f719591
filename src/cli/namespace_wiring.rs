//! From configuration to the parts of the namespace pipeline.

use super::Failure;
use crate::{
    config::{ConfigErrors, NamespacesConfig},
    messaging::{Connection, Topic},
    namespaces::{
        contract::document::rules::DocumentRules,
        database,
        ledger::{Ledger, LedgerError},
        portal::{Portal, recorder::SyncRecorder, signing_keys::SigningKeys},
        provisioning::{self, ProvisioningState},
        worker::client::ProvisioningClient,
    },
};

/// The ledger as configured, its tables up to date.
pub async fn ledger(namespaces: &NamespacesConfig) -> Result<Ledger, Failure> {
    let database = namespaces.ledger().map_err(Failure::configuration)?;
    Ok(Ledger::open(&database.into())
        .await?
        .with_rules(rules(namespaces)))
}

/// What a document may say.
fn rules(namespaces: &NamespacesConfig) -> DocumentRules {
    DocumentRules::new(&namespaces.plan_codes, &namespaces.add_ons)
}

/// The ledger as configured, for looking; `None` where it is not configured.
pub fn ledger_for_reading(namespaces: &NamespacesConfig) -> Option<Result<Ledger, LedgerError>> {
    let database = namespaces.ledger().ok()?;
    Some(Ledger::for_reading(&database.into()))
}

/// The API that provisions, called with the portal's tokens.
pub fn provisioner(namespaces: &NamespacesConfig) -> Result<ProvisioningClient, Failure> {
    let url = namespaces
        .provisioning_url()
        .map_err(Failure::configuration)?;
    Ok(ProvisioningClient::new(
        url,
        &namespaces.calls,
        keys(namespaces)?,
    )?)
}

/// What records and publishes.
pub async fn recorder(
    namespaces: &NamespacesConfig,
    connection: &Connection,
) -> Result<SyncRecorder, Failure> {
    let publisher = connection.publisher(Topic::NamespaceSync).await?;
    Ok(SyncRecorder::new(ledger(namespaces).await?, publisher))
}

/// The stage `portal`.
pub fn portal(namespaces: &NamespacesConfig, recorder: SyncRecorder) -> Result<Portal, Failure> {
    let token = namespaces.portal_token().map_err(Failure::configuration)?;
    Ok(Portal::new(recorder, keys(namespaces)?, token)?)
}

/// The stage `provisioning-api`.
pub async fn provisioning(namespaces: &NamespacesConfig) -> Result<ProvisioningState, Failure> {
    let (database, url) = provisioning_settings(namespaces).map_err(Failure::configuration)?;
    let mut settings = provisioning::ProvisioningSettings::new(database, url);
    settings.authority.clone_from(&namespaces.calls.authority);
    settings.rules = rules(namespaces);
    Ok(ProvisioningState::open(settings).await?)
}

fn provisioning_settings(
    namespaces: &NamespacesConfig,
) -> Result<(database::DatabaseSettings, url::Url), ConfigErrors> {
    let mut settings = database::DatabaseSettings::from(namespaces.provisioning()?);
    settings.migrations = namespaces.migrations;
    Ok((settings, namespaces.issuer()?.clone()))
}

fn keys(namespaces: &NamespacesConfig) -> Result<SigningKeys, Failure> {
    let issuer = namespaces.issuer().map_err(Failure::configuration)?;
    let signing = namespaces
        .signing_key_file()
        .map_err(Failure::configuration)?;
    Ok(SigningKeys::load(
        issuer,
        signing,
        &namespaces.published_key_files,
    )?)
}
