//! Accounts that GitLab cannot handle, among many that it can, as the real binary meets them.

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use lookup_gitlab_sync::messaging::wire::{SyncTick, UserSync};
use rstest::rstest;
use serde_json::{Value, json};
use simulator::{
    control::{Cut, InjectedFault},
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
};
use testkit::environment::ServiceEnvironment;
use testkit::wait::until;
use tokio::time::sleep;

use crate::support::environment;

/// What one account's block may be answered for ever, and a part of what is said of it at the end.
fn answers() -> Vec<(InjectedFault, &'static str)> {
    let json = |status, body| InjectedFault {
        status: Some(status),
        body: Some(body),
        ..InjectedFault::on("POST", "")
    };
    let page = |status| InjectedFault {
        status: Some(status),
        body: Some(json!("<html></html>")),
        headers: [("content-type".to_owned(), "text/html".to_owned())].into(),
        ..InjectedFault::on("POST", "")
    };
    let said = |text: &str| json!({ "message": text });
    let nothing = InjectedFault::on("POST", "");
    vec![
        (
            json(409, said("409 Conflict")),
            "answered 409 (409 Conflict)",
        ),
        (json(422, said("no")), "answered 422 (no)"),
        (json(423, said("locked")), "answered 423 (locked)"),
        (json(451, said("by law")), "answered 451 (by law)"),
        (json(405, said("405 Not Allowed")), "answered 405"),
        (page(303), "answered with a redirect (status 303)"),
        (page(400), "an HTML page (status 400"),
        (page(403), "an HTML page (status 403"),
        (page(201), "answered 201 with a body other than"),
        (page(404), "an HTML page (status 404"),
        (
            json(404, json!({"error": "404 Not Found"})),
            "answered 404 (404 Not Found)",
        ),
        (
            json(403, said("403 Forbidden - not this one")),
            "not this one",
        ),
        (page(502), "an HTML page (status 502"),
        (page(503), "an HTML page (status 503"),
        (json(201, json!({})), "answered 201 with a body other than"),
        (
            json(201, json!("\"true\"")),
            "answered 201 with a body other than",
        ),
        (json(201, json!(false)), "answered false"),
        (
            json(500, said("Name can't be blank")),
            "answered 500 (Name can't be blank)",
        ),
        (
            json(500, said("500 Internal Server Error")),
            "answered 500 (500 Internal",
        ),
        (
            InjectedFault {
                drop: Some(Cut::Before),
                ..nothing.clone()
            },
            "closed the connection",
        ),
        (
            InjectedFault {
                delay_ms: 3_600_000,
                ..nothing
            },
            "gave no complete answer within",
        ),
    ]
}

/// When the one run that all plans are of was planned: a later one would let the earlier lapse.
static PLANNED: LazyLock<jiff::Timestamp> = LazyLock::new(jiff::Timestamp::now);
const FIRST: u64 = 10;
/// Those who are blocked while the others fail.
const GOOD: u64 = 100;
/// And those who are blocked one by one until the others have come to their end.
const LATER: u64 = 400;

fn name(id: u64) -> String {
    format!("ab{id}")
}

async fn cancelled(ids: std::ops::Range<u64>) -> ServiceEnvironment {
    let accounts = ids.clone().map(|id| SimulatedUser::new(id, &name(id)));
    let people = ids.map(|id| SimulatedPerson::cancelled(&name(id), "Gone"));
    environment(accounts.collect(), people.collect()).await
}

fn inject(scene: &ServiceEnvironment, fault: InjectedFault, path: String) {
    let fault = InjectedFault {
        path,
        times: 0,
        ..fault
    };
    scene.servers.gitlab.control().inject(fault).unwrap();
}

async fn plan_block(scene: &ServiceEnvironment, id: u64) {
    let request = UserSync {
        gitlab_user_id: Some(id),
        cause: Some("tick".to_owned()),
        planned: Some("block".to_owned()),
        planned_reason: Some("cancelled_in_lookup".to_owned()),
        planned_at: Some(PLANNED.to_string()),
        ..UserSync::default()
    };
    scene.resync(request).await;
}

