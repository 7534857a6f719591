//! What the service says of itself: nothing but what `docs/observability.md` lists, in both forms,
//! and one trace from the tick to the outcome.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use regex::Regex;
use serde_json::Value;
use simulator::servers::PROJECT;
use simulator::{
    control::InjectedFault,
    gitlab::{ADMINISTRATORS_TOKEN, SimulatedUser, TokenChange},
    lookup::SimulatedPerson,
};
use testkit::wait::until;
use testkit::{environment::ServiceEnvironment, process::ChildProcess};

use crate::support::environment;

const DOCUMENT: &str = include_str!("../../../docs/observability.md");
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The first cells of the document's rows, each with the rest of its row.
fn rows() -> BTreeMap<String, Vec<String>> {
    let name = Regex::new("^`([a-z_]+)`$").unwrap();
    let mut rows = BTreeMap::new();
    for line in DOCUMENT.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<String> = line
            .trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().to_owned())
            .collect();
        let named = name.captures(&cells[0]).expect(line);
        let before = rows.insert(named[1].to_owned(), cells[1..].to_vec());
        assert_eq!(before, None, "{line} stands there twice");
    }
    rows
}

fn documented_events() -> BTreeMap<String, Vec<String>> {
    let mut rows = rows();
    rows.retain(|name, _| !name.starts_with("sync_"));
    rows
}

fn documented_metrics() -> BTreeMap<String, BTreeSet<String>> {
    let label = Regex::new("`([a-z]+)`").unwrap();
    let labels = |cells: &[String]| {
        let found = label.captures_iter(&cells[0]);
        found.map(|found| found[1].to_owned()).collect()
    };
    rows()
        .iter()
        .filter(|(name, _)| name.starts_with("sync_"))
        .map(|(name, cells)| (name.clone(), labels(cells)))
        .collect()
}

/// The source without its tests, file by file.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && !path.ends_with("tests.rs")
        {
            let text = fs::read_to_string(&path).unwrap();
            found.push(
                text.split("#[cfg(test)]\nmod tests {")
                    .next()
                    .unwrap()
                    .to_owned(),
            );
        }
    }
}

fn named_in_the_source(pattern: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let mut found = Vec::new();
    for folder in ["src", "crates/pubsub-emulator/src", "crates/simulator/src"] {
        sources(Path::new(folder), &mut found);
    }
    found
        .iter()
        .flat_map(|text| pattern.captures_iter(text))
        .map(|found| found[1].to_owned())
        .collect()
}

