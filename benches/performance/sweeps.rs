//! What a tick costs GitLab: read exactly, read light with and without changes, and by the baseline
//! in Python. The time is that of GitLab's processors, as a real one was measured; the same whether
//! or not anybody waits for it.

use std::path::Path;

use crate::{
    baseline,
    calls::number,
    figures::Row,
    servers::{Servers, Settings},
    service::Service,
};

/// Members who are cancelled before the last run.
const CANCELLED: usize = 20;

/// Each way on `sizes` accounts; the baseline on the sizes of `beside`.
pub async fn measure(sizes: &[usize], beside: &[usize], cost: &'static str) -> Vec<Row> {
    let python = testkit::python::environment("tests/project/interop", "the baseline in Python");
    let python = python.map(|programs| programs.join("python"));
    let mut rows = Vec::new();
    for users in sizes {
        let settings = Settings {
            cost,
            ..Settings::of(*users, 0)
        };
        let mut servers = Servers::start(settings).await;
        let (service, _) = Service::start(&servers, &[], &[]).await;
        rows.push(one_run("full", *users, &service, &servers).await);
        // What the first run changed counts as changed for a day, and is read exactly meanwhile.
        rows.push(one_run("light, right after it", *users, &service, &servers).await);
        servers.cancel(CANCELLED.min(users / 20)).await;
        rows.push(one_run("light, 20 changes", *users, &service, &servers).await);
        if let Some(python) = python.as_deref().filter(|_| beside.contains(users)) {
            rows.push(by_baseline(python, settings).await);
        }
    }
    rows
}

async fn one_run(subject: &str, users: usize, service: &Service, servers: &Servers) -> Row {
    servers.forget().await;
    let took = service.run(servers).await;
    servers.check_end().await;
    row(subject, users, took.as_secs_f64(), servers).await
}

async fn by_baseline(python: &Path, settings: Settings) -> Row {
    let servers = Servers::start(settings).await;
    let took = baseline::run(python, "lists", &servers).await;
    servers.check_end().await;
    row(
        "baseline in lists",
        settings.users,
        took.as_secs_f64(),
        &servers,
    )
    .await
}

async fn row(subject: &str, users: usize, seconds: f64, servers: &Servers) -> Row {
    let spent = servers.gitlab_spent().await;
    let calls = servers.gitlab_asked().await.len();
    println!("  {users} users, {subject}: {spent:.1} s of GitLab, {calls} calls, {seconds:.1} s");
    Row::of(subject)
        .users(users)
        .with("gitlab seconds", spent)
        .with("gitlab calls", number(calls))
        .with("seconds", seconds)
}