fn events<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_blocks_of_some_accounts_answer_they_die_by_themselves_and_all_others_are_blocked()
 {
    let answers = answers();
    let poison = FIRST..FIRST + answers.len() as u64;
    let good = poison.end..poison.end + GOOD;
    let later = good.end..good.end + LATER;
    let scene = cancelled(FIRST..later.end).await;
    for (id, (fault, _)) in poison.clone().zip(&answers) {
        inject(&scene, fault.clone(), format!("/api/v4/users/{id}/block"));
    }
    let variables = [("LOOKUP_GITLAB_SYNC__GITLAB__CALLS__TIMEOUT", "3s")];
    let running = scene.serve_logged(&["user-worker"], &variables).await;
    let mut waiting = good.clone();
    for id in poison.clone() {
        plan_block(&scene, id).await;
        for id in waiting.by_ref().take(5) {
            plan_block(&scene, id).await;
        }
    }
    until("the good ones are blocked", async || {
        good.clone().all(|id| scene.state(id) == UserState::Blocked)
    })
    .await;
    let deaths = answers.len() as u64;
    let mut later_ids = later.clone();
    while scene.counts("user-sync-dead-hold").published < deaths {
        let next = later_ids
            .next()
            .expect("they die before all others are done");
        plan_block(&scene, next).await;
        sleep(Duration::from_millis(300)).await;
    }
    scene.quiet().await;
    let letters = scene.dead_letters("user-sync-dead-hold", deaths).await;
    let lines = running.finish_json().await;
    let told = events(&lines, "account_fails");
    for (id, (fault, text)) in poison.zip(&answers) {
        let (_, attributes) = letters
            .iter()
            .find(|(body, _)| {
                serde_json::from_slice::<Value>(body).unwrap()["gitlab_user_id"] == id
            })
            .unwrap_or_else(|| panic!("{id} is no dead letter: {fault:?}"));
        assert_eq!(attributes["dead_letter_reason"], "attempts_exhausted");
        let detail = &attributes["dead_letter_detail"];
        assert!(detail.contains(text), "{id}: {detail}");
        let told: Vec<_> = told
            .iter()
            .filter(|line| line["gitlab_user_id"] == id)
            .collect();
        assert_eq!(told.len(), 1, "{id} {fault:?}: {told:?}");
        assert!(told[0]["why"].as_str().unwrap().contains(text), "{told:?}");
        for (method, path) in [("POST", "block"), ("PUT", "custom_attributes/*")] {
            let path = format!("/api/v4/users/{id}/{path}");
            let times = scene.servers.gitlab.control().count(method, &path);
            assert!(times <= 30, "{method} {path}: {times} times");
        }
    }
    assert_eq!(told.len(), answers.len());
    let blocked = later_ids.start - later.start;
    for id in later.take(usize::try_from(blocked).unwrap()) {
        assert_eq!(scene.state(id), UserState::Blocked, "account {id}");
    }
}

