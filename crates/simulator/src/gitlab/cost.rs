//! What answers cost a real GitLab, and how its processes end under it.
//!
//! A process does one thing at a time. A sleep stands for its work, with the process held
//! meanwhile: to who asks it is the same, and the machine stays free for the service that is
//! watched.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::response::Response;
use serde::Serialize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

use super::route::Route;
use crate::control::lock;

/// What to charge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cost {
    /// Nothing: every answer at once, any number at a time.
    #[default]
    Free,
    /// As measured on GitLab 18.9: 50 ms a page of a listing and 10 ms each of its rows, 50 ms a
    /// query through GraphQL and 1.1 ms each of its accounts (4.6 ms with their custom attributes),
    /// 40 ms one account, 100 ms a change of state (20 ms anything else, which was not measured),
    /// in so many processes.
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

/// What GitLab's processes spent since the start, or since it was last forgotten. Where answers
/// cost nothing it is what they would have cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProcessorTime {
    /// Pages of `GET /users`.
    pub listings: CostShare,
    /// GraphQL.
    pub graphql: CostShare,
    /// Changes of states.
    pub changes: CostShare,
    /// Everything else.
    pub others: CostShare,
}

/// What one kind of request took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CostShare {
    /// Requests that were answered.
    pub calls: u64,
    /// Accounts in the answers.
    pub rows: u64,
    /// Microseconds of one processor.
    pub microseconds: u64,
}

impl ProcessorTime {
    /// All of it.
    pub fn total(&self) -> Duration {
        let all = [self.listings, self.graphql, self.changes, self.others];
        Duration::from_micros(all.iter().map(|share| share.microseconds).sum())
    }
}

impl CostShare {
    fn add(&mut self, rows: u64, spent: Duration) {
        self.calls += 1;
        self.rows += rows;
        self.microseconds += u64::try_from(spent.as_micros()).unwrap_or(u64::MAX);
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
    spent: Mutex<ProcessorTime>,
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
            spent: Mutex::default(),
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

impl Processes {
    /// What was spent.
    pub(super) fn spent(&self) -> ProcessorTime {
        *lock(&self.spent)
    }

    /// Counts from zero again.
    pub(super) fn forget_spent(&self) {
        *lock(&self.spent) = ProcessorTime::default();
    }

    /// Counts what an answer costs, beside what was spent on the way to it, and says it.
    pub(super) fn charge(&self, route: &Route, response: &Response) -> Duration {
        let price = price(route, response);
        self.record(route, response, price);
        price
    }

    fn record(&self, route: &Route, response: &Response, price: Duration) {
        let rows = listed(response);
        let queried = queried(response);
        let mut spent = lock(&self.spent);
        match route {
            Route::List => spent.listings.add(u64::from(rows), price),
            Route::GraphQl => spent.graphql.add(u64::from(queried.accounts), price),
            Route::Act(..) if response.status().is_success() => spent.changes.add(1, CHANGE),
            Route::Act(..)
            | Route::Health(_)
            | Route::Unknown
            | Route::Outside
            | Route::Traversal => {}
            Route::Show(_)
            | Route::Current
            | Route::SimulatedToken
            | Route::TokenRotation
            | Route::Version
            | Route::AuditEvents
            | Route::Change(_)
            | Route::Delete(_)
            | Route::Review(..)
            | Route::Attributes(_)
            | Route::Attribute(..) => spent.others.add(0, price),
        }
    }
}

impl BusyProcess {
    /// Keeps the process busy for so long, and lets it go.
    pub(super) async fn spend(self, price: Duration) {
        if self.0.is_some() {
            sleep(price).await;
        }
    }
}

fn listed(response: &Response) -> u32 {
    let rows = response.extensions().get::<RowCount>();
    rows.map_or(0, |rows| u32::try_from(rows.0).unwrap_or(u32::MAX))
}

fn queried(response: &Response) -> QueryRows {
    let rows = response.extensions().get::<QueryRows>();
    rows.copied().unwrap_or_default()
}

/// What an answer costs, beside what was spent on the way to it.
fn price(route: &Route, response: &Response) -> Duration {
    match route {
        Route::List => CALL + ROW.saturating_mul(listed(response)),
        Route::GraphQl => {
            let rows = queried(response);
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
        | Route::TokenRotation
        | Route::Version
        | Route::AuditEvents
        | Route::Change(_)
        | Route::Delete(_)
        | Route::Review(..)
        | Route::Attributes(_)
        | Route::Attribute(..) => OTHER,
    }
}
