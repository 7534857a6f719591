//! How many provisioning requests a second the real service answers, beside `pgbench` running the
//! same statements.
//!
//! `cargo bench --bench provisioning`: a `PostgreSQL` of its own, the service as a process, and
//! interleaved runs of both with 1 and with 16 clients. The statements are those that the server
//! logged while the service answered a request.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    missing_docs,
    reason = "a measurement that meets the unexpected is none"
)]

mod load;
mod pgbench;
mod script;

use std::{ops::RangeInclusive, time::Duration};

use sqlx::PgPool;

use load::Load;
use pgbench::PgBench;
use testkit::{portal::TestPortal, postgres::PostgresServer, service::provisioning_api};

/// How often each is measured.
const REPETITIONS: usize = 5;
/// How long, each time.
const SECONDS: u64 = 4;
/// The namespaces, by id. Their numbers are like no other in a statement.
const NAMESPACES: RangeInclusive<i64> = 7_000_001..=7_001_000;
/// As in production: a commit is on disk.
const DURABLE: [&str; 3] = ["fsync=on", "full_page_writes=on", "synchronous_commit=on"];
/// The processors alone.
const VOLATILE: [&str; 3] = [
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
];

#[tokio::main]
async fn main() {
    for (name, settings) in [
        ("commits on disk", DURABLE),
        ("commits in memory", VOLATILE),
    ] {
        println!("\n{name} ({})", settings.join(", "));
        measure(&settings).await;
    }
}

async fn measure(settings: &[&str]) {
    let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
    let server = PostgresServer::start(|_| settings);
    let url = server.url().to_string();
    let portal = TestPortal::start().await;
    let token = || portal.token();
    let (capturing, address) = provisioning_api(
        testkit::service_binary!(),
        &script::logging(&url),
        &portal.address,
    )
    .await;
    fill(&url).await;
    let statements = script::capture(&server, &address, &token()).await;
    drop(capturing);
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), script::of(&statements)).unwrap();
    if std::env::var_os("SHOW_SCRIPT").is_some() {
        println!("{}", script::of(&statements));
    }
    let pgbench = PgBench::new(&url, script.path());
    let (_service, address) =
        provisioning_api(testkit::service_binary!(), &url, &portal.address).await;
    println!("{} statements a request", statements.len());
    println!(
        "clients  service/s (least to most)   pgbench/s (least to most)   share   service, median and 99th percentile"
    );
    for clients in [1, 16] {
        let (mut service, mut bench, mut latencies) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..REPETITIONS {
            let load = Load::new(&address, &token());
            let measured = load.run(clients, Duration::from_secs(SECONDS)).await;
            service.push(measured.rate);
            latencies.extend(measured.latencies);
            bench.push(pgbench.run(clients, SECONDS).await);
        }
        latencies.sort_unstable();
        let percentile = |share: usize| latencies[(latencies.len() - 1) * share / 100];
        println!(
            "{clients:>7}  {:<26}  {:<26}  {:>4.0} %  {:.1} ms, {:.1} ms",
            spread(&mut service),
            spread(&mut bench),
            100.0 * median(&service) / median(&bench),
            percentile(50).as_secs_f64() * 1e3,
            percentile(99).as_secs_f64() * 1e3,
        );
    }
}

/// Every namespace has a row in each table, and all of them the namespace's number.
async fn fill(url: &str) {
    let pool = PgPool::connect(url).await.unwrap();
    let statements = format!(
        "INSERT INTO namespaces (id, name, path, type, organization_id) OVERRIDING SYSTEM VALUE
             SELECT id, 'n' || id, 'n' || id, 'Group', 1 FROM generate_series({first}, {last}) id;
         INSERT INTO gitlab_subscriptions (id, namespace_id, hosted_plan_id, hosted_plan_name_uid, start_date, end_date)
             SELECT id, id, 7, 7, '2026-01-01', '2027-01-01' FROM generate_series({first}, {last}) id;
         INSERT INTO namespace_limits (namespace_id) SELECT id FROM generate_series({first}, {last}) id;
         INSERT INTO subscription_add_ons (id, name, description, created_at, updated_at)
             VALUES (1, 3, 'Duo Enterprise', now(), now());
         INSERT INTO subscription_add_on_purchases
                 (id, subscription_add_on_id, namespace_id, organization_id, quantity, started_at, expires_on, purchase_xid,
                  created_at, updated_at)
             SELECT id, 1, id, 1, 1, '2026-01-01', '2027-01-01', 'A-S00000', now(), now() FROM generate_series({first}, {last}) id;
         ANALYZE",
        first = NAMESPACES.start(),
        last = NAMESPACES.end(),
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
}

/// Median, least and most. Sorts.
fn spread(rates: &mut [f64]) -> String {
    rates.sort_by(f64::total_cmp);
    format!(
        "{:.0} ({:.0} to {:.0})",
        median(rates),
        rates[0],
        rates[rates.len() - 1]
    )
}

/// Of what is sorted.
fn median(rates: &[f64]) -> f64 {
    rates[rates.len() / 2]
}
