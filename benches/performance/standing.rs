//! (e) From start to ready, and (f) what the service costs while nothing happens.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    calls::number,
    figures::Row,
    servers::{Servers, Settings},
    service::Service,
};

/// What follows the start is not idleness.
const SETTLES: Duration = Duration::from_secs(5);

pub async fn ready(repetitions: usize) -> Vec<Row> {
    let servers = Servers::start(Settings::of(1_000, 20)).await;
    let mut row = Row::of("service").latency(20);
    for _ in 0..repetitions {
        let (_, took) = Service::start(&servers, &[], &[]).await;
        row.add("milliseconds", took.as_secs_f64() * 1e3);
    }
    println!(
        "  ready after {:.0} ms",
        row.get("milliseconds").unwrap().median()
    );
    vec![row]
}

/// Of a process that has just begun, and of one that has done a run.
pub async fn idle(seconds: usize) -> Vec<Row> {
    let servers = Servers::start(Settings::of(1_000, 0)).await;
    let (fresh, _) = Service::start(&servers, &[], &[]).await;
    let (worked, _) = Service::start(&servers, &[], &[]).await;
    // Either may take the tick; both share its messages.
    servers.tick().await;
    sleep(SETTLES).await;
    drop(fresh);
    let (fresh, _) = Service::start(&servers, &[], &[]).await;
    sleep(SETTLES).await;
    let before = [&fresh, &worked].map(|service| service.process.cpu());
    sleep(Duration::from_secs(seconds as u64)).await;
    let after = [&fresh, &worked].map(|service| service.process.cpu());
    ["fresh", "after a run"]
        .into_iter()
        .zip(before.iter().zip(after))
        .map(|(subject, (before, after))| {
            let share = 100.0 * after.saturating_sub(*before).as_secs_f64() / number(seconds);
            println!("  {subject}: {share:.2} % of one core");
            Row::of(subject).with("percent of one core", share)
        })
        .collect()
}
