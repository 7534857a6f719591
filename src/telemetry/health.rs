//! Whether the process is alive and ready, as its parts say of themselves.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures::future::{BoxFuture, join_all};
use serde::Serialize;
use tokio::{sync::Mutex, time::Instant};

/// What a check may take. Probes give up after a few seconds; a check that hangs has its answer.
const PATIENCE: Duration = Duration::from_secs(2);

type Check = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;
type Checks = Arc<RwLock<Vec<(&'static str, Check)>>>;
type Note = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// How long what the readiness checks found is good: they ask databases, and anybody may ask for
/// them.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// The checks that the parts of the process have registered. Clones share them.
#[derive(Clone, Default)]
pub struct HealthChecks {
    liveness: Checks,
    readiness: Checks,
    notes: Arc<RwLock<Vec<Note>>>,
    /// What readiness was last, and when that was found.
    found: Arc<Mutex<Option<(Instant, HealthReport)>>>,
}

/// What the checks of one kind found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HealthReport {
    /// Whether every check passed.
    pub ok: bool,
    /// Each check, in the order of registration.
    pub checks: Vec<HealthFinding>,
    /// What whoever asks should know, though nothing is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HealthFinding {
    /// The name it was registered with.
    pub name: &'static str,
    /// Whether it passed.
    pub ok: bool,
    /// What is wrong, if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl HealthChecks {
    /// No checks yet: alive and ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check whose failure means that the process should be replaced.
    pub fn register_liveness<F, A>(&self, name: &'static str, check: F)
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), String>> + Send + 'static,
    {
        register(&self.liveness, name, check);
    }

    /// Adds a check whose failure means that the process waits for something.
    pub fn register_readiness<F, A>(&self, name: &'static str, check: F)
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), String>> + Send + 'static,
    {
        register(&self.readiness, name, check);
    }

    /// Adds something that readiness tells of and does not depend on.
    pub fn register_note(&self, note: impl Fn() -> Option<String> + Send + Sync + 'static) {
        self.notes
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::new(note));
    }

    /// Runs the liveness checks, all at once.
    pub async fn live(&self) -> HealthReport {
        run(&self.liveness).await
    }

    /// Runs the readiness checks, all at once; at most once in a second, however many ask.
    pub async fn ready(&self) -> HealthReport {
        let mut found = self.found.lock().await;
        if let Some((at, report)) = &*found
            && at.elapsed() < GOOD_FOR
        {
            return report.clone();
        }
        let mut report = run(&self.readiness).await;
        report.notes = self.notes();
        *found = Some((Instant::now(), report.clone()));
        report
    }

    fn notes(&self) -> Vec<String> {
        let notes = self.notes.read().unwrap_or_else(PoisonError::into_inner);
        notes.iter().filter_map(|note| note()).collect()
    }
}

fn register<F, A>(checks: &Checks, name: &'static str, check: F)
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = Result<(), String>> + Send + 'static,
{
    let check: Check = Arc::new(move || Box::pin(check()));
    checks
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .push((name, check));
}

async fn run(checks: &Checks) -> HealthReport {
    let checks = checks
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let findings = checks.into_iter().map(|(name, check)| async move {
        let answer = tokio::time::timeout(PATIENCE, check()).await;
        let problem = match answer {
            Ok(Ok(())) => None,
            Ok(Err(problem)) => Some(problem),
            Err(_) => Some(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        HealthFinding {
            name,
            ok: problem.is_none(),
            problem,
        }
    });
    let checks = join_all(findings).await;
    HealthReport {
        ok: checks.iter().all(|finding| finding.ok),
        checks,
        notes: Vec::new(),
    }
}

impl fmt::Debug for HealthChecks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |checks: &Checks| -> Vec<_> {
            let checks = checks.read().unwrap_or_else(PoisonError::into_inner);
            checks.iter().map(|(name, _)| *name).collect()
        };
        f.debug_struct("HealthChecks")
            .field("liveness", &names(&self.liveness))
            .field("readiness", &names(&self.readiness))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
        time::Duration,
    };

    use futures::future::join_all;

    use super::HealthChecks;

    #[tokio::test(start_paused = true)]
    async fn readiness_is_found_out_at_most_once_a_second_however_many_ask() {
        let health = HealthChecks::new();
        let asked = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&asked);
        health.register_readiness("database", move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Ok(()) }
        });
        for _ in 0..4 {
            join_all((0..100).map(|_| health.ready())).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_note_is_told_and_makes_nothing_unready() {
        let health = HealthChecks::new();
        let as_json = async || serde_json::to_string(&health.ready().await).unwrap();
        assert_eq!(as_json().await, r#"{"ok":true,"checks":[]}"#);
        health.register_note(|| None);
        health.register_note(|| Some("writes are paused".to_owned()));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let told = r#"{"ok":true,"checks":[],"notes":["writes are paused"]}"#;
        assert_eq!(as_json().await, told);
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_fails_and_holds_up_no_other() {
        let health = HealthChecks::new();
        health.register_readiness("hanging", std::future::pending);
        health.register_readiness("well", || async { Ok(()) });
        let report = health.ready().await;
        assert!(!report.ok);
        let problems: Vec<_> = report
            .checks
            .iter()
            .map(|finding| finding.problem.as_deref())
            .collect();
        assert_eq!(problems, [Some("no answer within 2 s"), None]);
        assert!(
            health.live().await.ok,
            "liveness knows nothing of readiness"
        );
    }
}
