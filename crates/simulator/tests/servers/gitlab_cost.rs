//! What answers cost, two changes at one moment, and a server that ends and comes back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::gitlab::{
    Conditions, Cost, GitLabSettings, SimulatedGitLab, SimulatedUser, UserState,
};

use crate::asking::{ask, client, gitlab, request, send};

/// How long what must come is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

async fn with(settings: GitLabSettings) -> SimulatedGitLab {
    let accounts = (2..=30).map(|id| SimulatedUser::new(id, &format!("user{id}")));
    SimulatedGitLab::start(GitLabSettings {
        accounts: accounts.collect(),
        ..settings
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_process_does_one_thing_at_a_time_and_a_row_costs_ten_milliseconds() {
    let gitlab = with(GitLabSettings {
        cost: Cost::Real { processes: 1 },
        ..GitLabSettings::default()
    })
    .await;
    let begun = Instant::now();
    let page = || ask(&gitlab, "GET", "/users?per_page=20");
    let (one, other) = tokio::join!(page(), page());
    assert_eq!((one.ids().len(), other.ids().len()), (20, 20));
    assert!(begun.elapsed() >= Duration::from_millis(400));
}

#[tokio::test]
async fn two_changes_at_one_moment_both_succeed() {
    let gitlab = gitlab(vec![SimulatedUser::new(42, "ab123")]).await;
    gitlab.set_conditions(Conditions {
        state_change_ms: 2_000,
        ..Conditions::default()
    });
    let block = || ask(&gitlab, "POST", "/users/42/block");
    let (one, other) = tokio::join!(block(), block());
    assert_eq!((&*one.body, &*other.body), ("true", "true"));
    assert_eq!(gitlab.account(42).unwrap().state, UserState::Blocked);
    assert_eq!(block().await.body, "null");
}

#[tokio::test]
async fn after_so_many_pages_the_server_is_reset_and_comes_back() {
    let gitlab = with(GitLabSettings {
        restarts_every: Some(2),
        ..GitLabSettings::default()
    })
    .await;
    for _ in 0..2 {
        for _ in 0..2 {
            assert_eq!(ask(&gitlab, "GET", "/users").await.status, 200);
        }
        assert!(request(&gitlab, "GET", "/users").send().await.is_err());
        assert!(request(&gitlab, "GET", "/user").send().await.is_err());
        let address = gitlab.url().strip_prefix("http://").unwrap().to_owned();
        let stolen = tokio::net::TcpListener::bind(address).await;
        assert!(stolen.is_err(), "the port of a server that is away is kept");
        let deadline = Instant::now() + PATIENCE;
        while request(&gitlab, "GET", "/user").send().await.is_err() {
            assert!(Instant::now() < deadline, "it does not come back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn the_conditions_are_switched_key_by_key_and_a_mistake_is_named() {
    let gitlab = gitlab(vec![]).await;
    let settings = format!("{}/simulate/settings", gitlab.url());
    let put = async |body: Value| send(client().put(&settings).json(&body)).await;
    let answer = put(json!({"database": "gone", "maintenance": "Back at 5"})).await;
    assert_eq!(
        (answer.status, &answer.json()["database"]),
        (200, &json!("gone"))
    );
    assert_eq!(ask(&gitlab, "GET", "/user").await.status, 500);
    let answer = put(json!({"database": "up"})).await;
    assert_eq!(answer.json()["maintenance"], "Back at 5");
    assert_eq!(ask(&gitlab, "GET", "/user").await.status, 200);
    let limit = json!({"throttles": {"authenticated": {"requests": 1, "seconds": 86_400}}});
    assert_eq!(put(limit).await.status, 200);
    assert_eq!(ask(&gitlab, "GET", "/user").await.status, 200);
    assert_eq!(ask(&gitlab, "GET", "/user").await.status, 429);
    let wrong = put(json!({"admin_mod": true})).await;
    assert!(
        wrong.status == 400 && wrong.body.contains("admin_mod"),
        "{}",
        wrong.body
    );
}
