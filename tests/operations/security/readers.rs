//! What reads bytes from outside, and what each promises whatever they are.

use std::{collections::BTreeMap, fmt::Write as _, fs, sync::Arc};

use bytes::Bytes;
use futures::future::BoxFuture;
use google_cloud_googleapis::pubsub::v1::{DeleteSubscriptionRequest, Subscription, Topic};
use jiff::Timestamp;
use lookup_gitlab_sync::{
    config::{self, CallsConfig, Config, LookupCredentials, Secret, Sources},
    directory::{Crsid, Directory as _, Lookup, Standing},
    gitlab,
    messaging::{
        Connection, dead_letters,
        wire::{Cause, DecodeError, SyncTick, UserRequest, Who},
    },
    pause::WriteSwitch,
    telemetry::escape,
    upstream::{CallError, Transport, TransportError, UpstreamResponse},
    users::{
        account::AccountId,
        marker::Marker,
        ownership::{ChangeRecord, StateChange},
    },
};
use pubsub_emulator::{Broker, BrokerSettings};
use reqwest::{Request, StatusCode, header::HeaderMap};
use tokio::runtime::{Builder, Runtime};

/// An upstream whose every answer is this one; of Lookup's token endpoint, where there is one,
/// another.
#[derive(Clone, Debug)]
struct Says {
    answer: UpstreamResponse,
    token: Option<UpstreamResponse>,
}

impl Transport for Says {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        let token = self
            .token
            .clone()
            .filter(|_| request.url().path() == "/token");
        Box::pin(async move { Ok(token.unwrap_or_else(|| self.answer.clone())) })
    }
}

/// An answer whose status, and with `link` a header, are the beginning of the input.
fn answer(input: &[u8], link: bool) -> UpstreamResponse {
    let (first, rest) = input.split_first().unwrap_or((&0, b""));
    let statuses = [
        200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 404, 429, 500, 503,
    ];
    let status = statuses[usize::from(*first) % statuses.len()];
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    let mut body = rest;
    if link && let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        if let Ok(value) = rest[..end].try_into() {
            headers.insert("link", value);
        }
        body = &rest[end + 1..];
    }
    UpstreamResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: Bytes::copy_from_slice(body),
    }
}

fn calls() -> CallsConfig {
    CallsConfig {
        read_attempts: 1,
        ..CallsConfig::default()
    }
}

fn gitlab(answer: UpstreamResponse) -> gitlab::Client {
    let config = config::GitLabConfig {
        url: "https://gitlab.example.ac.uk".parse().unwrap(),
        token: Secret::from("token"),
        read_token: None,
        calls: calls(),
    };
    let says = Says {
        answer,
        token: None,
    };
    gitlab::Client::over(Arc::new(says), &config, Some(WriteSwitch::unwatched())).unwrap()
}

