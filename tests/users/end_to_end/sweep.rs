//! Reading all of both sides: accounts that cannot be read stop nobody, and what was read stays
//! read.

use lookup_gitlab_sync::messaging::wire::SyncTick;
use serde_json::Value;
use simulator::{
    control::InjectedFault,
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
};
use testkit::wait::until;

use crate::support::environment;

/// Members from id 10 on; every thirtieth is cancelled.
fn members(many: u64) -> (Vec<SimulatedUser>, Vec<SimulatedPerson>) {
    let crsid = |id: u64| format!("ab{id}");
    let accounts = (10..10 + many).map(|id| SimulatedUser::new(id, &crsid(id)));
    let people = (10..10 + many).map(|id| {
        if id % 30 == 0 {
            SimulatedPerson::cancelled(&crsid(id), "Gone")
        } else {
            SimulatedPerson::current(&crsid(id), "Here")
        }
    });
    (accounts.collect(), people.collect())
}

fn json_lines(text: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(text).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_gitlab_cannot_show_stop_nobody_and_are_named() {
    let (mut accounts, people) = members(250);
    for account in &mut accounts {
        account.hidden.without_namespace = [120, 121, 259].contains(&account.id);
    }
    let mut scene = environment(accounts, people).await;

    let plan = scene.run(&["plan", "--output", "json"], &[]).await;
    let said = String::from_utf8_lossy(&plan.stderr);
    assert_eq!(plan.status.code(), Some(0), "{said}");
    let summary = json_lines(&plan.stdout).pop().unwrap();
    assert_eq!(
        summary["unreadable_accounts"],
        serde_json::json!([120, 121, 259])
    );
    assert_eq!(summary["accounts"], 248, "{summary}");
    assert_eq!(said.matches("account_unreadable").count(), 3, "{said}");
    let plan = scene.run(&["plan"], &[]).await;
    let said = String::from_utf8_lossy(&plan.stderr);
    assert!(said.contains("account 120 is kept"), "{said}");

    let explained = scene.run(&["explain", "120"], &[]).await;
    let said = String::from_utf8_lossy(&explained.stdout);
    assert_eq!(explained.status.code(), Some(0), "{said}");
    assert!(said.contains("personal namespace"), "{said}");
    assert!(said.contains("User.find(120)"), "{said}");
    assert!(!said.contains("maintenance"), "{said}");

    scene
        .serve(&[], &[("LOOKUP_GITLAB_SYNC__GUARD__FLOOR", "50")])
        .await;
    let ran = scene
        .run(&["tick", "--follow", "--output", "json"], &[])
        .await;
    assert_eq!(ran.status.code(), Some(0));
    let outcomes = json_lines(&ran.stdout);
    let started = outcomes.iter().find(|one| one["kind"] == "run_started");
    let started = started.unwrap();
    assert_eq!(started["unreadable_accounts"], 3, "{started}");
    assert!(
        outcomes.iter().any(|one| one["kind"] == "run_reading"),
        "the run said that it began"
    );
    scene.quiet().await;
    for id in (30..260).step_by(30) {
        let expected = if id == 120 {
            UserState::Active
        } else {
            UserState::Blocked
        };
        assert_eq!(scene.state(id), expected, "account {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_goes_on_from_its_last_page_when_gitlab_comes_back() {
    let (accounts, people) = members(750);
    let mut scene = environment(accounts, people).await;
    let control = scene.servers.gitlab.control().clone();
    let slow = InjectedFault {
        delay_ms: 200,
        ..InjectedFault::on("GET", "/api/v4/users")
    };
    control.inject(slow).unwrap();
    scene
        .serve(&[], &[("LOOKUP_GITLAB_SYNC__GUARD__FLOOR", "50")])
        .await;
    scene.tick(SyncTick::default()).await;
    until("some pages were read", async || {
        control.count("GET", "/api/v4/users?*cursor=*") >= 2
    })
    .await;
    control.clear_faults();
    let down = InjectedFault {
        status: Some(502),
        ..InjectedFault::on("*", "*")
    };
    control.inject(down).unwrap();
    let probes = control.count("GET", "/api/v4/user");
    until("it is held and probes", async || {
        control.count("GET", "/api/v4/user") >= probes + 3
    })
    .await;
    control.clear_faults();
    scene.quiet().await;
    let asked = control.requests(0);
    let first_pages = asked
        .iter()
        .filter(|entry| entry.path.contains("sort=asc") && !entry.path.contains("cursor="));
    assert_eq!(
        first_pages.count(),
        1,
        "never from the first page: {asked:#?}"
    );
    for id in (30..760).step_by(30) {
        assert_eq!(scene.state(id), UserState::Blocked, "account {id}");
    }
}
