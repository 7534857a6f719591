//! Secrets and people, marked, looked for in every byte that left the process.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lookup_gitlab_sync::messaging::{Topic, Traceparent, attributes, wire::SyncTick};
use serde_json::json;
use simulator::{
    control::{Cut, InjectedFault},
    gitlab::{ADMINISTRATORS_TOKEN, SimulatedUser, UserIdentity, UserState},
    lookup::{CLIENT_ID, CLIENT_SECRET, GROUP, GROUP_PASSWORD, SimulatedPerson},
};
use testkit::wait::until;

use super::recorded::RecordedEnvironment;

/// In every name, e-mail address, note, cookie and body that the scenario holds.
const MARK: &str = "sentinel";

/// Somebody's row in GitLab, with marks in all that says who they are.
fn somebody(id: u64, username: &str) -> SimulatedUser {
    let mut account = SimulatedUser::new(id, username)
        .with("name", "Sentinel Fullname")
        .with("email", "sentinel@example.ac.uk")
        .with("public_email", "sentinel-public@example.ac.uk")
        .with("commit_email", "sentinel-commit@example.ac.uk")
        .with("emails", json!(["sentinel-other@example.ac.uk"]))
        .with("note", "sentinel-note")
        .with("bio", "sentinel-bio")
        .with("location", "sentinel-location")
        .with("organization", "sentinel-organization")
        .with("last_sign_in_ip", "sentinel-address")
        .with("avatar_url", "https://example.ac.uk/sentinel.png");
    let extern_uid = format!("sentinel-{username}@example.ac.uk");
    account.identities = vec![UserIdentity::new("saml", &extern_uid)];
    account.with_attribute("sentinel-key", "sentinel-value")
}

fn person(crsid: &str, cancelled: bool) -> SimulatedPerson {
    let person = if cancelled {
        SimulatedPerson::cancelled(crsid, "Sentinel-Surname")
    } else {
        SimulatedPerson::current(crsid, "Sentinel-Surname")
    };
    let mail = json!([{"scheme": "email", "value": "sentinel-lookup@example.ac.uk"}]);
    person
        .with("displayName", "Sentinel Displayed")
        .with("attributes", mail)
}

async fn stage() -> RecordedEnvironment {
    let accounts = (42..60).map(|id| somebody(id, &format!("ab{id}")));
    let people = (42..60).map(|id| person(&format!("ab{id}"), id < 46));
    let stage = RecordedEnvironment::of(accounts.collect(), people.collect()).await;
    stage
        .pubsub
        .subscribe("outcomes-seen", "sync-outcome")
        .await;
    stage.pubsub.subscribe("requests-seen", "user-sync").await;
    stage
}

/// All that must not be found, in small letters.
fn secrets() -> Vec<String> {
    let pair = |name: &str, secret: &str| STANDARD.encode(format!("{name}:{secret}"));
    [
        MARK,
        ADMINISTRATORS_TOKEN,
        CLIENT_SECRET,
        GROUP_PASSWORD,
        "simulated-access-token",
        &pair(CLIENT_ID, CLIENT_SECRET),
        &pair(GROUP, GROUP_PASSWORD),
    ]
    .map(str::to_lowercase)
    .to_vec()
}

