//! (c) Messages a second: the worker on a run that changes nothing, beside a consumer that does no
//! work.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use lookup_gitlab_sync::messaging::{
    Topic, Traceparent, attributes,
    wire::{Cause, Planned, UserRequest, Who},
};
use tokio::{process::Command, time::sleep};

use crate::{
    calls::number,
    figures::Row,
    floor,
    process::Process,
    servers::{Servers, Settings},
    service::Service,
};

/// What the harness calls itself with to be the floor consumer.
pub const FLOOR: &str = "floor-consumer";

/// Both take turns on the same number of the same messages. The first thousands are not timed.
pub async fn measure(messages: usize, repetitions: usize) -> Vec<Row> {
    let mut worker = Row::of("worker");
    let mut floor = Row::of("floor");
    for _ in 0..repetitions {
        let servers = filled(messages).await;
        let (rate, cpu) = of_worker(&servers, messages).await;
        note(&mut worker, messages, rate, cpu);
        drop(servers);
        let servers = filled(messages).await;
        let (rate, cpu) = of_floor(&servers, messages).await;
        note(&mut floor, messages, rate, cpu);
    }
    vec![worker, floor]
}

fn note(row: &mut Row, messages: usize, rate: f64, cpu: Duration) {
    row.add("messages a second", rate);
    row.add(
        "processor µs a message",
        cpu.as_secs_f64() * 1e6 / number(messages),
    );
    println!("  {}: {rate:.0} messages a second", row.subject);
}

/// Servers whose user messages are published and wait.
async fn filled(messages: usize) -> Servers {
    let servers = Servers::start(Settings::of(100, 0)).await;
    let publisher = servers.connection.publisher(Topic::UserSync).await.unwrap();
    let attributes = attributes::for_message("measurement", "user_sync", &Traceparent::new());
    stream::iter(0..messages)
        .map(|number| {
            let (publisher, attributes) = (publisher.clone(), attributes.clone());
            async move {
                publisher
                    .publish(&message(number).to_wire(), attributes)
                    .await
                    .unwrap();
            }
        })
        .buffer_unordered(4_096)
        .count()
        .await;
    servers
}

fn message(number: usize) -> UserRequest {
    UserRequest {
        who: Who::Account(number as u64 + 1),
        cause: Cause::Tick {
            planned: Planned::Keep,
            planned_reason: Some("current".to_owned()),
            planned_at: Some(jiff::Timestamp::now()),
        },
        dry_run: false,
        requested_by: None,
        reason: None,
    }
}

async fn of_worker(servers: &Servers, messages: usize) -> (f64, Duration) {
    let (service, _) = Service::start(servers, &["user-worker"], &[]).await;
    let mut began = None;
    loop {
        let done = service.counters().await.done("user-worker");
        if done >= number(floor::WARM_UP) {
            began.get_or_insert_with(|| (Instant::now(), done));
        }
        if done >= number(messages) {
            let (began, first) = began.unwrap();
            let rate = (done - first) / began.elapsed().as_secs_f64();
            return (rate, service.process.cpu());
        }
        sleep(Duration::from_millis(5)).await;
    }
}

async fn of_floor(servers: &Servers, messages: usize) -> (f64, Duration) {
    let host = servers
        .environment
        .iter()
        .find(|(name, _)| name == "PUBSUB_EMULATOR_HOST");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([FLOOR, &host.unwrap().1, &messages.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let process = Process::of(child.id().unwrap());
    // It says what it took and waits for its input to end, so that its processor time can still be
    // read.
    let mut lines =
        tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().unwrap()));
    let rate = lines.next_line().await.unwrap().unwrap().parse().unwrap();
    let cpu = process.cpu();
    drop(child.stdin.take());
    child.wait().await.unwrap();
    (rate, cpu)
}
