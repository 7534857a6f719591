//! The commands as a person runs them.

use std::time::Duration;

use serde_json::Value;
use simulator::{
    control::RateLimit, gitlab::SimulatedUser, lookup::SimulatedPerson, population::Population,
    servers::ServerSettings,
};
use testkit::environment::ServiceEnvironment;

use crate::support::{environment, environment_of, environment_with};

fn lines(output: &std::process::Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_and_explain_write_nothing_and_publish_nothing() {
    let today = jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date();
    let population = Population::generate(300, 3, today);
    let scene = environment_of(&population).await;
    let counts = population.counts();

    let plan = scene.run(&["plan", "--output", "json"], &[]).await;
    assert_eq!(plan.status.code(), Some(0));
    let rows = lines(&plan);
    let summary = rows.last().unwrap();
    assert_eq!(
        (summary["kind"].as_str(), summary["guard"].as_str()),
        (Some("summary"), Some("agrees"))
    );
    assert_eq!(rows.len() - 1, counts.blocks + counts.unblocks);

    for row in &rows[..rows.len() - 1] {
        let id = row["id"].to_string();
        let explained = scene.run(&["explain", &id, "--output", "json"], &[]).await;
        let steps = lines(&explained);
        let decision = steps
            .iter()
            .find(|step| step["step"] == "decision")
            .unwrap();
        let expected = format!(
            "{} ({})",
            row["decision"].as_str().unwrap(),
            row["reason"].as_str().unwrap()
        );
        assert_eq!(decision["finding"], expected.as_str());
    }
    assert_eq!(scene.writes(), 0);
    for subscription in ["sync-tick-fan-out", "user-sync-worker"] {
        assert_eq!(scene.counts(subscription).published, 0, "{subscription}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_without_pubsub_needs_no_project() {
    let scene = environment(
        vec![SimulatedUser::new(42, "spqr1")],
        vec![SimulatedPerson::cancelled("spqr1", "Gone")],
    )
    .await;
    let none = [("GOOGLE_CLOUD_PROJECT", ""), ("PUBSUB_EMULATOR_HOST", "")];
    assert_eq!(scene.run(&["plan"], &none).await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_exits_3_where_the_guard_would_refuse() {
    let accounts = (10..30)
        .map(|id| SimulatedUser::new(id, &format!("ab{id}")))
        .collect();
    let people = (10..30)
        .map(|id| SimulatedPerson::cancelled(&format!("ab{id}"), "Gone"))
        .collect();
    let scene = environment(accounts, people).await;
    let plan = scene.run(&["plan"], &[]).await;
    assert_eq!(plan.status.code(), Some(3));
    let said = String::from_utf8(plan.stderr).unwrap();
    assert!(
        said.contains("20 now and 0 in the last 24 hours of 20, allowed 10"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_exits_4_where_an_upstream_is_unavailable() {
    let scene = environment(Vec::new(), Vec::new()).await;
    let refused = [("GITLAB_URL", "http://127.0.0.1:1")];
    let plan = scene.run(&["plan"], &refused).await;
    assert_eq!(
        plan.status.code(),
        Some(4),
        "{}",
        String::from_utf8_lossy(&plan.stderr)
    );
    assert!(plan.stdout.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_says_when_it_waits_for_a_rate_limit() {
    let limited = ServerSettings {
        rate_limit: Some(RateLimit {
            requests: 2,
            period: Duration::from_secs(6),
        }),
        ..ServerSettings::default()
    };
    let accounts = (10..410)
        .map(|id| SimulatedUser::new(id, &format!("external-{id}")))
        .collect();
    let scene = environment_with(accounts, Vec::new(), limited).await;
    let plan = scene.run(&["plan"], &[]).await;
    let said = String::from_utf8(plan.stderr).unwrap();
    assert_eq!(plan.status.code(), Some(0), "{said}");
    let told = said
        .lines()
        .filter(|line| line.contains("for its rate limit"));
    assert!(told.count() > 0, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tick_follow_shows_the_run_to_its_end() {
    let mut scene = environment(
        vec![SimulatedUser::new(42, "spqr1")],
        vec![SimulatedPerson::cancelled("spqr1", "Gone")],
    )
    .await;
    scene.serve(&[], &[]).await;
    let followed = scene
        .run(
            &["tick", "--follow", "--reason", "a test", "--output=json"],
            &[],
        )
        .await;
    assert_eq!(
        followed.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&followed.stderr)
    );
    let rows = lines(&followed);
    let user = rows.iter().find(|row| row["kind"] == "user").unwrap();
    assert_eq!(
        (user["username"].as_str(), user["result"].as_str()),
        (Some("spqr1"), Some("applied"))
    );
    let summary = rows.last().unwrap();
    assert_eq!(
        (summary["kind"].as_str(), summary["accounts"].as_u64()),
        (Some("summary"), Some(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tick_follow_exits_3_where_the_guard_refused() {
    let accounts = (10..30)
        .map(|id| SimulatedUser::new(id, &format!("ab{id}")))
        .collect();
    let people = (10..30)
        .map(|id| SimulatedPerson::cancelled(&format!("ab{id}"), "Gone"))
        .collect();
    let mut scene = environment(accounts, people).await;
    scene.serve(&[], &[]).await;
    let followed = scene.run(&["tick", "--follow"], &[]).await;
    assert_eq!(followed.status.code(), Some(3));
    let said = String::from_utf8(followed.stderr).unwrap();
    assert!(said.contains("20 now and 0 in the last 24 hours"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn topology_is_made_once_and_checked() {
    let scene = environment(Vec::new(), Vec::new()).await;
    let prefix = [("LOOKUP_GITLAB_SYNC__PUBSUB__PREFIX", "other-")];
    let missing = scene
        .run(&["topology", "check", "--output", "json"], &prefix)
        .await;
    assert_eq!(missing.status.code(), Some(1));
    assert!(lines(&missing).iter().any(|line| {
        line["subject"]
            .as_str()
            .unwrap()
            .contains("other-user-sync")
    }));
    assert_eq!(
        scene
            .run(&["topology", "apply"], &prefix)
            .await
            .status
            .code(),
        Some(0)
    );
    assert_eq!(
        scene
            .run(&["topology", "check"], &prefix)
            .await
            .status
            .code(),
        Some(0)
    );
    let again = scene.run(&["topology", "apply"], &prefix).await;
    assert!(again.stdout.is_empty(), "everything is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_use_exits_2_and_says_what_is_allowed() {
    let scene = environment(Vec::new(), Vec::new()).await;
    for arguments in [
        &["tick", "--max-block-percent", "101"][..],
        &["plan", "--max-block-percent", "-5"],
        &["plan", "--max-unblock-percent", "12%"],
        &["resync"],
        &["resync", "0"],
        &["serve", "all"],
        &["demo", "--output", "csv"],
    ] {
        let output = scene.run(arguments, &[]).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stage_would_refuse_is_refused_before_it_is_published() {
    let scene = environment(Vec::new(), Vec::new()).await;
    let long = "x".repeat(1_500);
    let reasons = ["", "a\nb", "a\u{2028}b", "a\u{7}b", &long];
    for reason in reasons {
        for asked in [&["tick"][..], &["resync", "spqr1"]] {
            let arguments = [asked, &["--reason", reason]].concat();
            refused(&scene, &arguments, &[]).await;
        }
    }
    let too_long = "x".repeat(256);
    for who in ["a\nb", "a\u{1b}[2Jb", &too_long] {
        refused(&scene, &["resync", who], &[]).await;
    }
    for user in ["a\nb", "a\u{1b}[2Jb", &long] {
        for asked in [&["tick"][..], &["resync", "spqr1"]] {
            let said = refused(&scene, asked, &[("USER", user)]).await;
            assert!(said.contains("USER"), "{said}");
        }
    }
    for subscription in ["sync-tick-fan-out", "user-sync-worker"] {
        assert_eq!(scene.counts(subscription).published, 0, "{subscription}");
    }
    let fitting = "x".repeat(1_000);
    for asked in [&["tick"][..], &["resync", "spqr1"]] {
        let arguments = [asked, &["--reason", &fitting]].concat();
        let output = scene.run(&arguments, &[("USER", "somebody")]).await;
        assert_eq!(output.status.code(), Some(0), "{asked:?}");
    }
}

async fn refused(
    scene: &ServiceEnvironment,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> String {
    let output = scene.run(arguments, variables).await;
    assert_eq!(output.status.code(), Some(2), "{arguments:?} {variables:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("one line of 1 to"), "{arguments:?}: {said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_of_a_run_names_the_changed_and_counts_the_rest_beside_them() {
    let accounts = vec![
        SimulatedUser::new(42, "spqr1"),
        SimulatedUser::new(43, "spqr2"),
    ];
    let people = vec![
        SimulatedPerson::cancelled("spqr1", "Gone"),
        SimulatedPerson::current("spqr2", "Here"),
    ];
    let mut scene = environment(accounts, people).await;
    scene.serve(&[], &[]).await;
    let followed = scene.run(&["tick", "--follow", "--output=csv"], &[]).await;
    assert_eq!(followed.status.code(), Some(0));
    assert_eq!(
        String::from_utf8(followed.stdout).unwrap(),
        "id,username,crsid,decision,reason,result\n42,spqr1,spqr1,block,cancelled_in_lookup,applied\n"
    );
    let said = String::from_utf8(followed.stderr).unwrap();
    assert!(
        said.contains("1  block (cancelled_in_lookup): applied"),
        "{said}"
    );
    assert!(said.contains(": unchanged"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_ends_as_it_must() {
    let scene = environment(Vec::new(), Vec::new()).await;
    let demo = scene
        .run(&["demo", "--users", "300", "--output", "json"], &[])
        .await;
    assert_eq!(
        demo.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&demo.stderr)
    );
    let report = &lines(&demo)[0];
    assert_eq!(report["ok"], true);
    assert_eq!(report["second_tick"]["gitlab_writes"], 0);
    assert_eq!(scene.writes(), 0, "it touches only the servers it started");
}

/// The picture of the demo is recorded by hand (`just record-demo`): what its runs cost GitLab does
/// not depend on the machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_demo_costs_gitlab_what_the_readme_says() {
    let scene = environment(Vec::new(), Vec::new()).await;
    let demo = scene.run(&["demo"], &[]).await;
    let text = String::from_utf8(demo.stdout).unwrap();
    let calls = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim);
        let of_gitlab = lines.filter(|line| line.contains(" reads and "));
        let before_lookups = of_gitlab.filter_map(|line| line.split_once(';'));
        before_lookups.map(|(calls, _)| calls.to_owned()).collect()
    };
    let recorded = calls(&testkit::project::read("README.md"));
    assert_eq!(recorded.len(), 2, "of both ticks");
    assert_eq!(calls(&text), recorded);
}
