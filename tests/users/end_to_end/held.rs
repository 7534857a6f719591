//! What is held and what is given up while GitLab refuses.

use lookup_gitlab_sync::messaging::wire::SyncTick;
use rstest::rstest;
use serde_json::{Value, json};
use simulator::{
    control::InjectedFault,
    gitlab::{SimulatedUser, TokenChange, UserState},
    lookup::SimulatedPerson,
};
use testkit::environment::ServiceEnvironment;
use testkit::wait::until;

use crate::support::environment;

async fn one_cancelled_member() -> ServiceEnvironment {
    environment(
        vec![SimulatedUser::new(42, "spqr1")],
        vec![SimulatedPerson::cancelled("spqr1", "Gone")],
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resync_held_through_maintenance_counts_once_against_the_hours_bound() {
    let mut scene = one_cancelled_member().await;
    let bound = [("LOOKUP_GITLAB_SYNC__WORKER__RESYNCS_PER_HOUR", "1")];
    scene.serve(&["user-worker"], &bound).await;
    let maintenance = InjectedFault {
        status: Some(503),
        times: 4,
        ..InjectedFault::on("PUT", "*")
    };
    scene.servers.gitlab.control().inject(maintenance).unwrap();
    scene.resync_person("spqr1").await;
    scene.quiet().await;
    assert_eq!(scene.counts("user-sync-dead-hold").published, 0);
    assert_eq!(scene.state(42), UserState::Blocked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_asked_about_itself_at_start_and_then_only_once_it_works_again() {
    let mut scene = one_cancelled_member().await;
    let (gitlab, token) = (&scene.servers.gitlab, scene.servers.gitlab.token());
    let revoked = |revoked| TokenChange {
        revoked: Some(revoked),
        ..TokenChange::default()
    };
    gitlab.change_token(token, revoked(true));
    scene.serve(&[], &[]).await;
    scene.tick(SyncTick::default()).await;
    let asked =
        |scene: &ServiceEnvironment, path| scene.servers.gitlab.control().count("GET", path);
    until("it was probed twice", async || {
        asked(&scene, "/api/v4/user") >= 3
    })
    .await;
    // Its refusal there means a token of another kind: an answer, which would open the gate.
    assert_eq!(asked(&scene, "/api/v4/personal_access_tokens/self"), 1);
    scene.servers.gitlab.change_token(token, revoked(false));
    scene.quiet().await;
    assert_eq!(scene.state(42), UserState::Blocked);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_a_dead_letter_names_the_account() {
    let mut scene = one_cancelled_member().await;
    scene.serve(&["user-worker"], &[]).await;
    let refusal = InjectedFault {
        status: Some(400),
        body: Some(json!({"message": "400 Bad request"})),
        ..InjectedFault::on("POST", "*/block")
    };
    scene.servers.gitlab.control().inject(refusal).unwrap();
    let output = scene
        .run(&["resync", "42", "--follow", "--output=json"], &[])
        .await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    let record = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|line| line["kind"] == "dead_lettered")
        .expect(&said);
    assert_eq!(
        (&record["gitlab_user_id"], &record["cause"]),
        (&json!(42), &json!("resync"))
    );
    assert_eq!(record["dead_letter_reason"], "refused");
}

/// What an operator and the platform see of a closed gate: not ready, alive, a gauge at 0; and all
/// well again after.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_gate_is_told_by_readiness_and_a_metric_and_kills_nothing() {
    let mut scene = one_cancelled_member().await;
    scene.serve(&[], &[]).await;
    let down = InjectedFault {
        status: Some(502),
        times: 0,
        ..InjectedFault::on("*", "/api/v4/*")
    };
    scene.servers.gitlab.control().inject(down).unwrap();
    scene.tick(SyncTick::default()).await;
    let ask = async |scene: &mut ServiceEnvironment, path| {
        let answer = reqwest::get(scene.serving(0).url(path)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let ready = scene.serving(0).url("/readyz");
    let is = async |status| {
        until("readiness follows the gate", async || {
            reqwest::get(&ready).await.unwrap().status() == status
        })
        .await;
    };
    is(503).await;
    let (_, told) = ask(&mut scene, "/readyz").await;
    let told: Value = serde_json::from_str(&told).unwrap();
    let problem = |told: &Value| {
        let checks = told["checks"].as_array().unwrap().clone();
        let gitlab = checks.into_iter().find(|check| check["ok"] == false);
        gitlab.unwrap()["problem"].as_str().unwrap().to_owned()
    };
    let why = problem(&told);
    assert!(why.contains("502") && why.contains("held since"), "{why}");
    assert_eq!(ask(&mut scene, "/livez").await.0, 200);
    let gauge = r#"sync_upstream_gate_open{upstream="gitlab",gate="read"}"#;
    let (_, metrics) = ask(&mut scene, "/metrics").await;
    assert!(metrics.contains(&format!("{gauge} 0")), "{metrics}");
    scene.servers.gitlab.control().clear_faults();
    scene.quiet().await;
    is(200).await;
    let (_, metrics) = ask(&mut scene, "/metrics").await;
    assert!(metrics.contains(&format!("{gauge} 1")), "{metrics}");
    assert_eq!(scene.state(42), UserState::Blocked);
}

/// A healthy sweep takes minutes, and so may a hold: neither is silence to who waits for the end.
#[rstest]
#[case::reading("GET", "fan-out")]
#[case::writing("POST", "user-worker")]
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_is_told_that_the_run_reads_and_what_it_is_held_by_and_sees_its_end(
    #[case] method: &str,
    #[case] stage: &str,
) {
    // One account's failures alone would close no gate.
    let accounts = (42..50).map(|id| SimulatedUser::new(id, &format!("spqr{id}")));
    let people = (42..50).map(|id| SimulatedPerson::cancelled(&format!("spqr{id}"), "Gone"));
    let mut scene = environment(accounts.collect(), people.collect()).await;
    scene.serve(&[], &[]).await;
    let down = InjectedFault {
        status: Some(502),
        times: 0,
        ..InjectedFault::on(method, "/api/v4/*")
    };
    scene.servers.gitlab.control().inject(down).unwrap();
    let ready = scene.serving(0).url("/readyz");
    let follow = ["tick", "--follow", "--output=json"];
    let (followed, ()) = tokio::join!(scene.run(&follow, &[]), async {
        until("the gate closes", async || {
            reqwest::get(&ready).await.unwrap().status() == 503
        })
        .await;
        scene.servers.gitlab.control().clear_faults();
    });
    let said = String::from_utf8_lossy(&followed.stderr);
    assert_eq!(followed.status.code(), Some(0), "{said}");
    let lines: Vec<Value> = String::from_utf8(followed.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &str| {
        let found = lines.iter().find(|line| line["kind"] == kind);
        found.unwrap_or_else(|| panic!("{kind} in {lines:?}"))
    };
    assert!(of("run_reading")["pages"].is_u64());
    let held = of("run_held");
    assert_eq!(held["stage"], stage);
    assert!(held["detail"].as_str().unwrap().contains("502"), "{held}");
    assert_eq!(of("user")["result"], "applied");
    assert_eq!(scene.state(42), UserState::Blocked);
}
