//! An outage as the real binary meets it, restarts included.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use lookup_gitlab_sync::messaging::Topic;
use serde_json::json;
use simulator::{control::InjectedFault, gitlab::UserState};
use testkit::wait::until;

use crate::faults::{ledger::Ledger, population::member};
use crate::support::{connection, environment};

const MESSAGES: u64 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn a_gitlab_that_is_down_holds_every_message_through_restarts_until_it_returns() {
    let (mut people, mut ledger) = (Vec::new(), Ledger::default());
    let accounts = (10..10 + MESSAGES)
        .map(|id| member(id, 1, &mut people, &mut ledger))
        .collect();
    let mut scene = environment(accounts, people).await;
    let down = InjectedFault {
        status: Some(502),
        times: 0,
        ..InjectedFault::on("*", "/api/v4/*")
    };
    scene.servers.gitlab.control().inject(down).unwrap();
    let publisher = connection(&scene)
        .await
        .publisher(Topic::UserSync)
        .await
        .unwrap();
    let now = jiff::Timestamp::now();
    let publishing = (10..10 + MESSAGES).map(|id| {
        let body = json!({"gitlab_user_id": id, "cause": "tick", "planned": "block",
            "planned_reason": "cancelled_in_lookup", "planned_at": now});
        publisher.publish_raw(body.to_string().into(), BTreeMap::new())
    });
    join_all(publishing).await;
    for round in 0..3 {
        scene.launch_serve(&["user-worker"], &[]).await;
        let asked = scene.servers.gitlab.control().count("*", "*");
        until("it asks in vain", async || {
            scene.servers.gitlab.control().count("*", "*") > asked + 5
        })
        .await;
        // Long enough for its gate to close and to be tried again.
        tokio::time::sleep(Duration::from_secs(3)).await;
        if round < 2 {
            scene.serving(round).kill().await;
            scene.lapse_leases().await;
        }
    }
    assert_eq!(scene.counts("user-sync-worker").acked, 0);
    scene.servers.gitlab.control().clear_faults();
    scene.quiet().await;
    assert_eq!(scene.counts("user-sync-dead-hold").published, 0);
    for id in 10..10 + MESSAGES {
        assert_eq!(scene.state(id), UserState::Blocked, "account {id}");
    }
}
