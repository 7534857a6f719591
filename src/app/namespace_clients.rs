//! The parts of the namespace pipeline, as configured.

use super::error::AppError;
use crate::{
    config::{ConfigErrors, NamespacesConfig},
    messaging::{Connection, Topic},
    namespaces::{
        contract::document::rules::DocumentRules,
        database,
        ledger::{Ledger, LedgerError},
        portal::{PortalApi, recorder::SyncRecorder, signing_keys::SigningKeys},
        provisioning::{self, ProvisioningState},
        worker::{client::ProvisioningClient, identity_token::IdentityTokens},
    },
    pause::WriteSwitch,
};

/// The ledger as configured, its tables up to date.
pub(crate) async fn ledger(namespaces: &NamespacesConfig) -> Result<Ledger, AppError> {
    let database = namespaces.ledger()?;
    Ok(Ledger::open(&database.into())
        .await?
        .with_rules(rules(namespaces)))
}

/// What a document may say.
fn rules(namespaces: &NamespacesConfig) -> DocumentRules {
    DocumentRules::new(&namespaces.plan_codes, &namespaces.add_ons)
}

/// The ledger as configured, for looking; `None` where it is not configured.
pub(crate) fn ledger_for_reading(
    namespaces: &NamespacesConfig,
) -> Option<Result<Ledger, LedgerError>> {
    let database = namespaces.ledger().ok()?;
    Some(Ledger::for_reading(&database.into()))
}

/// The API that provisions, called with the portal's tokens as `writes_when` allows.
pub(crate) fn provisioner(
    namespaces: &NamespacesConfig,
    writes_when: WriteSwitch,
) -> Result<ProvisioningClient, AppError> {
    let url = namespaces.provisioning_url()?;
    let audience = namespaces.identity_audience.as_deref();
    Ok(ProvisioningClient::new(
        url,
        &namespaces.calls,
        keys(namespaces)?,
        audience.map(IdentityTokens::new).transpose()?,
        writes_when,
    )?)
}

/// What records and publishes.
pub(crate) async fn recorder(
    namespaces: &NamespacesConfig,
    connection: &Connection,
) -> Result<SyncRecorder, AppError> {
    let publisher = connection.publisher(Topic::NamespaceSync).await?;
    Ok(SyncRecorder::new(ledger(namespaces).await?, publisher))
}

/// The stage `portal`.
pub(crate) fn portal(
    namespaces: &NamespacesConfig,
    recorder: SyncRecorder,
) -> Result<PortalApi, AppError> {
    let token = namespaces.portal_token()?;
    Ok(PortalApi::new(recorder, keys(namespaces)?, token)?)
}

/// The stage `provisioning-api`.
pub(crate) async fn provisioning(
    namespaces: &NamespacesConfig,
) -> Result<ProvisioningState, AppError> {
    let (database, url) = provisioning_settings(namespaces)?;
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

fn keys(namespaces: &NamespacesConfig) -> Result<SigningKeys, AppError> {
    let issuer = namespaces.issuer()?;
    let signing = namespaces.signing_key_file()?;
    Ok(SigningKeys::load(
        issuer,
        signing,
        &namespaces.published_key_files,
    )?)
}
