//! `history`, compared with what the simulated servers know to have happened.

use std::cmp::Reverse;

use jiff::Timestamp;
use lookup_gitlab_sync::messaging::wire::SyncTick;
use serde_json::{Value, json};
use simulator::{
    gitlab::{Action, Conditions, OWNER, SimulatedUser, UserState},
    lookup::SimulatedPerson,
};
use testkit::{environment::ServiceEnvironment, wait::until};

use super::whose::{MARKER, blocked};
use crate::support::environment;

const HISTORY: &str = "sync-outcome-history";

/// What is told of one change: account, what, and by which account.
type Told = (u64, String, u64);

/// GitLab records whole seconds: what comes in the next one is later in every source.
async fn next_second() {
    let second = Timestamp::now().as_second();
    until("another second", async || {
        Timestamp::now().as_second() > second
    })
    .await;
}

async fn tick(scene: &ServiceEnvironment) {
    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
    next_second().await;
}

fn by_hand(scene: &ServiceEnvironment, id: u64, state: &str) {
    let by = json!({"id": 7, "username": "root"});
    let change = json!({"state": state, "by": by});
    scene.servers.gitlab.change_user(id, change).unwrap();
}

/// Two people who were cancelled are blocked; a person unblocks the first, whom the next tick blocks
/// again; the second is a member again; a person bans a third.
async fn eventful(audit_events: bool) -> ServiceEnvironment {
    let accounts = vec![
        SimulatedUser::new(7, "root"),
        SimulatedUser::new(42, "ab42"),
        SimulatedUser::new(43, "ab43"),
        SimulatedUser::new(44, "external-44"),
        SimulatedUser::new(45, "ab45"),
    ];
    let people = vec![
        SimulatedPerson::cancelled("ab42", "Gone"),
        SimulatedPerson::cancelled("ab43", "Back"),
        SimulatedPerson::current("ab45", "Here"),
    ];
    let mut scene = environment(accounts, people).await;
    let gitlab = &scene.servers.gitlab;
    gitlab.set_conditions(Conditions {
        audit_events,
        ..gitlab.conditions()
    });
    scene.serve(&[], &[]).await;
    tick(&scene).await;
    by_hand(&scene, 42, "active");
    by_hand(&scene, 44, "banned");
    next_second().await;
    scene.servers.lookup.set_cancelled("ab43", false);
    tick(&scene).await;
    assert_eq!(scene.state(42), UserState::Blocked);
    assert_eq!(scene.state(43), UserState::Active);
    until("every change is told", async || {
        scene.counts(HISTORY).published == 4
    })
    .await;
    scene
}

/// What the simulated GitLab knows, the newest first, and of one millisecond by account.
fn journal(scene: &ServiceEnvironment) -> Vec<(Told, Timestamp)> {
    let changes = scene.servers.gitlab.changes();
    let told = changes.into_iter().rev().map(|change| {
        let event = match change.action {
            Action::Block => "blocked",
            Action::Unblock => "unblocked",
            Action::Ban => "banned",
            other => panic!("{other:?}"),
        };
        ((change.account, event.to_owned(), change.by), change.at)
    });
    let mut told: Vec<(Told, Timestamp)> = told.collect();
    told.sort_by_key(|((id, ..), at)| (Reverse(at.as_millisecond()), *id));
    told
}

