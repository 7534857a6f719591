//! What upstreams and publishers say is shown on a terminal, in a file, in a spreadsheet: as text,
//! and nothing else.

use std::collections::BTreeMap;

use simulator::gitlab::{SimulatedUser, UserState};

use super::recorded::RecordedEnvironment;

/// Clears the screen, forges a line, turns the reading direction, sets the title, hides, ends a CSV
/// field.
const HOSTILE: &str = "\u{1b}[2J\r\n2026-11-01T00:00:00Z ERROR forged\u{202e}\u{9b}31m\u{1b}]0;title\u{7}\u{200b}\u{2028}\",\"x";

fn forgotten(id: u64, username: &str) -> SimulatedUser {
    let account = SimulatedUser::new(id, username)
        .with("last_activity_on", "2019-01-01")
        .with("name", HOSTILE);
    ["created_at", "confirmed_at"]
        .into_iter()
        .fold(account, |account, key| {
            account.with(key, "2018-01-01T00:00:00.000Z")
        })
}

fn accounts() -> Vec<SimulatedUser> {
    let marker = serde_json::json!({"v": 1, "reason": HOSTILE, "at": "2026-11-01T02:00:03Z", "run": HOSTILE});
    let mut odd = forgotten(44, &format!("external-state{HOSTILE}"))
        .with_attribute("lookup_gitlab_sync", marker.to_string())
        .with_attribute("blocked_by", HOSTILE);
    odd.state = UserState::Other(HOSTILE.to_owned());
    vec![
        forgotten(42, &format!("external-{HOSTILE}")),
        forgotten(43, &format!("external-{}", "x".repeat(100_000))),
        odd,
        forgotten(45, "=cmd|' /C calc'!A0"),
        forgotten(46, "@SUM(1+1)*cmd"),
        forgotten(47, "\u{ff1d}1+1"),
    ]
}

const EVERYBODY_EXTERNAL: &[(&str, &str)] = &[
    ("LOOKUP_GITLAB_SYNC__USERS__EXTERNAL_PATTERNS", r#"["^."]"#),
    ("LOG_LEVEL", "info"),
];

/// Whether a terminal would do anything but show it; a line may end.
fn acts(text: &str) -> Option<char> {
    let hidden = |c: &char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    text.chars()
        .find(|c| (c.is_control() && *c != '\n') || hidden(c))
}

fn assert_harmless(stage: &RecordedEnvironment) {
    for (from, bytes) in stage.said() {
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(acts(&text), None, "{from}: {text:?}");
        let forged = text.lines().find(|line| line.starts_with("2026-11-01"));
        assert_eq!(forged, None, "{from}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gitlab_says_cannot_act_on_a_terminal() {
    let stage = RecordedEnvironment::of(accounts(), Vec::new()).await;
    for id in [
        "42",
        "43",
        "44",
        "45",
        HOSTILE,
        &format!("external-{HOSTILE}"),
    ] {
        for output in ["table", "json", "csv"] {
            let arguments = ["explain", id, "--output", output];
            stage.run(&arguments, EVERYBODY_EXTERNAL).await;
        }
    }
    for output in ["table", "json", "csv"] {
        let planned = stage
            .run(&["plan", "--output", output], EVERYBODY_EXTERNAL)
            .await;
        assert_eq!(planned.status.code(), Some(0));
        let rows = String::from_utf8(planned.stdout).unwrap();
        assert!(rows.contains("external-"), "{rows}");
    }
    assert_harmless(&stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gitlab_says_is_no_formula_in_a_spreadsheet() {
    let stage = RecordedEnvironment::of(accounts(), Vec::new()).await;
    let planned = stage
        .run(&["plan", "--output", "csv"], EVERYBODY_EXTERNAL)
        .await;
    let rows = String::from_utf8(planned.stdout).unwrap();
    // A username that is longer than GitLab lets any be makes its account unreadable.
    assert_eq!(rows.lines().count(), 5, "a header and four blocks: {rows}");
    for row in rows.lines() {
        for cell in row.split(',') {
            let first = cell.trim_start_matches(['"', ' ']).chars().next();
            let formula = first.is_some_and(|c| "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(c));
            assert!(!formula, "{row}");
        }
    }
    for kept in ["'=cmd|", "'@SUM", "'\u{ff1d}1+1"] {
        assert!(rows.contains(kept), "{kept}: {rows}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_publishers_say_cannot_act_on_a_terminal() {
    let stage = RecordedEnvironment::of(accounts(), Vec::new()).await;
    let process = stage.serve(&[]).await;
    let attributes: BTreeMap<String, String> = [
        ("run", HOSTILE),
        ("traceparent", HOSTILE),
        ("published_by", HOSTILE),
        ("dead_letter_reason", HOSTILE),
        ("dead_letter_detail", HOSTILE),
        ("deaths", HOSTILE),
        ("colour\u{202e}", HOSTILE),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let field = serde_json::to_string(HOSTILE).unwrap();
    let bodies = [
        HOSTILE.to_owned(),
        format!("{{{field}: 1}}"),
        format!("{{\"username\": {field}}}"),
        "{\"crsid\": \"spqr1\", \"reason\": \"a\u{202e}b\", \"requested_by\": \"c\u{200b}d\"}"
            .to_owned(),
        format!("{{\"username\": \"external-\u{202e}x\", \"reason\": {field}}}"),
    ];
    for body in &bodies {
        let attributes = attributes.clone();
        stage
            .pubsub
            .publish("user-sync", body.as_bytes(), attributes)
            .await;
    }
    stage.quiet().await;
    for output in ["table", "json", "csv"] {
        let listed = stage
            .run(
                &["dead-letters", "list", "--output", output],
                &[("LOG_LEVEL", "info")],
            )
            .await;
        let text = String::from_utf8(listed.stdout).unwrap();
        assert!(text.contains("invalid_field"), "{text}");
    }
    let listed = stage
        .run(
            &["dead-letters", "list", "--output", "json"],
            &[("LOG_LEVEL", "info")],
        )
        .await;
    for line in String::from_utf8(listed.stdout).unwrap().lines() {
        let letter: serde_json::Value = serde_json::from_str(line).unwrap();
        for output in ["table", "json", "csv"] {
            let id = letter["id"].as_str().unwrap();
            let show = ["dead-letters", "show", id, "--output", output];
            stage.run(&show, &[("LOG_LEVEL", "info")]).await;
        }
    }
    assert_eq!(process.terminate().await, Some(0));
    assert_harmless(&stage);
}
