//! What is printed goes well through pipes, fits narrow terminals, and has no colour where none is
//! wanted.

use std::process::Stdio;

use simulator::population::Population;
use testkit::environment::ServiceEnvironment;
use testkit::wait::until;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::environment_of;

async fn populated() -> ServiceEnvironment {
    let today = jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date();
    environment_of(&Population::generate(100, 5, today)).await
}

/// In bash, with the binary as `$B`: what went out, and what went to standard error.
async fn bash(
    scene: &ServiceEnvironment,
    script: &str,
    variables: &[(&str, &str)],
) -> (String, String) {
    let output = testkit::command::isolated("bash")
        .args(["-c", script])
        .envs(scene.servers.environment())
        .env("B", testkit::service_binary!())
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .output()
        .await
        .unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_early_is_no_failure() {
    let scene = populated().await;
    // The scene's redeliveries come at once; `topology check` would tell.
    scene.run(&["topology", "apply"], &[]).await;
    for command in [
        "$B plan --all --output csv",
        "$B plan --all --output json",
        "$B plan --all",
        "$B explain 2",
        "$B config show",
        "$B config check",
        "$B topology check",
        "$B completions bash",
        "$B --help",
    ] {
        // `true` reads nothing at all, `head` one line.
        for reader in ["true", "head -n 1"] {
            let script = format!("{command} | {reader} > /dev/null; echo ${{PIPESTATUS[0]}}");
            let (codes, said) = bash(&scene, &script, &[]).await;
            assert_eq!(codes, "0\n", "{command} | {reader}: {said}");
            assert!(!said.contains("panicked"), "{command} | {reader}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_whose_log_nobody_reads_any_more_serves_on() {
    let scene = populated().await;
    let mut child = testkit::command::isolated(testkit::service_binary!())
        .args(["serve", "--log-format=json"])
        .envs(scene.servers.environment())
        .env("PORT", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = loop {
        let line = lines.next_line().await.unwrap().expect("it serves");
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        if event["event"] == "serving" {
            break event["port"].as_u64().unwrap();
        }
    };
    drop((lines, child.stderr.take()));
    scene
        .tick(lookup_gitlab_sync::messaging::wire::SyncTick::default())
        .await;
    until("the run is done", async || {
        scene.counts("sync-tick-fan-out").acked > 0
    })
    .await;
    scene.quiet().await;
    assert!(child.try_wait().unwrap().is_none(), "it still runs");
    let alive = reqwest::get(format!("http://127.0.0.1:{port}/livez")).await;
    assert_eq!(alive.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_keeps_to_the_width_that_is_asked_for() {
    let scene = populated().await;
    for (width, most) in [("60", 60), ("100", 100)] {
        let (table, said) = bash(&scene, "$B config show", &[("COLUMNS", width)]).await;
        let widest = table.lines().map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|widest| widest <= most), "{table}{said}");
    }
    let (piped, _) = bash(&scene, "$B config show", &[]).await;
    let rows = piped
        .lines()
        .filter(|line| line.contains("users.username_patterns"));
    assert_eq!(rows.count(), 1, "in a pipe a row is one line");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_terminal_gets_a_narrow_table_and_colour_only_where_it_is_wanted() {
    let scene = populated().await;
    let script = "script -qec 'stty rows 24 cols 50; $B config show' /dev/null";
    let (coloured, _) = bash(&scene, script, &[]).await;
    assert!(coloured.contains("gitlab.url"), "{coloured}");
    assert!(
        coloured.contains('\u{1b}'),
        "the heading is bold: {coloured:?}"
    );
    let (plain, _) = bash(&scene, script, &[("NO_COLOR", "1")]).await;
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    let widest = plain
        .lines()
        .map(|line| line.trim_end().chars().count())
        .max();
    assert!(widest.is_some_and(|widest| widest <= 50), "{plain}");
}
