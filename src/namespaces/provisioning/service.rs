//! The four steps, in order, one call at a time for a namespace.

use std::{collections::BTreeMap, time::Duration};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use sqlx::{Connection, PgConnection, PgPool};

use super::{add_ons, base_product, compute_minutes, namespace::Namespace, storage};
use crate::{
    failpoint,
    namespaces::{
        answer::{Answer, PartAnswer, Payload},
        document::{AddOnPurchase, BaseProduct, ComputeMinutes, Document, Storage},
        session::{Lock, LockedSession},
        turns::Turns,
    },
};

/// The call could not be carried out to its end, through no fault of the document: to be sent again as it is. Whole steps
/// may have been applied; none is applied in part.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The database failed, or gave way to somebody else's transaction.
    #[error("the database failed in the step {step}")]
    Database {
        /// Where.
        step: &'static str,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
    /// It took too long.
    #[error("not done within the deadline of a call")]
    Deadline,
}

/// Provisions namespaces.
#[derive(Debug)]
pub struct Service {
    pool: PgPool,
    turns: Turns,
    deadline: Duration,
}

/// One step's work.
enum Step<'a> {
    BaseProduct(&'a BaseProduct),
    Storage(&'a Storage),
    ComputeMinutes(&'a ComputeMinutes),
    AddOns(&'a BTreeMap<String, Vec<AddOnPurchase>>),
}

impl Service {
    /// `deadline` bounds a call, its wait for its turn included.
    pub fn new(pool: PgPool, deadline: Duration) -> Self {
        Self {
            pool,
            turns: Turns::default(),
            deadline,
        }
    }

    /// Applies `document` to `namespace`. A step that a rule forbids is an error in the answer and does not keep later
    /// steps from running.
    ///
    /// Dropped half way, it leaves the namespace's lock and every step whole, but the rest undone: run it where the
    /// caller's going away does not drop it.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn provision(
        &self,
        namespace: &Namespace,
        document: &Document,
    ) -> Result<Answer, Unavailable> {
        tokio::time::timeout(self.deadline, self.in_turn(namespace, document))
            .await
            .unwrap_or(Err(Unavailable::Deadline))
    }

    async fn in_turn(
        &self,
        namespace: &Namespace,
        document: &Document,
    ) -> Result<Answer, Unavailable> {
        let failed = |source| Unavailable::Database {
            step: "lock",
            source,
        };
        let _turn = self.turns.take(namespace.id).await;
        let mut session = LockedSession::open(&self.pool, Lock::Provisioning(namespace.id))
            .await
            .map_err(failed)?;
        failpoint::pass("after_provisioning_lock");
        let payload = run_all(session.connection().map_err(failed)?, namespace, document).await?;
        session.close().await;
        failpoint::pass("before_answer");
        Ok(Answer::from(payload))
    }
}

async fn run_all(
    connection: &mut PgConnection,
    namespace: &Namespace,
    document: &Document,
) -> Result<Payload, Unavailable> {
    let parts = &document.provision;
    let mut run = async |part: Option<Step<'_>>| match part {
        Some(step) => step.run(connection, namespace).await.map(Some),
        None => Ok(None),
    };
    Ok(Payload {
        base_product: run(parts.base_product.as_ref().map(Step::BaseProduct)).await?,
        storage: run(parts.storage.as_ref().map(Step::Storage)).await?,
        compute_minutes: run(parts.compute_minutes.as_ref().map(Step::ComputeMinutes)).await?,
        add_on_purchases: run(parts.add_on_purchases.as_ref().map(Step::AddOns)).await?,
    })
}

impl Step<'_> {
    /// In a transaction of its own. A step with broken rules is committed too: it has written only what none forbids.
    async fn run(
        self,
        connection: &mut PgConnection,
        namespace: &Namespace,
    ) -> Result<PartAnswer, Unavailable> {
        let step = self.name();
        let failed = |source| Unavailable::Database { step, source };
        let mut transaction = connection.begin().await.map_err(failed)?;
        let broken = self
            .apply(&mut transaction, namespace)
            .await
            .map_err(failed)?;
        failpoint::pass("before_step_commit");
        transaction.commit().await.map_err(failed)?;
        failpoint::pass("after_step_commit");
        let message = (!broken.is_empty()).then(|| broken.join(self.separator()));
        Ok(PartAnswer::new(message))
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        namespace: &Namespace,
    ) -> Result<Vec<String>, sqlx::Error> {
        match self {
            Self::BaseProduct(part) => {
                base_product::apply(connection, namespace.id, part, today()).await
            }
            Self::Storage(part) => storage::apply(connection, namespace.id, part).await,
            Self::ComputeMinutes(part) => {
                compute_minutes::apply(connection, namespace.id, part).await
            }
            Self::AddOns(part) => add_ons::apply(connection, namespace, part).await,
        }
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