/// Looks for each secret as text, and as the list of numbers that `Debug` makes of bytes.
fn assert_nothing_leaked(stage: &RecordedEnvironment) {
    let said = stage.said();
    assert!(!said.is_empty());
    let mut leaks = Vec::new();
    for secret in secrets() {
        let numbers: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
        let numbers = numbers.join(", ");
        for (from, bytes) in &said {
            let text = String::from_utf8_lossy(bytes).to_lowercase();
            let found = |line: &&str| line.contains(&secret) || line.contains(&numbers);
            leaks.extend(
                text.lines()
                    .filter(found)
                    .map(|line| format!("{secret} in {from}: {line}")),
            );
        }
    }
    assert!(
        leaks.is_empty(),
        "{} leaks:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
}

fn assert_each_log_line_is_one_json_object_and_no_librarys_detail(stage: &RecordedEnvironment) {
    let lines = stage.said();
    let lines = lines.iter().filter(|(from, _)| from == "stdout of serve");
    let mut count = 0;
    for line in lines.flat_map(|(_, bytes)| std::str::from_utf8(bytes).unwrap().lines()) {
        let parsed: Result<serde_json::Map<_, _>, _> = serde_json::from_str(line);
        let Ok(parsed) = parsed else { panic!("{line}") };
        let own = parsed["target"]
            .as_str()
            .unwrap()
            .starts_with("lookup_gitlab_sync");
        assert!(own || parsed["severity"] != "DEBUG", "a library's: {line}");
        count += 1;
    }
    assert!(count > 50, "{count} lines");
}

/// Each way in which an upstream's answer can be of no use, with marks wherever it can hold one.
fn failures() -> Vec<InjectedFault> {
    let marked = json!({
        "message": "sentinel-message", "error": "sentinel-error", "error_description": "sentinel-text",
        "id": "sentinel-id", "username": "sentinel-username", "result": {"version": "sentinel-version"},
    });
    let headers: BTreeMap<String, String> = [
        ("set-cookie", "sentinel-cookie=1"),
        ("www-authenticate", "Basic realm=\"sentinel-realm\""),
        ("retry-after", "0"),
        ("x-next-page", "sentinel-page"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let answer = |status: u16, body: serde_json::Value| InjectedFault {
        status: Some(status),
        headers: headers.clone(),
        body: Some(body),
        ..InjectedFault::on("*", "*")
    };
    let statuses = [
        200, 201, 204, 400, 401, 403, 404, 408, 418, 429, 500, 502, 503,
    ];
    let mut faults: Vec<InjectedFault> =
        statuses.map(|status| answer(status, marked.clone())).into();
    let html = json!("<html><body>sentinel-page</body></html>");
    faults.extend([200, 404, 503].map(|status| answer(status, html.clone())));
    faults.extend(
        [
            json!("{\"id\": 1, \"name\": \"sentinel"),
            json!(["sentinel"]),
            json!([marked]),
        ]
        .map(|body| answer(200, body)),
    );
    let target = "https://login.example.ac.uk/sentinel?token=sentinel".to_owned();
    let mut moved = answer(302, json!(""));
    moved.headers.insert("location".to_owned(), target);
    faults.push(moved);
    faults.extend([Cut::Before, Cut::After].map(|cut| InjectedFault {
        drop: Some(cut),
        ..InjectedFault::on("*", "*")
    }));
    faults
}

const ONE_ATTEMPT: &[(&str, &str)] = &[
    ("LOOKUP_GITLAB_SYNC__GITLAB__CALLS__READ_ATTEMPTS", "1"),
    ("LOOKUP_GITLAB_SYNC__DIRECTORY__CALLS__READ_ATTEMPTS", "1"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_in_any_way_tells_no_secret_and_nobodys_name() {
    let stage = stage().await;
    for fault in failures() {
        for upstream in [
            stage.servers.gitlab.control(),
            stage.servers.lookup.control(),
        ] {
            upstream.inject(fault.clone()).unwrap();
            let output = stage.run(&["explain", "ab42"], ONE_ATTEMPT).await;
            assert!(!output.stderr.is_empty());
            stage.heal();
        }
    }
    for arguments in [
        &["plan"][..],
        &["plan", "--output", "json"],
        &["plan", "--output", "csv"],
        &["explain", "ab43", "--output", "json"],
        &["config", "show"],
        &["config", "check"],
    ] {
        let output = stage.run(arguments, &[]).await;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
    stage.run(&["topology", "check"], &[]).await;
    assert_nothing_leaked(&stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn direct_access_tells_the_groups_password_to_lookup_alone() {
    let stage = stage().await;
    let direct = stage.servers.lookup.direct_url();
    let group = [
        ("LOOKUP_URL", direct.as_str()),
        ("LOOKUP_TOKEN_URL", ""),
        ("LOOKUP_CLIENT_ID", ""),
        ("LOOKUP_CLIENT_SECRET", ""),
        ("LOOKUP_USERNAME", GROUP),
        ("LOOKUP_PASSWORD", GROUP_PASSWORD),
    ];
    assert_eq!(stage.run(&["plan"], &group).await.status.code(), Some(0));
    let wrong = [&group[..], &[("LOOKUP_PASSWORD", "sentinel-password")]].concat();
    assert_eq!(stage.run(&["plan"], &wrong).await.status.code(), Some(4));
    stage.run(&["config", "show"], &group).await;
    assert_nothing_leaked(&stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_refused_are_not_repeated() {
    let stage = stage().await;
    for wrong in [
        ("GITLAB_TOKEN", "sentinel-token"),
        ("LOOKUP_CLIENT_ID", "sentinel-client"),
        ("LOOKUP_CLIENT_SECRET", "sentinel-secret"),
    ] {
        let output = stage.run(&["plan"], &[wrong]).await;
        assert_eq!(output.status.code(), Some(4), "{}", wrong.0);
    }
    assert_nothing_leaked(&stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_in_trouble_tells_no_secret_and_nobodys_name() {
    let stage = stage().await;
    let process = stage.serve(&[]).await;

    // Four blocks, one of them refused by GitLab with a body, at every attempt; one lost after its
    // effect. Of a body its message alone is told, which says what is wrong with the record and by
    // GitLab's own rules names no value.
    let block = |id: u64| format!("/api/v4/users/{id}/block");
    let broken = InjectedFault {
        status: Some(500),
        body: Some(json!({
            "message": "Name can't be blank (sentinel@example.org)",
            "trace": "sentinel-message",
        })),
        ..InjectedFault::on("POST", &block(42))
    };
    let lost = InjectedFault {
        drop: Some(Cut::After),
        times: 1,
        ..InjectedFault::on("POST", &block(43))
    };
    for fault in [broken, lost] {
        stage.servers.gitlab.control().inject(fault).unwrap();
    }
    tick(&stage).await;
    for body in POISON {
        publish(&stage, Topic::UserSync, body).await;
        publish(&stage, Topic::SyncTick, body).await;
    }
    stage.quiet().await;
    assert_eq!(
        stage.servers.gitlab.account(43).unwrap().state,
        UserState::Blocked
    );

    // An unblock, and both upstreams failing in every way in the middle of it.
    stage.servers.lookup.set_cancelled("ab43", false);
    for fault in failures() {
        stage.fail(&fault);
        stage.servers.lookup.revoke_tokens();
        let asked = stage.servers.gitlab.control().count("*", "*")
            + stage.servers.lookup.control().count("*", "*");
        publish(&stage, Topic::UserSync, br#"{"crsid":"ab43"}"#).await;
        until("the fault is met, or its gate is shut", async || {
            let now = stage.servers.gitlab.control().count("*", "*")
                + stage.servers.lookup.control().count("*", "*");
            now > asked || stage.ask(&process, "/readyz").await == 503
        })
        .await;
        stage.heal();
    }
    for path in ["/livez", "/readyz", "/metrics", "/status"] {
        stage.ask(&process, path).await;
    }
    stage.quiet().await;
    assert_eq!(
        stage.servers.gitlab.account(43).unwrap().state,
        UserState::Active
    );

    for arguments in [
        &["dead-letters", "list"][..],
        &["dead-letters", "list", "--output", "json"],
        &["dead-letters", "replay", "--all", "--dry-run"],
    ] {
        stage.run(arguments, &[]).await;
    }
    stage.ask(&process, "/metrics").await;
    assert_eq!(process.terminate().await, Some(0));
    assert!(stage.take("outcomes-seen", true).await > 20);
    assert!(stage.take("requests-seen", false).await > 20);
    let dead = stage.take("user-sync-dead-hold", false).await;
    assert!(dead > POISON.len(), "{dead}");
    stage.take("sync-tick-dead-hold", false).await;
    assert_nothing_leaked(&stage);
    assert_each_log_line_is_one_json_object_and_no_librarys_detail(&stage);
}

/// Bodies that are no requests, with marks in values; a dead letter's own body is kept as it was,
/// and is nobody's line.
const POISON: [&[u8]; 5] = [
    b"sentinel is no JSON",
    br#"{"crsid":"ab44","reason":["Sentinel"]}"#,
    br#"{"crsid":"ab44","surname":"Sentinel"}"#,
    br#"{"crsid":"ab44","requested_by":{"name":"sentinel"}}"#,
    br#"{"crsid":"ab44","dry_run":"sentinel"}"#,
];

async fn tick(stage: &RecordedEnvironment) {
    let attributes = attributes::for_message("run-1", "test", &Traceparent::new());
    let body = serde_json::to_vec(&SyncTick::default()).unwrap();
    stage.pubsub.publish("sync-tick", &body, attributes).await;
}

async fn publish(stage: &RecordedEnvironment, topic: Topic, body: &[u8]) {
    stage.publish_raw(topic.as_str(), body).await;
}
