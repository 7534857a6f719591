//! (h) The code alone: what one decision costs, and how fast a sweep's answers are read, beside
//! reading them into nothing.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a measurement that goes wrong ends with a place"
)]

use std::{collections::HashMap, hint::black_box, sync::Arc, time::Duration};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::future::BoxFuture;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use lookup_gitlab_sync::{
    config::{self, CallsConfig, LookupCredentials},
    directory::{ControlPeople, Crsid, Directory, Lookup, Standing, Standings},
    gitlab::Client,
    upstream::{CallError, Transport, TransportError, UpstreamResponse},
    users::{
        account::AccountId,
        observe,
        policy::{Facts, decide},
        rules::Rules,
        sweep::sweep,
    },
};
use reqwest::{Request, Response, header::HeaderMap};
use serde::de::IgnoredAny;
use simulator::{gitlab::SimulatedGitLab, lookup, population::Population};
use tokio::runtime::Runtime;

/// Accounts in the simulated GitLab.
const USERS: usize = 20_000;

/// Answers by their URL's path and query, as a simulated server gave them once.
#[derive(Debug, Default)]
struct Recorded(HashMap<String, UpstreamResponse>);

impl Transport for Recorded {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        let answer = self.0[&key(request.url())].clone();
        Box::pin(std::future::ready(Ok(answer)))
    }
}

fn key(url: &url::Url) -> String {
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

/// Records what it lets through.
#[derive(Debug)]
struct Recorder {
    client: reqwest::Client,
    seen: Arc<std::sync::Mutex<Recorded>>,
}

impl Recorder {
    fn seen(&self) -> Arc<std::sync::Mutex<Recorded>> {
        Arc::clone(&self.seen)
    }

    fn new() -> Self {
        Self {
            client: reqwest::Client::new(),
            seen: Arc::default(),
        }
    }
}

impl Transport for Recorder {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        Box::pin(async move {
            let key = key(request.url());
            let mut response: Response = self.client.execute(request).await.unwrap();
            let headers = std::mem::take::<HeaderMap>(response.headers_mut());
            let answer = UpstreamResponse {
                status: response.status(),
                headers,
                body: response.bytes().await.unwrap(),
            };
            self.seen.lock().unwrap().0.insert(key, answer.clone());
            Ok(answer)
        })
    }
}

/// A directory that knows everybody at no cost.
#[derive(Debug)]
struct Everybody;

impl Directory for Everybody {
    fn standings<'a>(&'a self, people: &'a [Crsid]) -> BoxFuture<'a, Result<Standings, CallError>> {
        let standings = people.iter().map(|person| (*person, Standing::Current));
        let standings = ControlPeople::default()
            .believe(standings)
            .unwrap_or_default();
        Box::pin(std::future::ready(Ok(standings)))
    }
}

/// The answers of a whole sweep, and clients to which they are given again.
struct Recording {
    gitlab: Client,
    pages: Vec<Bytes>,
    lookup: Lookup,
    people: Vec<Crsid>,
    lists: Vec<Bytes>,
}

impl Recording {
    async fn record() -> Self {
        let population = Population::generate(USERS, 1, today());
        let server = SimulatedGitLab::start(simulator::gitlab::GitLabSettings {
            accounts: population.accounts().to_vec(),
            ..Default::default()
        })
        .await
        .unwrap();
        let config = config::GitLabConfig {
            url: server.url().parse().unwrap(),
            token: server.token().into(),
            read_token: None,
            calls: CallsConfig::default(),
        };
        let recorder = Recorder::new();
        let seen = recorder.seen();
        let client = Client::over(Arc::new(recorder), &config, None).unwrap();
        let people = people_of(&client).await;
        let answers = std::mem::take(&mut *seen.lock().unwrap());
        let pages = answers
            .0
            .values()
            .map(|answer| answer.body.clone())
            .collect();
        let gitlab = Client::over(Arc::new(answers), &config, None).unwrap();
        let (lookup, lists) = Self::record_lookup(&population, &people).await;
        Self {
            gitlab,
            pages,
            lookup,
            people,
            lists,
        }
    }

