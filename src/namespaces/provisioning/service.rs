//! The four steps, in order, one call at a time for a namespace.

use std::time::Duration;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use sqlx::{Connection, PgConnection};

use super::{
    add_ons, base_product, compute_minutes,
    failure::PermanentError,
    namespace::Namespace,
    storage,
    tables::{KnownTables, TableColumns},
};
use crate::{
    failpoint,
    keyed_lock::KeyedLock,
    namespaces::{
        contract::{
            document::{
                BaseProduct, ComputeMinutes, Document, Provision, Storage,
                rules::{self, DocumentRules},
            },
            response::{PartResult, PartResults, ProvisionResponse},
        },
        database::DatabasePool,
        session::{LockedSession, NamespaceLock},
    },
};

/// The call could not be carried out to its end. Whole steps may have been applied; none is applied
/// in part.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The database failed, or gave way to somebody else's transaction: to be sent again as it is.
    #[error("the database failed in the step {step}")]
    Unavailable {
        /// Where.
        step: &'static str,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
    /// The database refuses what the step writes, and would refuse it again.
    #[error("the database refuses the step {step}: SQLSTATE class {} ({})", .why.class, .why.meaning())]
    Refused {
        /// Where.
        step: &'static str,
        /// Why.
        why: PermanentError,
    },
    /// It took too long: to be sent again as it is.
    #[error("not done within the deadline of a call")]
    Deadline,
}

impl ProvisionError {
    pub(super) fn of(step: &'static str, source: sqlx::Error) -> Self {
        match PermanentError::of(&source) {
            Some(why) => Self::Refused { step, why },
            None => Self::Unavailable { step, source },
        }
    }
}

/// What every step of a call needs.
pub(super) struct StepContext<'a> {
    pub(super) tables: &'a TableColumns,
    pub(super) namespace: &'a Namespace,
    pub(super) rules: &'a DocumentRules,
}

/// Provisions namespaces.
#[derive(Debug)]
pub struct ProvisioningService {
    pool: DatabasePool,
    /// Before the database's own lock: without it, a hundred calls for one namespace would each
    /// wait for that one on a connection of their own, and no other namespace would get a
    /// connection.
    in_process: KeyedLock<i64>,
    deadline: Duration,
    rules: DocumentRules,
    tables: KnownTables,
}