#[test]
fn the_document_lists_every_event_of_the_source_and_no_other() {
    let documented: BTreeSet<String> = documented_events().into_keys().collect();
    let source = named_in_the_source(r#"(?:event = |log_record!\(\w+, )"([a-z_]+)""#);
    assert_eq!(documented, source);
}

#[test]
fn the_document_lists_every_metric_of_the_source_and_no_other() {
    let documented: BTreeSet<String> = documented_metrics().into_keys().collect();
    let source = named_in_the_source(r#""(sync_(?:[a-z_]+_(?:total|seconds|open)|paused))""#);
    assert_eq!(documented, source);
}

/// A cancelled member, a token that expires soon, a person whom Lookup does not make clear, and
/// poison.
async fn scene() -> ServiceEnvironment {
    let accounts = vec![
        SimulatedUser::new(42, "spqr1"),
        SimulatedUser::new(43, "spqr2"),
    ];
    let people = vec![
        SimulatedPerson::cancelled("spqr1", "Gone"),
        SimulatedPerson::current("spqr2", "Here"),
    ];
    let scene = environment(accounts, people).await;
    let tomorrow = jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date()
        .tomorrow()
        .unwrap();
    let soon = TokenChange {
        expires_at: Some(tomorrow),
        ..TokenChange::default()
    };
    scene
        .servers
        .gitlab
        .change_token(ADMINISTRATORS_TOKEN, soon);
    scene
}

/// One run from its start to its stop; `GitLab` refuses the token once, so that a gate closes and
/// opens.
async fn life(scene: &ServiceEnvironment, mut running: ChildProcess) -> (Vec<String>, String) {
    let once = InjectedFault {
        status: Some(401),
        times: 1,
        ..InjectedFault::on("GET", "/api/v4/users?*")
    };
    scene.servers.gitlab.control().inject(once).unwrap();
    let attributes = BTreeMap::from([
        ("run".to_owned(), "run-1".to_owned()),
        (
            "traceparent".to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
        ),
    ]);
    scene.pubsub.publish("sync-tick", b"{}", attributes).await;
    scene.publish_raw("user-sync", b"{\"crsid\":42}").await;
    scene.quiet().await;
    until("all is told", async || {
        let said = running.lines().join("\n");
        said.matches("message_done").count() >= 3 && said.contains("message_dead_lettered")
    })
    .await;
    let url = format!("http://127.0.0.1:{}/metrics", running.port().await);
    let page = reqwest::get(url).await.unwrap().text().await.unwrap();
    (running.finish().await, page)
}

/// What differs from run to run, replaced.
fn normal(line: &str) -> String {
    let rules = [
        (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"),
        (r"\d{4}-\d\d-\d\d", "DAY"),
        (r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", "TRACEPARENT"),
        (r"(traces/)[0-9a-f]{32}", "${1}TRACE"),
        (r#"(spanId":")[0-9a-f]{16}"#, "${1}SPAN"),
        (r#"("line":)"\d+""#, r#"${1}"N""#),
        (r#"(milliseconds"?[:=])\d+"#, "${1}N"),
        (r#"(port"?[ :=])\d+"#, "${1}N"),
        (r#"((?:message_id|run)"?[:=]"?)\d+"#, "${1}N"),
        (r#"(closed_seconds"?[:=]| after )\d+"#, "${1}N"),
        (r#"(calls"?[:=])\d+"#, "${1}N"),
    ];
    rules.iter().fold(line.to_owned(), |line, (pattern, by)| {
        Regex::new(pattern)
            .unwrap()
            .replace_all(&line, *by)
            .into_owned()
    })
}

/// Which lines come, sorted, each once: how often and in which order is another test's matter.
fn distinct(lines: &[String]) -> String {
    let lines: BTreeSet<String> = lines
        .iter()
        .map(|line| normal(line))
        .filter(|line| !line.contains("stream_reopened"))
        .collect();
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_only_what_is_documented_as_json() {
    let scene = scene().await;
    let running = scene.serve_logged(&[], &[]).await;
    let (lines, page) = life(&scene, running).await;
    let documented = documented_events();
    for line in &lines {
        let json: Value = serde_json::from_str(line).expect(line);
        let levels = &documented[json["event"].as_str().expect(line)][0];
        let severity = json["severity"]
            .as_str()
            .unwrap()
            .replace("WARNING", "WARN");
        assert!(levels.contains(&severity), "{line}: {levels}");
    }
    insta::assert_snapshot!("json", distinct(&lines));
    assert_metrics(&page);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_only_what_is_documented_as_text() {
    let scene = scene().await;
    let mut running = scene.spawn(&["serve"], &[], "text");
    running.port().await;
    let (lines, _) = life(&scene, running).await;
    insta::assert_snapshot!("text", distinct(&lines));
}

/// Every metric on the page is documented, with these labels.
fn assert_metrics(page: &str) {
    let documented = documented_metrics();
    let sample = Regex::new(r"^([a-z_]+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? [^ ]+$").unwrap();
    let label = Regex::new(r#"([a-z]+)=""#).unwrap();
    let mut seen = BTreeSet::new();
    for line in page
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let found = sample.captures(line).expect(line);
        let labels = found.get(2).map_or("", |labels| labels.as_str());
        let mut labels: BTreeSet<String> = label
            .captures_iter(labels)
            .map(|found| found[1].to_owned())
            .collect();
        labels.remove("le");
        assert_eq!(documented.get(&found[1]), Some(&labels), "{line}");
        seen.insert(found[1].to_owned());
        assert!(!line.contains("spqr"), "no user in a label: {line}");
    }
    let all: BTreeSet<String> = documented.into_keys().collect();
    let unseen: Vec<&String> = all.difference(&seen).collect();
    assert_eq!(
        unseen,
        [
            "sync_guard_refusals_total",
            "sync_namespace_attempts_total",
            "sync_namespace_parts_total"
        ],
        "the guard agreed in this run, and nothing was bought"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_goes_from_the_tick_over_the_user_messages_to_the_outcomes_and_the_log() {
    let scene = scene().await;
    scene.copy_user_messages_to("copies").await;
    scene.copy_outcomes_to("outcomes").await;
    let running = scene.serve_logged(&[], &[]).await;
    let (lines, _) = life(&scene, running).await;

    let trace_of = |attributes: &BTreeMap<String, String>| {
        let parts: Vec<&str> = attributes["traceparent"].split('-').collect();
        (parts[1].to_owned(), parts[2].to_owned())
    };
    let users = scene.take("copies").await;
    let of_the_run: Vec<_> = users
        .iter()
        .filter(|(_, attributes)| attributes.get("run").is_some_and(|run| run == "run-1"))
        .map(|(_, attributes)| trace_of(attributes))
        .collect();
    assert_eq!(of_the_run.len(), 2, "one message an account");
    for (trace, span) in of_the_run {
        assert_eq!(trace, TRACE);
        assert_ne!(span, "00f067aa0ba902b7", "a span of its own");
    }
    let outcomes = scene.take("outcomes").await;
    let traced = outcomes
        .iter()
        .filter(|(_, attributes)| attributes["run"] == "run-1")
        // How far it has read, and that it waits, comes as often as it takes.
        .filter(|(_, attributes)| !["run_reading", "run_held"].contains(&&*attributes["kind"]))
        .inspect(|(_, attributes)| assert_eq!(trace_of(attributes).0, TRACE));
    assert_eq!(traced.count(), 3, "the run and two users");

    let name = format!("projects/{PROJECT}/traces/{TRACE}");
    let logged = lines
        .iter()
        .filter(|line| line.contains("message_done") && line.contains("run-1"))
        .inspect(|line| assert!(line.contains(&name), "{line}"));
    assert_eq!(logged.count(), 3);
}
