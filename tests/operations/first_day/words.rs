//! At 80 columns no table splits an id, a name, a time or any other word, and none is wider than
//! the terminal.

use std::collections::BTreeSet;

use simulator::{
    gitlab::{OWNER, SimulatedUser, UserState},
    lookup::SimulatedPerson,
};
use testkit::{environment::ServiceEnvironment, wait::until};

use crate::support::environment;

/// Every command that prints a table and changes nothing. `ID` is a dead letter's id.
const CALLS: [&[&str]; 13] = [
    &["plan", "--all"],
    &["plan", "--blocked"],
    &["plan", "--as-of", "2101-05-20", "--due-within", "30d"],
    &["explain", "external-dimitrova-2"],
    &["history", "--since", "36000d"],
    &["compare", "--with", "17", "--all"],
    &["adopt", "--blocked-by", "17", "--all", "--dry-run"],
    &["dead-letters", "list"],
    &["dead-letters", "show", "ID"],
    &["dead-letters", "replay", "--all", "--dry-run"],
    &["topology", "check"],
    &["config", "show"],
    &["config", "check", "--connect"],
];

fn blocked(id: u64, username: &str, by: &str) -> SimulatedUser {
    SimulatedUser {
        state: UserState::Blocked,
        ..SimulatedUser::new(id, username)
            .with_attribute("blocked_by", format!("{by}+2026-01-10 02:00:03 UTC"))
    }
}

async fn scene() -> ServiceEnvironment {
    let accounts = vec![
        SimulatedUser::new(123_456_789, "spqr1"),
        blocked(43, "external-dimitrova-2", &format!("{OWNER}/1")),
        blocked(44, "spqr3", "an-earlier-service-of-the-university/17"),
        SimulatedUser {
            state: UserState::LdapBlocked,
            ..SimulatedUser::new(45, "external-somebody-with-a-very-long-username")
        },
        SimulatedUser::new(46, "external-jonas").with("last_activity_on", "2099-06-01"),
    ];
    let people = vec![
        SimulatedPerson::cancelled("spqr1", "Gone"),
        SimulatedPerson::current("spqr3", "Here"),
    ];
    let mut scene = environment(accounts, people).await;
    scene.serve(&[], &[]).await;
    for body in [r#"{"crsid":"Robert'); DROP TABLE users;--"}"#, "no JSON"] {
        scene.publish_raw("user-sync", body.as_bytes()).await;
    }
    until("two dead letters", async || {
        scene.counts("user-sync-dead-hold").published > 1
    })
    .await;
    scene
}

/// What `arguments` print at a width, as soon as there is something: a dead letter that was looked
/// at comes back a moment later.
async fn printed(scene: &ServiceEnvironment, arguments: &[&str], width: Option<&str>) -> String {
    let columns: Vec<_> = width.map(|width| ("COLUMNS", width)).into_iter().collect();
    let rows = if arguments.contains(&"list") { 2 } else { 1 };
    let mut table = String::new();
    until("a table", async || {
        let output = scene.run(arguments, &columns).await;
        table = String::from_utf8(output.stdout).unwrap();
        table.matches("\n ").count() >= rows
    })
    .await;
    table
}

/// The words of the rows. A list without spaces may be broken after its commas.
fn words(table: &str) -> BTreeSet<&str> {
    let is_between = |character: char| character.is_whitespace() || character == ',';
    let rows = table.lines().skip(1);
    let words = rows.flat_map(|row| row.split(is_between));
    words.filter(|word| !word.is_empty()).collect()
}

async fn letters(scene: &ServiceEnvironment) -> Vec<String> {
    let csv = &["dead-letters", "list", "--output", "csv"];
    let mut ids = Vec::new();
    until("both letters", async || {
        let listed = scene.run(csv, &[]).await;
        let listed = String::from_utf8(listed.stdout).unwrap();
        let rows = listed.lines().skip(1);
        ids = rows
            .map(|row| row.split(',').next().unwrap().to_owned())
            .collect();
        ids.len() == 2
    })
    .await;
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn no_table_of_any_command_splits_a_word_at_80_columns() {
    let scene = scene().await;
    let id = letters(&scene).await.remove(0);
    for call in CALLS {
        let arguments: Vec<&str> = call
            .iter()
            .map(|word| if *word == "ID" { id.as_str() } else { *word })
            .collect();
        let wide = printed(&scene, &arguments, None).await;
        let narrow = printed(&scene, &arguments, Some("80")).await;
        let whole = words(&narrow);
        let split: Vec<_> = words(&wide)
            .difference(&whole)
            .map(|word| (*word).to_owned())
            .collect();
        assert!(split.is_empty(), "{arguments:?} {split:?}\n{narrow}");
        for line in narrow.lines().filter(|line| line.trim().contains(' ')) {
            assert!(line.chars().count() <= 80, "{arguments:?}\n{line}");
        }
    }
}

/// With digits for what differs from run to run.
fn without_chance(text: &str, ids: &[String]) -> String {
    let mut text = text.to_owned();
    for id in ids {
        text = text.replace(id, &"7".repeat(id.len()));
    }
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d").unwrap();
    let text = time.replace_all(&text, "2026-11-01 02:00:03");
    let random = regex::Regex::new(r"[0-9a-f]{8,}(-[0-9a-f-]+)*").unwrap();
    random
        .replace_all(&text, |found: &regex::Captures<'_>| {
            "7".repeat(found[0].len())
        })
        .into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_and_an_explanation_are_whole_at_both_widths() {
    let scene = scene().await;
    let ids = letters(&scene).await;
    for width in ["80", "120"] {
        let list = ["dead-letters", "list", "--reason", "invalid_field"];
        let list = printed(&scene, &list, Some(width)).await;
        insta::assert_snapshot!(format!("list_{width}"), without_chance(&list, &ids));
        let explained = ["explain", "external-dimitrova-2"];
        let explained = printed(&scene, &explained, Some(width)).await;
        insta::assert_snapshot!(format!("explain_{width}"), explained);
    }
}