/// One step's work.
enum ProvisioningStep<'a> {
    BaseProduct(&'a BaseProduct),
    Storage(&'a Storage),
    ComputeMinutes(&'a ComputeMinutes),
    AddOns(&'a add_ons::AddOnPurchases),
}

impl ProvisioningService {
    /// `deadline` bounds a call, its wait for its turn included; `rules` are those that every
    /// document keeps.
    pub fn new(pool: DatabasePool, deadline: Duration, rules: DocumentRules) -> Self {
        Self {
            pool,
            in_process: KeyedLock::default(),
            deadline,
            rules,
            tables: KnownTables::default(),
        }
    }

    /// Applies `document` to `namespace`. A step that a rule forbids is an error in the answer and
    /// does not keep later steps from running.
    ///
    /// Dropped half way, it leaves the namespace's lock and every step whole, but the rest undone:
    /// run it where the caller's going away does not drop it.
    ///
    /// # Errors
    /// [`ProvisionError`].
    pub async fn provision(
        &self,
        namespace: &Namespace,
        document: &Document,
    ) -> Result<ProvisionResponse, ProvisionError> {
        let answer = tokio::time::timeout(self.deadline, self.in_turn(namespace, document))
            .await
            .unwrap_or(Err(ProvisionError::Deadline));
        if matches!(answer, Err(ProvisionError::Refused { .. })) {
            self.tables.forget();
        }
        answer
    }

    async fn in_turn(
        &self,
        namespace: &Namespace,
        document: &Document,
    ) -> Result<ProvisionResponse, ProvisionError> {
        let failed = |source| ProvisionError::of("lock", source);
        let _held = self.in_process.lock(namespace.id).await;
        let mut session =
            LockedSession::open(&self.pool, NamespaceLock::Provisioning(namespace.id))
                .await
                .map_err(failed)?;
        failpoint::pass("after_provisioning_lock");
        let connection = session.connection().map_err(failed)?;
        let tables = self.tables.get(connection).await;
        let scene = StepContext {
            tables: &*tables.map_err(|source| ProvisionError::of("tables", source))?,
            namespace,
            rules: &self.rules,
        };
        let payload = run_all(connection, &scene, document).await?;
        session.close().await;
        failpoint::pass("before_answer");
        Ok(ProvisionResponse::from(payload))
    }
}

async fn run_all(
    connection: &mut PgConnection,
    scene: &StepContext<'_>,
    document: &Document,
) -> Result<PartResults, ProvisionError> {
    let parts = &document.provision;
    let add_ons = parts.add_on_purchases.as_ref();
    let mut run = async |part: Option<ProvisioningStep<'_>>| match part {
        Some(step) => step.run(connection, scene).await.map(Some),
        None => Ok(None),
    };
    Ok(PartResults {
        base_product: run(parts
            .base_product
            .as_ref()
            .map(ProvisioningStep::BaseProduct))
        .await?,
        storage: run(parts.storage.as_ref().map(ProvisioningStep::Storage)).await?,
        compute_minutes: run(parts
            .compute_minutes
            .as_ref()
            .map(ProvisioningStep::ComputeMinutes))
        .await?,
        add_on_purchases: run(add_ons
            .filter(|part| !add_ons::is_nothing(part))
            .map(ProvisioningStep::AddOns))
        .await?,
    })
}

impl ProvisioningStep<'_> {
    /// In a transaction of its own. A step with broken rules is committed too: it has written only
    /// what none forbids.
    async fn run(
        self,
        connection: &mut PgConnection,
        scene: &StepContext<'_>,
    ) -> Result<PartResult, ProvisionError> {
        let failed = |source| ProvisionError::of(self.name(), source);
        let mut transaction = connection.begin().await.map_err(failed)?;
        let broken = self.apply(&mut transaction, scene).await.map_err(failed)?;
        let unrecordable = if broken.is_empty() {
            scene.rules.check(&self.alone())
        } else {
            Vec::new()
        };
        if !unrecordable.is_empty() {
            transaction.rollback().await.map_err(failed)?;
            return Ok(PartResult::new(Some(rules::joined(&unrecordable))));
        }
        failpoint::pass("before_step_commit");
        transaction.commit().await.map_err(failed)?;
        failpoint::pass("after_step_commit");
        let message = (!broken.is_empty()).then(|| broken.join(self.separator()));
        Ok(PartResult::new(message))
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        scene: &StepContext<'_>,
    ) -> Result<Vec<String>, sqlx::Error> {
        let id = scene.namespace.id;
        match self {
            Self::BaseProduct(part) => base_product::apply(connection, scene, part, today()).await,
            Self::Storage(part) => storage::apply(connection, id, part).await,
            Self::ComputeMinutes(part) => {
                compute_minutes::apply(connection, scene.tables, id, part).await
            }
            Self::AddOns(part) => add_ons::apply(connection, scene, part).await,
        }
    }

    /// The document with this part alone: what may not be recorded is not applied either, whatever
    /// the step thinks of it.
    fn alone(&self) -> Document {
        let mut provision = Provision::default();
        match *self {
            Self::BaseProduct(part) => provision.base_product = Some(part.clone()),
            Self::Storage(part) => provision.storage = Some(part.clone()),
            Self::ComputeMinutes(part) => provision.compute_minutes = Some(part.clone()),
            Self::AddOns(part) => provision.add_on_purchases = Some(part.clone()),
        }
        Document { provision }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::BaseProduct(_) => "base_product",
            Self::Storage(_) => "storage",
            Self::ComputeMinutes(_) => "compute_minutes",
            Self::AddOns(_) => "add_on_purchases",
        }
    }

    fn separator(&self) -> &'static str {
        match self {
            Self::BaseProduct(_) | Self::Storage(_) | Self::ComputeMinutes(_) => ", ",
            Self::AddOns(_) => " ",
        }
    }
}

fn today() -> Date {
    Timestamp::now().to_zoned_datetime(TimeZone::UTC).date()
}