fn lookup(answer: UpstreamResponse, token: UpstreamResponse) -> Lookup {
    let config = config::LookupConfig {
        url: "https://lookup.example.ac.uk/v1".parse().unwrap(),
        credentials: LookupCredentials::Gateway {
            token_url: "https://lookup.example.ac.uk/token".parse().unwrap(),
            client_id: "client".to_owned(),
            client_secret: Secret::from("secret"),
            scope: None,
        },
        batch_size: 200,
        calls: calls(),
    };
    let says = Says {
        answer,
        token: Some(token),
    };
    Lookup::over(Arc::new(says), &config).unwrap()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A failed call is told in one line that quotes nothing, and always in one of a few ways: digits
/// aside.
fn failed(error: &CallError) -> String {
    let text = error.to_string();
    assert_eq!(escape(&text), text);
    assert!(text.len() < 600, "{text}");
    let same: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
    assert!(same.is_ascii() || same.contains('`'), "{text}");
    same
}

fn refused(error: &DecodeError) -> String {
    let (DecodeError::Permanent { detail, .. } | DecodeError::NewerPublisher { detail }) = error;
    assert!(
        detail.len() <= 512 && !detail.chars().any(char::is_control),
        "{detail}"
    );
    // Without the field's name, which the input may have made up.
    let (_, expected) = detail.split_once(": ").unwrap_or(("", detail));
    let same = expected.chars().filter(|c| !c.is_ascii_digit());
    same.take(24).collect()
}

pub fn user_message() -> impl FnMut(&[u8]) -> String {
    |input| match UserRequest::decode(input) {
        Err(error) => refused(&error),
        Ok(request) => {
            let who = match &request.who {
                Who::Account(id) => {
                    assert!(*id > 0);
                    "account"
                }
                Who::Username(username) => {
                    assert!(!username.is_empty() && !username.chars().any(char::is_control));
                    "username"
                }
                Who::Person(crsid) => {
                    assert_eq!(Crsid::parse(crsid.as_str()).as_ref(), Some(crsid));
                    "person"
                }
            };
            let tick = matches!(request.cause, Cause::Tick { .. });
            format!("{who} tick {tick} dry {}", request.dry_run)
        }
    }
}

pub fn tick_message() -> impl FnMut(&[u8]) -> String {
    |input| match SyncTick::decode(input) {
        Err(error) => refused(&error),
        Ok(tick) => {
            for percent in [tick.max_block_percent, tick.max_unblock_percent]
                .into_iter()
                .flatten()
            {
                assert!((0.0..=100.0).contains(&percent), "{percent}");
            }
            format!("{:?} {}", tick.dry_run, tick.max_block_percent.is_some())
        }
    }
}

pub fn gitlab_page() -> impl FnMut(&[u8]) -> String {
    let runtime = runtime();
    move |input| match runtime.block_on(gitlab(answer(input, true)).users_page(None)) {
        Err(error) => failed(&error),
        Ok(page) => {
            assert!(page.users.is_sorted_by(|one, next| one.id < next.id));
            assert!(page.next.is_none() || !page.users.is_empty() || !page.odd.is_empty());
            format!(
                "{} users, {} odd, more {}",
                page.users.len(),
                page.odd.len(),
                page.next.is_some()
            )
        }
    }
}

pub fn gitlab_account() -> impl FnMut(&[u8]) -> String {
    let runtime = runtime();
    move |input| match runtime.block_on(gitlab(answer(input, false)).user(42)) {
        Err(error) => failed(&error),
        Ok(None) => "gone".to_owned(),
        Ok(Some(user)) => {
            assert_eq!(user.id, 42);
            assert!(!user.username.is_empty() && !user.state.is_empty());
            format!(
                "{} attributes, {} identities",
                user.custom_attributes.len(),
                user.identities.len()
            )
        }
    }
}

pub fn gitlab_change() -> impl FnMut(&[u8]) -> String {
    let runtime = runtime();
    move |input| {
        let client = gitlab(answer(input, false));
        let permit = client.permit(false).unwrap();
        match runtime.block_on(client.block(&permit, 42)) {
            Err(error) => failed(&error),
            Ok(change) => format!("{change:?}"),
        }
    }
}

pub fn lookup_people() -> impl FnMut(&[u8]) -> String {
    let runtime = runtime();
    let asked = ["spqr1", "ab42", "xyz9"].map(|text| Crsid::parse(text).unwrap());
    let token = answer(
        b"\0{\"access_token\":\"t\",\"expires_in\":\"3600\",\"token_type\":\"Bearer\"}",
        false,
    );
    move |input| {
        let directory = lookup(answer(input, false), token.clone());
        match runtime.block_on(directory.standings(&asked)) {
            Err(error) => failed(&error),
            Ok(standings) => {
                let told = standings.told();
                assert!(told.keys().all(|person| asked.contains(person)));
                let explicit = |word: &[u8]| input.windows(word.len()).any(|window| window == word);
                let any = |wanted| told.values().any(|standing| *standing == wanted);
                assert!(explicit(b"true") || !any(Standing::Cancelled));
                assert!(explicit(b"false") || !any(Standing::Current));
                let mut said: Vec<_> = told
                    .iter()
                    .map(|(person, is)| format!("{person} {is:?}"))
                    .collect();
                said.sort();
                said.join(", ")
            }
        }
    }
}

pub fn lookup_token() -> impl FnMut(&[u8]) -> String {
    let runtime = runtime();
    let body = b"\0{\"result\":{\"version\":\"2.0\",\"people\":[]}}";
    let people = answer(body, false);
    let asked = [Crsid::parse("spqr1").unwrap()];
    move |input| {
        let directory = lookup(people.clone(), answer(input, false));
        match runtime.block_on(directory.standings(&asked)) {
            Err(error) => failed(&error),
            Ok(_) => "a token".to_owned(),
        }
    }
}

pub fn marker() -> impl FnMut(&[u8]) -> String {
    |input| {
        let Some(marker) = Marker::parse(&String::from_utf8_lossy(input)) else {
            return "none".to_owned();
        };
        assert_eq!(Marker::parse(&marker.to_value()), Some(marker));
        "a marker".to_owned()
    }
}

pub fn blocked_by() -> impl FnMut(&[u8]) -> String {
    |input| {
        let text = String::from_utf8_lossy(input);
        match ChangeRecord::read(Some(&text)) {
            ChangeRecord::Absent => panic!("it is there"),
            ChangeRecord::Unreadable => "unreadable".to_owned(),
            ChangeRecord::By(StateChange {
                by: AccountId(id),
                recorded: _,
                username,
                at,
            }) => {
                let (name, rest) = text.rsplit_once('/').unwrap();
                assert_eq!(name, &*username);
                let (digits, time) = rest.split_once('+').unwrap();
                assert_eq!(digits.parse(), Ok(id));
                let again = format!("x/{id}+{}", at.strftime("%Y-%m-%d %H:%M:%S UTC"));
                assert_eq!(
                    StateChange::parse(&again),
                    Some(StateChange {
                        by: AccountId(id),
                        recorded: AccountId(id),
                        username: "x".into(),
                        at
                    })
                );
                format!("utc {}", time.ends_with("UTC"))
            }
        }
    }
}

pub fn broker_filter() -> impl FnMut(&[u8]) -> String {
    let runtime = runtime();
    let (broker, connection) = runtime.block_on(async {
        let broker = Broker::start(BrokerSettings::default()).await.unwrap();
        let config = config::PubSubConfig {
            endpoint: None,
            project: "p".to_owned(),
            emulator_host: Some(broker.host()),
            prefix: String::new(),
        };
        let connection = Connection::open(&config).await.unwrap();
        let topic = Topic {
            name: "projects/p/topics/topic".to_owned(),
            ..Topic::default()
        };
        connection.topics().create_topic(topic).await.unwrap();
        (broker, connection)
    });
    let name = "projects/p/subscriptions/filtered".to_owned();
    move |input| {
        assert!(!broker.host().is_empty());
        let filtered = Subscription {
            name: name.clone(),
            topic: "projects/p/topics/topic".to_owned(),
            filter: String::from_utf8_lossy(input).into_owned(),
            ..Subscription::default()
        };
        let mut api = connection.subscriptions();
        if let Err(status) = runtime.block_on(api.create_subscription(filtered)) {
            assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
            return status.message().chars().take(40).collect();
        }
        let subscription = name.clone();
        let delete = DeleteSubscriptionRequest { subscription };
        runtime.block_on(api.delete_subscription(delete)).unwrap();
        "a filter".to_owned()
    }
}

pub fn configuration() -> impl FnMut(&[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    move |input| {
        let file = folder.path().join("config.toml");
        fs::write(&file, input).unwrap();
        let given = Sources {
            file: Some(file),
            ..Sources::default()
        };
        match <Config>::load(&given) {
            Ok(loaded) => format!("{:?}", loaded.config.mode),
            Err(mistakes) => {
                let mut kinds = mistakes.heading();
                for mistake in mistakes.iter() {
                    let text = mistake.to_string();
                    assert!(!text.contains("sentinel-token"), "{text}");
                    let _ = write!(
                        kinds,
                        " {}",
                        text.split_whitespace().next().unwrap_or_default()
                    );
                }
                kinds
            }
        }
    }
}

pub fn dead_letter() -> impl FnMut(&[u8]) -> String {
    |input| {
        let text = String::from_utf8_lossy(input);
        let pairs = text.split('\n').filter_map(|line| line.split_once('='));
        let attributes: BTreeMap<String, String> = pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let history = dead_letters::History::read(&attributes);
        assert!(history.deaths >= 1);
        let original = dead_letters::without_dead_letter(&attributes);
        assert_eq!(dead_letters::without_dead_letter(&original), original);
        assert!(
            original
                .iter()
                .all(|(name, value)| attributes.get(name) == Some(value))
        );
        let known = [history.at, history.publish_time].map(|at: Option<Timestamp>| at.is_some());
        format!(
            "{:?} {:?} {:?} {known:?}",
            history.by, history.reason, history.stage
        )
    }
}