/// The rows of `history`, its summary, and what it said beside them.
async fn history(scene: &ServiceEnvironment, arguments: &[&str]) -> (Vec<Value>, Value, String) {
    let arguments = [&["history", "--output", "json"], arguments].concat();
    let output = scene.run(&arguments, &[]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summary = rows.pop().unwrap();
    assert_eq!(summary["kind"], "summary");
    (rows, summary, said)
}

fn told(scene: &ServiceEnvironment, row: &Value) -> Told {
    let by = match row["by"].as_str().unwrap() {
        "this_service" => scene.servers.gitlab.owner(),
        "account" => row["by_id"].as_u64().unwrap(),
        other => panic!("{other}"),
    };
    let event = row["event"].as_str().unwrap().to_owned();
    (row["id"].as_u64().unwrap(), event, by)
}

fn has_source(row: &Value, source: &str) -> bool {
    row["sources"].as_array().unwrap().contains(&json!(source))
}

fn notes(summary: &Value, source: &str) -> String {
    let sources = summary["sources"].as_array().unwrap();
    let found = sources.iter().find(|one| one["source"] == source).unwrap();
    found["notes"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn history_with_audit_events_is_the_servers_journal_with_reasons_and_runs() {
    let scene = eventful(true).await;
    let (rows, summary, said) = history(&scene, &[]).await;
    let journal = journal(&scene);
    assert_eq!(journal.len(), 6);
    let expected: Vec<_> = journal.iter().map(|(told, _)| told.clone()).collect();
    let shown: Vec<_> = rows.iter().map(|row| told(&scene, row)).collect();
    assert_eq!(shown, expected, "{rows:#?}");
    let owner = scene.servers.gitlab.owner();
    for (row, ((_, event, by), at)) in rows.iter().zip(&journal) {
        // An audit event has milliseconds.
        let shown: Timestamp = row["at"].as_str().unwrap().parse().unwrap();
        assert_eq!(shown.as_millisecond(), at.as_millisecond(), "{row}");
        assert!(has_source(row, "audit"), "{row}");
        // Of whom it has the id alone, GitLab is asked for the username.
        assert_eq!(row["by_username"] == "root", *by == 7, "{row}");
        assert_eq!(has_source(row, "outcome"), *by == owner, "{row}");
        assert_eq!(row["run"].is_string(), *by == owner, "{row}");
        let reason = match event.as_str() {
            _ if *by != owner => Value::Null,
            "blocked" => json!("cancelled_in_lookup"),
            _ => json!("no_longer_cancelled"),
        };
        assert_eq!(row["reason"], reason, "{row}");
    }
    for source in ["gitlab", "audit", "outcome"] {
        assert_eq!(notes(&summary, source), "[]", "{summary} {said}");
    }

    // Nothing was taken away: everybody can read it again and again.
    let (again, ..) = history(&scene, &[]).await;
    assert_eq!(again, rows);

    // One account alone, and one run alone.
    let (one, ..) = history(&scene, &["ab42"]).await;
    let of_42: Vec<_> = rows.iter().filter(|row| row["id"] == 42).cloned().collect();
    assert_eq!(one, of_42);
    let run = rows[0]["run"].as_str().unwrap();
    let (of_run, ..) = history(&scene, &["--run", run]).await;
    let expected: Vec<_> = rows
        .iter()
        .filter(|row| row["run"] == run)
        .cloned()
        .collect();
    assert_eq!((of_run.len(), of_run), (2, expected));
    assert_eq!(scene.counts(HISTORY).acked, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_licence_history_still_tells_all_but_when_a_ban_began() {
    let scene = eventful(false).await;
    let (rows, summary, _) = history(&scene, &[]).await;
    for id in [42, 43] {
        let of_one = |told: &Told| told.0 == id;
        let journal = journal(&scene).into_iter().map(|(told, _)| told);
        let expected: Vec<_> = journal.filter(of_one).collect();
        let shown = rows.iter().map(|row| told(&scene, row));
        assert_eq!(shown.filter(of_one).collect::<Vec<_>>(), expected);
    }
    assert_eq!(rows.len(), 5, "{rows:#?}");
    assert!(notes(&summary, "audit").contains("GitLab answers 403"));
    assert!(notes(&summary, "gitlab").contains("without a time on record"));

    let (ban, ..) = history(&scene, &["44"]).await;
    assert_eq!(ban.len(), 1);
    assert_eq!(
        (&ban[0]["event"], &ban[0]["at"], &ban[0]["by"]),
        (&json!("banned"), &Value::Null, &json!("nobody"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_subscription_history_tells_what_gitlab_has_and_says_so_once() {
    let scene = eventful(false).await;
    scene.pubsub.unsubscribe(HISTORY).await;
    let output = scene.run(&["history"], &[]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(
        said.matches("there is no subscription").count(),
        1,
        "{said}"
    );
    let (rows, ..) = history(&scene, &[]).await;
    // The first block of 42 was overwritten by the second.
    let blocks = rows.iter().filter(|row| row["event"] == "blocked");
    assert_eq!(blocks.count(), 2, "{rows:#?}");

    let nowhere = [("GOOGLE_CLOUD_PROJECT", ""), ("PUBSUB_EMULATOR_HOST", "")];
    let output = scene.run(&["history"], &nowhere).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("no project is configured"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_who_is_not_there_history_says_so_and_fails() {
    let scene = environment(vec![SimulatedUser::new(42, "ab42")], Vec::new()).await;
    for (who, expected) in [
        ("zz99", "no account in GitLab is CRSid zz99"),
        ("4711", "no account in GitLab is account 4711"),
        (
            "external-nobody",
            "no account in GitLab is username external-nobody",
        ),
    ] {
        let output = scene.run(&["history", who], &[]).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_a_table_that_splits_nothing_json_or_csv() {
    let accounts = vec![
        blocked(40, "aa40", &format!("{OWNER}/1")).with_attribute("lookup_gitlab_sync", MARKER),
        blocked(41, "bb41", "old-sync/17"),
        blocked(42, "external-dimitrova-2", "root/7")
            .with_attribute("unblocked_by", "root/7+2026-01-10 03:00:00 UTC"),
        SimulatedUser {
            state: UserState::LdapBlocked,
            ..SimulatedUser::new(43, "dd43")
        },
        blocked(44, "ee44", "nobody"),
    ];
    let scene = environment(accounts, Vec::new()).await;
    let printed = async |arguments: &[&str], width: &str| {
        let columns = [("COLUMNS", width)];
        let output = scene.run(arguments, &columns).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        // When it is asked decides since when it is shown.
        let said = said.split_once(" on record").unwrap().1;
        let said = said.split_once('\n').unwrap().1.to_owned();
        format!("{}\n{said}", String::from_utf8(output.stdout).unwrap())
    };
    let all = ["history", "--since", "36000d"];
    for width in ["80", "120"] {
        insta::assert_snapshot!(format!("history_{width}"), printed(&all, width).await);
    }
    let csv = [&all[..], &["--output", "csv"]].concat();
    insta::assert_snapshot!("history_csv", printed(&csv, "80").await);
    let (rows, ..) = history(&scene, &all[1..]).await;
    let lines: Vec<_> = rows.iter().map(Value::to_string).collect();
    insta::assert_snapshot!("history_json", lines.join("\n"));
    insta::assert_snapshot!("history_of_one", printed(&["history", "43"], "80").await);
    let help = scene.run(&["history", "--help"], &[]).await;
    insta::assert_snapshot!("history_help", String::from_utf8(help.stdout).unwrap());
    assert_eq!(scene.writes(), 0);
}
