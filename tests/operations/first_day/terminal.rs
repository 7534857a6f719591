//! What only a person at a terminal is told: progress, what to type next, and a log that they can
//! read. `script` is the terminal.

use std::{path::Path, process::Stdio};

use lookup_gitlab_sync::messaging::wire::SyncTick;
use regex::Regex;
use serde_json::Value;
use simulator::population::Population;
use testkit::{environment::ServiceEnvironment, wait::until};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::support::environment_of;

async fn populated() -> ServiceEnvironment {
    let today = jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date();
    environment_of(&Population::generate(100, 5, today)).await
}

/// `line` in a shell on a terminal of 120 columns, with the binary as `$B`.
fn terminal(line: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = testkit::command::isolated("script");
    command
        .args([
            "-qec",
            &format!("stty rows 24 cols 120; {line}"),
            "/dev/null",
        ])
        .env("B", testkit::service_binary!())
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    command
}

async fn shown(scene: &ServiceEnvironment, line: &str, variables: &[(&str, &str)]) -> String {
    let mut command = terminal(line, variables);
    let output = command.envs(scene.servers.environment()).output().await;
    String::from_utf8(output.unwrap().stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn long_work_has_a_label_on_a_terminal_and_is_silent_everywhere_else() {
    let scene = populated().await;
    let calls = [
        ("$B plan", "reading GitLab"),
        ("$B compare --with 17", "reading GitLab"),
        ("$B history", "reading GitLab"),
        ("$B dead-letters list", "dead letters read"),
        ("$B pause", "until the pause holds"),
    ];
    for (line, label) in calls {
        let watched = shown(&scene, line, &[]).await;
        assert!(watched.contains(label), "{line}: {watched:?}");
        for (quiet, variables) in [
            (format!("{line} --output json"), &[][..]),
            (format!("{line} --quiet"), &[]),
            (format!("{line} 2> /dev/null"), &[]),
            (format!("{line} 2>&1 | cat"), &[]),
            (line.to_owned(), &[("NO_COLOR", "1")]),
        ] {
            // It is slow, and one way of being quiet is like the other.
            if line.contains("pause") && !quiet.contains("--quiet") {
                continue;
            }
            let quiet_says = shown(&scene, &quiet, variables).await;
            assert!(!quiet_says.contains(label), "{quiet}: {quiet_says:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_quiet_nothing_is_said_beside_the_result() {
    let scene = populated().await;
    let loud = scene.run(&["plan"], &[]).await;
    let quiet = scene.run(&["plan", "--quiet"], &[]).await;
    assert_eq!(loud.stdout, quiet.stdout);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (loud, quiet) = (text(loud.stderr), text(quiet.stderr));
    assert!(loud.contains("the guard agrees"), "{loud}");
    let is_log = |line: &str| line.contains("Z  WARN ");
    assert!(quiet.lines().all(is_log), "{quiet}");
    let refused = scene.run(&["explain", "a\nb", "-q"], &[]).await;
    assert!(!refused.stderr.is_empty(), "an error is said");
}

/// A process on a terminal, and what it shows.
struct WatchedProcess {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl WatchedProcess {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        Self {
            lines: BufReader::new(child.stdout.take().unwrap()).lines(),
            _child: child,
        }
    }

    /// What is shown until a line has `word`, that line included.
    async fn until(&mut self, word: &str) -> String {
        let mut text = String::new();
        while !text.contains(word) {
            let line = self.lines.next_line().await.unwrap();
            text.push_str(&line.unwrap_or_else(|| panic!("it ended: {text}")));
            text.push('\n');
        }
        text
    }
}

fn serving(scene: &ServiceEnvironment, line: &str, level: &str) -> WatchedProcess {
    let mut command = terminal(
        line,
        &[("LOG_LEVEL", level), ("PORT", "0"), ("NO_COLOR", "1")],
    );
    command.envs(scene.servers.environment());
    WatchedProcess::start(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_a_person_watches_tells_of_the_unchanged_in_one_line() {
    let scene = populated().await;
    let mut process = serving(&scene, "$B serve", "info");
    process.until("stage_started").await;
    scene.tick(SyncTick::default()).await;
    let log = process.until("run_unchanged").await;
    assert!(log.contains("kind=run_started"), "{log}");
    assert!(log.contains("result=applied"), "changes are told: {log}");
    assert!(!log.contains("result=unchanged"), "{log}");
    let unchanged = Regex::new(r"run_unchanged .*accounts=\d\d ").unwrap();
    assert!(unchanged.is_match(&log), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_debug_level_tells_of_every_account() {
    let scene = populated().await;
    let mut process = serving(&scene, "$B serve", "debug");
    process.until("stage_started").await;
    scene.tick(SyncTick::default()).await;
    let log = process.until("result=unchanged").await;
    assert!(!log.contains("run_unchanged"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_with_standard_error_and_is_whole_there() {
    let scene = populated().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let line = format!("$B serve 2> {}", file.display());
    let _process = serving(&scene, &line, "info");
    let lines = || -> Vec<Value> {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    };
    until("it consumes", async || {
        lines().iter().any(|line| line["event"] == "stage_started")
    })
    .await;
    scene.tick(SyncTick::default()).await;
    until("every account is told of", async || {
        let lines = lines();
        let unchanged = lines.iter().filter(|line| line["result"] == "unchanged");
        unchanged.count() > 10
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn simulate_tells_a_person_what_to_type_next() {
    let folder = tempfile::tempdir().unwrap();
    for (option, expected) in [
        ("--env-file sim.env", ". ./sim.env"),
        ("", "export GITLAB_URL='http"),
        (
            "--without-pubsub --env-file sim.env",
            "lookup-gitlab-sync plan",
        ),
    ] {
        let mut command = terminal(&format!("$B simulate --users 10 {option}"), &[]);
        command.current_dir(folder.path());
        let mut process = WatchedProcess::start(command);
        let last = if option.contains("without") {
            "lookup-gitlab-sync plan"
        } else {
            "tick --follow"
        };
        let text = process.until(last).await;
        assert!(text.contains(expected), "{option}: {text}");
        assert!(text.contains("\"event\":\"ready\""), "{text}");
    }
}

/// With a letter for each number that differs from run to run.
fn without_chance(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, replacement) in [
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"in \d+ ms", "in N ms"),
        (r"dead letter \d+", "dead letter ID"),
        (r"\d+ reads", "N reads"),
        (r"Lookup: \d+ calls", "Lookup: N calls"),
    ] {
        let pattern = Regex::new(pattern).unwrap();
        text = pattern.replace_all(&text, replacement).into_owned();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_shows_what_the_demo_prints() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let shown = readme
        .split("```")
        .find(|block| block.contains("in a simulated GitLab"))
        .unwrap();
    let demo = testkit::command::isolated(testkit::service_binary!())
        .arg("demo")
        .output()
        .await
        .unwrap();
    let printed = String::from_utf8(demo.stdout).unwrap();
    assert_eq!(
        without_chance(printed.trim()),
        without_chance(shown.trim()),
        "README.md, and what `demo` prints"
    );
}