/// Tick after tick brings a message for each of them, and the places are few.
#[tokio::test(flavor = "multi_thread")]
async fn five_accounts_that_fail_for_ever_stop_no_later_tick() {
    const TICKS: u64 = 12;
    let later = FIRST + 5..FIRST + 5 + TICKS;
    let mut scene = cancelled(FIRST..later.end + 20).await;
    for id in later.start..later.end + 20 {
        scene.servers.lookup.set_cancelled(&name(id), false);
    }
    for id in FIRST..FIRST + 5 {
        let refusal = InjectedFault {
            status: Some(422),
            body: Some(json!({"message": "cannot"})),
            ..InjectedFault::on("POST", "")
        };
        inject(&scene, refusal, format!("/api/v4/users/{id}/block"));
    }
    let variables = [
        ("LOOKUP_GITLAB_SYNC__WORKER__MAX_OUTSTANDING", "20"),
        ("LOOKUP_GITLAB_SYNC__GUARD__MAX_BLOCK_PERCENT", "99"),
    ];
    scene.serve(&["user-worker", "fan-out"], &variables).await;
    for id in later {
        scene.servers.lookup.set_cancelled(&name(id), true);
        scene.tick(SyncTick::default()).await;
        until("the tick's new account is blocked", async || {
            scene.state(id) == UserState::Blocked
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_fail_for_everybody_are_held_by_one_closed_gate_and_asked_for_seldom() {
    let ids = FIRST..FIRST + 150;
    let scene = cancelled(ids.clone()).await;
    let page = InjectedFault {
        status: Some(404),
        body: Some(json!("<html></html>")),
        headers: [("content-type".to_owned(), "text/html".to_owned())].into(),
        ..InjectedFault::on("POST", "")
    };
    inject(&scene, page, "*/block".to_owned());
    let running = scene.serve_logged(&["user-worker"], &[]).await;
    for id in ids.clone() {
        plan_block(&scene, id).await;
    }
    let posts = || scene.servers.gitlab.control().count("POST", "*/block");
    let closed = || {
        let lines = running.lines();
        lines
            .iter()
            .filter(|line| line.contains(r#""gate_closed""#))
            .count()
    };
    until("the gate closes", async || closed() > 0).await;
    sleep(Duration::from_secs(20)).await;
    // 24 may be under way when the fifth fails; then one probe at a time, after 1, 2, 4, 8 s and
    // more.
    assert!(posts() <= 24 + 5 + 8, "{} posts", posts());
    let markers = scene.servers.gitlab.control().count("PUT", "*");
    assert!(markers <= 24 + 5 + 8, "{markers} markers");
    assert_eq!(closed(), 1, "it closes once");
    scene.servers.gitlab.control().clear_faults();
    scene.quiet().await;
    for id in ids {
        assert_eq!(scene.state(id), UserState::Blocked, "account {id}");
    }
    // Of all that was ever published there: none during the outage, none after it.
    assert_eq!(scene.counts("user-sync-dead-hold").published, 0);
    let lines = running.finish_json().await;
    let closed = events(&lines, "gate_closed");
    assert_eq!(closed.len(), 1, "{closed:?}");
    assert_eq!(closed[0]["gate"], "write");
    // A machine so busy that the switch's answer is late (`pause_unknown`) is another matter.
    let is_error = |line: &&Value| line["severity"] == "ERROR" && line["event"] != "pause_unknown";
    assert!(!lines.iter().any(|line| is_error(&line)), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_gitlab_cannot_show_closes_no_gate() {
    let scene = cancelled(FIRST..FIRST + 4).await;
    let broken = InjectedFault {
        status: Some(500),
        body: Some(json!({"message": "500 Internal Server Error"})),
        ..InjectedFault::on("GET", "")
    };
    inject(&scene, broken, format!("/api/v4/users/{FIRST}"));
    let running = scene.serve_logged(&["user-worker"], &[]).await;
    for id in FIRST..FIRST + 4 {
        let request = UserSync {
            gitlab_user_id: Some(id),
            ..UserSync::default()
        };
        scene.resync(request).await;
    }
    let letters = scene.dead_letters("user-sync-dead-hold", 1).await;
    assert!(letters[0].1["dead_letter_detail"].contains("answered 500"));
    for id in FIRST + 1..FIRST + 4 {
        until("the others are blocked", async || {
            scene.state(id) == UserState::Blocked
        })
        .await;
    }
    let lines = running.finish_json().await;
    assert!(events(&lines, "gate_closed").is_empty(), "{lines:?}");
    let told = events(&lines, "account_fails");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["gitlab_user_id"], FIRST);
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_is_told_in_gitlabs_words_below_error_and_costs_no_attempt() {
    let ids = FIRST..FIRST + 10;
    let scene = cancelled(ids.clone()).await;
    for method in ["PUT", "POST"] {
        let maintenance = InjectedFault {
            status: Some(503),
            body: Some(json!({"message": "Back at 5"})),
            headers: [("retry-after".to_owned(), "1".to_owned())].into(),
            ..InjectedFault::on(method, "")
        };
        inject(&scene, maintenance, "/api/v4/*".to_owned());
    }
    let running = scene.serve_logged(&["user-worker"], &[]).await;
    for id in ids.clone() {
        plan_block(&scene, id).await;
    }
    let changes = || {
        let control = scene.servers.gitlab.control();
        control.count("PUT", "*") + control.count("POST", "*")
    };
    until("it is tried again", async || changes() > 2).await;
    scene.servers.gitlab.control().clear_faults();
    scene.quiet().await;
    for id in ids {
        assert_eq!(scene.state(id), UserState::Blocked, "account {id}");
    }
    let lines = running.finish_json().await;
    let closed = events(&lines, "gate_closed");
    assert_eq!(closed.len(), 1, "{closed:?}");
    assert_eq!(closed[0]["severity"], "WARNING");
    assert!(
        closed[0]["why"]
            .as_str()
            .unwrap()
            .contains("is in maintenance and says: Back at 5")
    );
    assert!(events(&lines, "message_retried").is_empty(), "{lines:?}");
}

/// More members wait for Lookup than GitLab has places.
#[rstest]
#[case::lookup_throttles("*/person/list*", 429)]
#[case::its_token_endpoint_hangs("*/token", 0)]
#[tokio::test(flavor = "multi_thread")]
async fn external_accounts_go_on_while_lookup_answers_nobody(
    #[case] path: &str,
    #[case] status: u16,
) {
    const MEMBERS: std::ops::Range<u64> = 100..140;
    const EXTERNALS: std::ops::Range<u64> = 200..205;
    let mut accounts: Vec<_> = MEMBERS
        .map(|id| SimulatedUser::new(id, &name(id)))
        .collect();
    accounts.extend(EXTERNALS.map(|id| {
        SimulatedUser::new(id, &format!("external-{id}"))
            .with("created_at", "2019-01-01T09:00:00.000Z")
            .with("last_activity_on", "2019-05-01")
    }));
    let people = MEMBERS
        .map(|id| SimulatedPerson::cancelled(&name(id), "Gone"))
        .collect();
    let mut scene = environment(accounts, people).await;
    scene.serve(&["user-worker"], &[]).await;
    let silent = InjectedFault {
        status: (status > 0).then_some(status),
        headers: BTreeMap::from([("retry-after".to_owned(), "600".to_owned())]),
        delay_ms: if status > 0 { 0 } else { 3_600_000 },
        times: 0,
        ..InjectedFault::on("*", path)
    };
    scene.servers.lookup.control().inject(silent).unwrap();
    for id in MEMBERS.chain(EXTERNALS) {
        let request = UserSync {
            gitlab_user_id: Some(id),
            ..UserSync::default()
        };
        scene.resync(request).await;
    }
    for id in EXTERNALS {
        until("the external accounts are blocked", async || {
            scene.state(id) == UserState::Blocked
        })
        .await;
    }
    assert!(
        MEMBERS
            .into_iter()
            .all(|id| scene.state(id) == UserState::Active)
    );
    scene.servers.lookup.control().clear_faults();
}
