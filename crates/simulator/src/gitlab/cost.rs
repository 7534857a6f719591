//! What answers cost a real GitLab, and how its processes end under it.
//!
//! A process does one thing at a time. A sleep stands for its work, with the process held
//! meanwhile: to who asks it is the same, and the machine stays free for the service that is
//! watched.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::response::Response;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

use super::route::Route;

/// What to charge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cost {
    /// Nothing: every answer at once, any number at a time.
    #[default]
    Free,
    /// As measured on GitLab 18.9: 10 ms a row of a listing, 40 ms one account, 100 ms a change of
    /// state (20 ms anything else, which was not measured), in so many processes.
    Real {
        /// Puma's workers, one request each; GitLab starts two where nobody says otherwise.
        processes: usize,
    },
}

impl Cost {
    /// As `--gitlab-cost` names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Real { .. } => "real",
        }
    }
}

/// How long a server that ended is away, as `SimulatedGitLab`'s memory watchdog brings it back.
pub(super) const AWAY: Duration = Duration::from_secs(3);

/// A call of the API, whatever it lists (seen: 50 ms for a page of one row).
const CALL: Duration = Duration::from_millis(50);

/// A row of GraphQL, of the service's few fields: 0.16 s a page of 100.
const QUERY_ROW: Duration = Duration::from_micros(1_100);

/// The same with the custom attributes, beside it: 0.51 s a page of 100.
const QUERY_ATTRIBUTES: Duration = Duration::from_micros(3_500);

const ROW: Duration = Duration::from_millis(10);
const ONE: Duration = Duration::from_millis(40);
const CHANGE: Duration = Duration::from_millis(100);
const OTHER: Duration = Duration::from_millis(20);

/// On the answer to a listing: how many rows it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowCount(pub(super) usize);

/// On the answer to GraphQL: how many accounts it holds, and how many of them with their custom
/// attributes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QueryRows {
    pub(super) accounts: u32,
    pub(super) with_attributes: u32,
}

/// The processes that answer.
#[derive(Debug)]
pub(super) struct Processes {
    pub(super) cost: Cost,
    turns: Option<Arc<Semaphore>>,
    restarts_every: Option<u64>,
    pages: AtomicU64,
}

/// A process that is at work for one request.
pub(super) struct BusyProcess(Option<OwnedSemaphorePermit>);

impl Processes {
    pub(super) fn new(cost: Cost, restarts_every: Option<u64>) -> Self {
        Self {
            cost,
            turns: match cost {
                Cost::Free => None,
                Cost::Real { processes } => Some(Arc::new(Semaphore::new(processes.max(1)))),
            },
            restarts_every,
            pages: AtomicU64::new(0),
        }
    }

    /// Waits for a process.
    pub(super) async fn turn(&self) -> BusyProcess {
        match &self.turns {
            None => BusyProcess(None),
            Some(turns) => BusyProcess(Arc::clone(turns).acquire_owned().await.ok()),
        }
    }

    /// The time between GitLab's look at an account and the change of its state.
    pub(super) fn state_change(&self) -> Duration {
        match self.turns {
            None => Duration::ZERO,
            Some(_) => CHANGE,
        }
    }

    /// Counts a page, and says whether the server ends over it.
    pub(super) fn ends_over_a_page(&self) -> bool {
        let Some(every) = self.restarts_every else {
            return false;
        };
        let page = self.pages.fetch_add(1, Ordering::AcqRel) + 1;
        page.is_multiple_of(every.saturating_add(1))
    }
}

impl BusyProcess {
    /// Keeps the process busy for what the answer costs, and lets it go.
    pub(super) async fn spend(self, price: Duration) {
        if self.0.is_some() {
            sleep(price).await;
        }
    }
}

/// What an answer costs, beside what was spent on the way to it.
pub(super) fn price(route: &Route, response: &Response) -> Duration {
    let rows = response
        .extensions()
        .get::<RowCount>()
        .map_or(0, |rows| rows.0);
    match route {
        Route::List => CALL + ROW.saturating_mul(u32::try_from(rows).unwrap_or(u32::MAX)),
        Route::GraphQl => {
            let rows = response.extensions().get::<QueryRows>();
            let rows = rows.copied().unwrap_or_default();
            CALL + QUERY_ROW.saturating_mul(rows.accounts)
                + QUERY_ATTRIBUTES.saturating_mul(rows.with_attributes)
        }
        Route::Show(_) => ONE,
        // That of a change of state was spent between the look and the change.
        Route::Act(..) | Route::Health(_) | Route::Unknown | Route::Outside | Route::Traversal => {
            Duration::ZERO
        }
        Route::Current
        | Route::SimulatedToken
        | Route::Version
        | Route::AuditEvents
        | Route::Change(_)
        | Route::Delete(_)
        | Route::Review(..)
        | Route::Attributes(_)
        | Route::Attribute(..) => OTHER,
    }
}
