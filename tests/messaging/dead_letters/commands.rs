//! The command itself: the real binary against the simulated servers.

mod long_replays;

use std::{
    collections::BTreeSet,
    fs,
    process::{Output, Stdio},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use jiff::{Timestamp, tz::TimeZone};
use lookup_gitlab_sync::{
    config,
    messaging::{Connection, DeadLetterReason, PublisherOptions, Stage, Topology},
};
use serde_json::Value;
use simulator::{
    gitlab::{Kind, UserState},
    population::Population,
    servers::{PROJECT, ServerSettings, SimulatedServers},
};
use testkit::wait::PATIENCE;
use tokio::process::{Child, Command};

use super::fixture::{DeadLetterFixture, died};

struct CommandFixture {
    servers: SimulatedServers,
    fixture: DeadLetterFixture,
    population: Population,
}

impl CommandFixture {
    async fn start() -> Self {
        let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
        let population = Population::generate(60, 7, today);
        let mut servers = SimulatedServers::start(&population, ServerSettings::default())
            .await
            .unwrap();
        let broker = servers.broker.take().unwrap();
        let config = config::PubSubConfig {
            project: PROJECT.to_owned(),
            emulator_host: Some(broker.host()),
            endpoint: None,
            prefix: String::new(),
        };
        let connection = Connection::open(&config).await.unwrap();
        Topology::new(&connection).apply().await.unwrap();
        Self {
            servers,
            fixture: DeadLetterFixture {
                connection,
                broker: Some(broker),
            },
            population,
        }
    }

    /// A member who may sign in, and is made to be cancelled now.
    fn cancelled_member(&self) -> (u64, String) {
        let people = self.population.people();
        let account = self.population.accounts().iter().find(|account| {
            let is_person = people.iter().any(|person| person.crsid == account.username);
            let may_sign_in = account.state == UserState::Active && account.kind == Kind::Human;
            is_person && may_sign_in && account.custom_attributes.is_empty() && !account.is_admin
        });
        let account = account.expect("a population has an active member");
        self.servers.lookup.set_cancelled(&account.username, true);
        (account.id, account.username.clone())
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        let host = self.fixture.broker.as_ref().unwrap().host();
        testkit::command::isolated(testkit::service_binary!())
            .arg("dead-letters")
            .args(arguments)
            .envs(self.servers.environment())
            .env("GOOGLE_CLOUD_PROJECT", PROJECT)
            .env("PUBSUB_EMULATOR_HOST", host)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let ended = self.spawn(arguments).wait_with_output();
        tokio::time::timeout(PATIENCE, ended)
            .await
            .expect("the command ends")
            .unwrap()
    }
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn errors(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[tokio::test]
async fn show_and_dry_run_say_what_the_service_would_do_now_and_change_nothing() {
    let commands = CommandFixture::start().await;
    let (id, username) = commands.cancelled_member();
    let resync = commands
        .fixture
        .give_up(
            &format!(r#"{{"crsid":"{username}"}}"#),
            DeadLetterReason::Refused,
        )
        .await;
    let now = Timestamp::now();
    let keep = format!(
        r#"{{"gitlab_user_id":{id},"cause":"tick","planned":"unblock","planned_reason":"no_longer_cancelled","planned_at":"{now}"}}"#
    );
    let changed = commands
        .fixture
        .give_up(&keep, DeadLetterReason::AttemptsExhausted)
        .await;
    let poison = commands
        .fixture
        .give_up("not JSON", DeadLetterReason::Undecodable)
        .await;
    let tick = died(
        Stage::FanOut,
        b"{}",
        &[].into(),
        DeadLetterReason::GuardRefused,
    );
    let tick = commands.fixture.bury(Stage::FanOut, b"{}", tick).await;

    let shown = commands.run(&["show", &resync, "--output", "json"]).await;
    assert!(shown.status.success(), "{}", errors(&shown));
    let shown = &lines(&shown)[0];
    assert_eq!(
        (&shown["now"], &shown["now_detail"]),
        (&"block".into(), &"block (cancelled_in_lookup)".into())
    );
    assert_eq!(shown["attributes"]["dead_letter_reason"], "refused");

    let dry = commands
        .run(&["replay", "--all", "--dry-run", "--output", "json"])
        .await;
    assert!(dry.status.success(), "{}", errors(&dry));
    let said = lines(&dry);
    let of = |id: &str| said.iter().find(|line| line["id"] == id).unwrap();
    assert_eq!(of(&resync)["now"], "block");
    assert_eq!(
        of(&changed)["detail"],
        "nothing: changed_since_planned, block (cancelled_in_lookup)"
    );
    assert_eq!(of(&poison)["now"], "dead_letter");
    assert_eq!(of(&tick)["now"], "run");
    assert_eq!(said.len(), 4);

    assert_eq!(commands.fixture.held(), 3);
    assert_eq!(
        commands
            .fixture
            .counts(Stage::UserWorker.subscription())
            .published,
        0
    );
    assert_eq!(
        commands.servers.gitlab.account(id).unwrap().state,
        UserState::Active
    );
}

#[tokio::test]
async fn a_hostile_letter_cannot_touch_the_terminal() {
    let commands = CommandFixture::start().await;
    let mut hostile = died(
        Stage::UserWorker,
        b"",
        &[].into(),
        DeadLetterReason::Refused,
    );
    hostile.insert(
        "dead_letter_detail".to_owned(),
        "a\u{1b}]0;b\u{7}\u{9b}2J\nforged\u{202e}".to_owned(),
    );
    hostile.insert("\u{1b}[31m".to_owned(), "\u{85}".to_owned());
    let body = "{\"username\":\"\\u001b[2J\u{9b}31m\"}\r\n\u{1b}c\u{200b}";
    let id = commands
        .fixture
        .bury(Stage::UserWorker, body.as_bytes(), hostile)
        .await;
    let unsafe_character = |character: &char| {
        (character.is_control() && *character != '\n')
            || matches!(character, '\u{200b}' | '\u{202e}')
    };
    for output in ["table", "json", "csv"] {
        for arguments in [
            vec!["list"],
            vec!["show", &id],
            vec!["replay", "--all", "--dry-run"],
        ] {
            let printed = commands
                .run(&[arguments.as_slice(), &["--output", output]].concat())
                .await;
            assert!(
                printed.status.success(),
                "{arguments:?}: {}",
                errors(&printed)
            );
            let text = [printed.stdout, printed.stderr].concat();
            let text = String::from_utf8(text).unwrap();
            assert_eq!(
                text.chars().find(unsafe_character),
                None,
                "{arguments:?} {output}: {text:?}"
            );
        }
    }
    let shown = lines(&commands.run(&["show", &id, "--output", "json"]).await);
    assert_eq!(shown[0]["body"], body);
}

#[tokio::test]
async fn a_partial_replay_exits_with_1_and_says_what_is_left() {
    let commands = CommandFixture::start().await;
    let often = died(
        Stage::UserWorker,
        b"{}",
        &[("replays", "3")].into(),
        DeadLetterReason::Refused,
    );
    let often = commands.fixture.bury(Stage::UserWorker, b"{}", often).await;
    commands
        .fixture
        .give_up("{}", DeadLetterReason::Refused)
        .await;
    let partial = commands.run(&["replay", "--all", "--output", "json"]).await;
    assert_eq!(partial.status.code(), Some(1));
    let said = lines(&partial);
    let skipped = said.iter().find(|line| line["kind"] == "skipped").unwrap();
    assert_eq!(skipped["id"], often.as_str());
    let summary = said.last().unwrap();
    assert_eq!(
        (
            &summary["replayed"],
            &summary["skipped"],
            &summary["failed"]
        ),
        (&1.into(), &1.into(), &0.into())
    );
    let forced = commands.run(&["replay", "--all", "--force"]).await;
    assert_eq!(forced.status.code(), Some(0), "{}", errors(&forced));
    assert_eq!(commands.fixture.held(), 0);
}

#[tokio::test]
async fn a_replay_without_a_selection_publishes_nothing_and_all_is_said_as_such() {
    let commands = CommandFixture::start().await;
    let tick = died(
        Stage::FanOut,
        b"{}",
        &[].into(),
        DeadLetterReason::GuardRefused,
    );
    commands.fixture.bury(Stage::FanOut, b"{}", tick).await;
    commands
        .fixture
        .give_up("{}", DeadLetterReason::Refused)
        .await;
    let ticks = || {
        commands
            .fixture
            .counts(Stage::FanOut.subscription())
            .published
    };
    for unclear in [
        vec!["replay"],
        vec!["replay", "--rate", "5/s", "--max", "1"],
        vec!["replay", "--dry-run"],
        vec!["replay", "--all", "--reason", "guard_refused"],
    ] {
        let refused = commands.run(&unclear).await;
        assert_eq!(refused.status.code(), Some(2), "{unclear:?}");
        assert!(errors(&refused).contains("--all"), "{}", errors(&refused));
    }
    assert_eq!((commands.fixture.held(), ticks()), (1, 0));
    let done = commands.run(&["replay", "--all"]).await;
    assert_eq!(done.status.code(), Some(0), "{}", errors(&done));
    assert_eq!((commands.fixture.held(), ticks()), (0, 1));
}

#[tokio::test]
async fn discard_needs_a_selection_and_a_yes() {
    let commands = CommandFixture::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letters.jsonl");
    let file = file.to_str().unwrap();
    commands
        .fixture
        .give_up("poison", DeadLetterReason::Undecodable)
        .await;
    for refused in [
        vec!["discard", "--yes"],
        vec!["discard", "--reason", "undecodable"],
    ] {
        assert_eq!(commands.run(&refused).await.status.code(), Some(2));
    }
    assert_eq!(commands.fixture.held(), 1);
    let done = commands
        .run(&[
            "discard",
            "--reason",
            "undecodable",
            "--yes",
            "--file",
            file,
        ])
        .await;
    assert_eq!(done.status.code(), Some(0), "{}", errors(&done));
    assert_eq!(
        (
            commands.fixture.held(),
            fs::read_to_string(file).unwrap().lines().count()
        ),
        (0, 1)
    );
}
