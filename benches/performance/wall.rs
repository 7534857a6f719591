//! (b) Wall time of a run, beside the syncs that are usually written and the calls alone, on the
//! same servers.

use std::{path::Path, time::Duration};

use jiff::Timestamp;

use crate::{
    baseline,
    calls::{number, people_in},
    figures::Row,
    floor,
    servers::{Asked, Servers, Settings},
    service::Service,
};

/// One comparison.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    pub users: usize,
    pub latency_ms: u64,
    /// How often the service and the calls alone are run.
    pub service: usize,
    /// How often the baseline that asks for 200 people at once is.
    pub lists: usize,
    /// How often the baseline that asks for one is.
    pub one: usize,
}

/// The subjects take turns, each in a fresh world.
pub async fn measure(comparisons: &[Comparison]) -> Vec<Row> {
    let python = testkit::python::environment("tests/project/interop", "the baseline in Python");
    let python = python.map(|programs| programs.join("python"));
    let mut rows = Vec::new();
    for comparison in comparisons {
        rows.extend(compare(*comparison, python.as_deref()).await);
    }
    rows
}

async fn compare(comparison: Comparison, python: Option<&Path>) -> Vec<Row> {
    let Comparison {
        users, latency_ms, ..
    } = comparison;
    let row = |subject: &str| Row::of(subject).users(users).latency(latency_ms);
    let mut service = row("service");
    let mut floor = row("calls alone");
    let mut in_lists = row("lists");
    let mut one_by_one = row("one");
    let settings = Settings::of(users, latency_ms);
    let turns = comparison.service.max(comparison.lists).max(comparison.one);
    for turn in 0..turns {
        if turn < comparison.service {
            let people = of_service(&mut service, settings, &[]).await;
            of_calls_alone(&mut floor, settings, &people).await;
        }
        if let Some(python) = python {
            if turn < comparison.lists {
                of_baseline(&mut in_lists, settings, python, "lists").await;
            }
            if turn < comparison.one {
                of_baseline(&mut one_by_one, settings, python, "one").await;
            }
        }
    }
    let rows = [service, floor, in_lists, one_by_one];
    rows.into_iter()
        .filter(|row| !row.samples.is_empty())
        .collect()
}

/// The service with other bounds than its defaults: calls in flight to GitLab, and messages leased
/// at once.
pub async fn bounds(users: usize, bounds: &[(u32, u32)], repetitions: usize) -> Vec<Row> {
    let row = |(calls, messages)| {
        Row::of(&format!("{calls} calls, {messages} messages"))
            .users(users)
            .latency(20)
    };
    let mut rows: Vec<Row> = bounds.iter().copied().map(row).collect();
    for _ in 0..repetitions {
        for (row, (calls, messages)) in rows.iter_mut().zip(bounds) {
            let (calls, messages) = (calls.to_string(), messages.to_string());
            let extra = [
                (
                    "LOOKUP_GITLAB_SYNC__GITLAB__CALLS__CONCURRENCY",
                    calls.as_str(),
                ),
                (
                    "LOOKUP_GITLAB_SYNC__WORKER__MAX_OUTSTANDING",
                    messages.as_str(),
                ),
            ];
            of_service(row, Settings::of(users, 20), &extra).await;
        }
    }
    rows
}

/// Whom the run asked Lookup about.
async fn of_service(row: &mut Row, settings: Settings, extra: &[(&str, &str)]) -> Vec<String> {
    let servers = Servers::start(settings).await;
    let (service, _) = Service::start(&servers, &[], extra).await;
    servers.forget().await;
    let began = Timestamp::now();
    let took = service.run(&servers).await;
    servers.check_end().await;
    let gitlab = servers.gitlab_asked().await;
    let sweep = sweep_of(&gitlab);
    row.add("seconds", took.as_secs_f64());
    row.add("sweep", sweep.as_secs_f64());
    row.add("last write", last_write(&gitlab, began).as_secs_f64());
    row.add("processor", service.process.cpu().as_secs_f64());
    let lookup = servers.lookup_asked().await;
    row.add("calls", number(gitlab.len() + lookup.len()));
    println!("  {settings:?} service: {took:.2?}, of it the sweep {sweep:.2?}");
    let people = people_in(&lookup);
    people.into_iter().map(str::to_owned).collect()
}

async fn of_calls_alone(row: &mut Row, settings: Settings, people: &[String]) {
    let servers = Servers::start(settings).await;
    let took = floor::sweep(&servers, people).await;
    row.add("sweep", took.as_secs_f64());
    println!("  {settings:?} the sweep's calls alone: {took:.2?}");
}

async fn of_baseline(row: &mut Row, settings: Settings, python: &Path, way: &str) {
    let servers = Servers::start(settings).await;
    let took = baseline::run(python, way, &servers).await;
    servers.check_end().await;
    let (gitlab, lookup) = (servers.gitlab_asked().await, servers.lookup_asked().await);
    row.add("seconds", took.as_secs_f64());
    row.add("calls", number(gitlab.len() + lookup.len()));
    println!("  {settings:?} baseline {way}: {took:.2?}");
}

/// From the first call of a sweep to its last, which asks about the token.
fn sweep_of(gitlab: &[Asked]) -> Duration {
    let at = |path: &str| gitlab.iter().find(|asked| asked.path == path).unwrap().time;
    let (first, last) = (
        at("/api/v4/user"),
        at("/api/v4/personal_access_tokens/self"),
    );
    last.duration_since(first).try_into().unwrap()
}

fn last_write(gitlab: &[Asked], began: Timestamp) -> Duration {
    let writes = gitlab
        .iter()
        .filter(|asked| asked.method == "POST")
        .map(|asked| asked.time);
    let last = writes.max().unwrap();
    last.duration_since(began).try_into().unwrap_or_default()
}