    async fn record_lookup(population: &Population, people: &[Crsid]) -> (Lookup, Vec<Bytes>) {
        let server = lookup::SimulatedLookup::start(lookup::LookupSettings {
            people: population.people().to_vec(),
            ..Default::default()
        })
        .await
        .unwrap();
        let config = config::LookupConfig {
            url: server.url().parse().unwrap(),
            credentials: LookupCredentials::Gateway {
                token_url: server.token_url().parse().unwrap(),
                client_id: lookup::CLIENT_ID.to_owned(),
                client_secret: lookup::CLIENT_SECRET.into(),
                scope: None,
            },
            batch_size: 200,
            calls: CallsConfig::default(),
        };
        let recorder = Recorder::new();
        let seen = recorder.seen();
        let client = Lookup::over(Arc::new(recorder), &config).unwrap();
        client.standings(people).await.unwrap();
        let answers = std::mem::take(&mut *seen.lock().unwrap());
        let lists = answers
            .0
            .iter()
            .filter(|(path, _)| path.contains("/person/list"))
            .map(|(_, answer)| answer.body.clone())
            .collect();
        (Lookup::over(Arc::new(answers), &config).unwrap(), lists)
    }
}

/// Reads every page, and names the members.
async fn people_of(gitlab: &Client) -> Vec<Crsid> {
    let mut people = Vec::new();
    // A sweep asks this too, so it has to be recorded.
    gitlab.current_user().await.unwrap();
    let rules = rules();
    let mut cursor = None;
    loop {
        let page = gitlab.users_page(cursor.as_ref()).await.unwrap();
        for row in &page.users {
            let facts = Facts::of(
                &observe::account(row),
                &rules.classes,
                AccountId(1),
                Standing::Unknown,
            );
            people.extend(facts.class.crsid().copied());
        }
        cursor = page.next;
        if cursor.is_none() {
            people.sort_unstable();
            people.dedup();
            return people;
        }
    }
}

fn rules() -> Rules {
    Rules::new(
        &config::UsersConfig::default(),
        &config::GuardConfig::default(),
    )
    .unwrap()
}

fn today() -> Date {
    Timestamp::now().to_zoned_datetime(TimeZone::UTC).date()
}

fn bytes(bodies: &[Bytes]) -> u64 {
    bodies.iter().map(|body| body.len() as u64).sum()
}

fn reading(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let recording = runtime.block_on(Recording::record());
    let into_nothing = |bodies: &[Bytes]| {
        for body in bodies {
            black_box(serde_json::from_slice::<IgnoredAny>(body).unwrap());
        }
    };

    let mut group = criterion.benchmark_group("gitlab pages");
    group.throughput(Throughput::Bytes(bytes(&recording.pages)));
    group.bench_function("service", |bench| {
        bench.iter(|| runtime.block_on(read_pages(&recording.gitlab)));
    });
    group.bench_function("nothing", |bench| {
        bench.iter(|| into_nothing(&recording.pages));
    });
    group.finish();

    let mut group = criterion.benchmark_group("lookup lists");
    group.throughput(Throughput::Bytes(bytes(&recording.lists)));
    group.bench_function("service", |bench| {
        bench.iter(|| {
            runtime
                .block_on(recording.lookup.standings(&recording.people))
                .unwrap()
        });
    });
    group.bench_function("nothing", |bench| {
        bench.iter(|| into_nothing(&recording.lists));
    });
    group.finish();

    let mut group = criterion.benchmark_group("sweep");
    group.throughput(Throughput::Elements(USERS as u64));
    let rules = Arc::new(rules());
    group.bench_function("without the calls", |bench| {
        bench.iter(|| {
            let swept = sweep(
                &recording.gitlab,
                Arc::new(Everybody),
                Arc::clone(&rules),
                Timestamp::now(),
                &|_| (),
            );
            runtime.block_on(swept).unwrap()
        });
    });
    group.finish();
}

async fn read_pages(gitlab: &Client) {
    let mut cursor = None;
    loop {
        let page = gitlab.users_page(cursor.as_ref()).await.unwrap();
        black_box(&page.users);
        cursor = page.next;
        if cursor.is_none() {
            return;
        }
    }
}

fn deciding(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let recording = runtime.block_on(Recording::record());
    let rules = Arc::new(rules());
    let sweep = runtime.block_on(sweep(
        &recording.gitlab,
        Arc::new(Everybody),
        Arc::clone(&rules),
        Timestamp::now(),
        &|_| (),
    ));
    let accounts = sweep.unwrap().accounts;
    let today = today();
    let mut group = criterion.benchmark_group("decide");
    group.throughput(Throughput::Elements(accounts.len() as u64));
    group.bench_function("all accounts", |bench| {
        bench.iter(|| {
            for account in &accounts {
                black_box(decide(&account.facts, rules.policy, today));
            }
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(5));
    targets = reading, deciding
}
criterion_main!(benches);
