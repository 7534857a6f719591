//! What is not a request is dead-lettered at its first delivery with a reason and the field's name,
//! and everything else goes on.

use lookup_gitlab_sync::messaging::Topic;
use simulator::{
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
};

use crate::support::{connection, environment};

const BAD: &[(&[u8], &str, &str)] = &[
    (b"not json", "undecodable", "JSON"),
    (b"[]", "undecodable", "object"),
    (b"\xff\xfe", "undecodable", ""),
    (b"{\"crsid\":\"spqr1\"", "undecodable", ""),
    (b"{}", "no_identifier", "gitlab_user_id"),
    (
        b"{\"crsid\":\"spqr1\",\"gitlab_user_id\":42}",
        "no_identifier",
        "crsid",
    ),
    (b"{\"crsid\":42}", "invalid_field", "crsid"),
    (
        b"{\"gitlab_user_id\":\"x\"}",
        "invalid_field",
        "gitlab_user_id",
    ),
    (
        b"{\"gitlab_user_id\":-1}",
        "invalid_field",
        "gitlab_user_id",
    ),
    (
        b"{\"gitlab_user_id\":1.5}",
        "invalid_field",
        "gitlab_user_id",
    ),
    (
        b"{\"crsid\":\"spqr1\",\"dry_run\":\"yes\"}",
        "invalid_field",
        "dry_run",
    ),
    (
        b"{\"crsid\":\"spqr1\",\"dryrun\":true}",
        "invalid_field",
        "dryrun",
    ),
    (
        b"{\"crsid\":\"'; DROP TABLE users\"}",
        "invalid_field",
        "crsid",
    ),
    (
        "{\"crsid\":\"\u{202e}1rqps\"}".as_bytes(),
        "invalid_field",
        "crsid",
    ),
    (
        b"{\"crsid\":\"spqr1\",\"cause\":\"whim\"}",
        "invalid_field",
        "cause",
    ),
    (
        b"{\"gitlab_user_id\":42,\"cause\":\"tick\",\"planned\":\"delete\"}",
        "invalid_field",
        "planned",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_messages_are_dead_lettered_at_once_and_good_ones_among_them_are_done() {
    let accounts = vec![
        SimulatedUser::new(42, "spqr1"),
        SimulatedUser::new(43, "spqr2"),
    ];
    let people = vec![
        SimulatedPerson::cancelled("spqr1", "Gone"),
        SimulatedPerson::cancelled("spqr2", "Gone"),
    ];
    let mut scene = environment(accounts, people).await;
    scene.serve(&["user-worker"], &[]).await;

    scene.resync_person("spqr1").await;
    for (body, _, _) in BAD {
        scene.publish_raw("user-sync", body).await;
    }
    scene.publish_raw("user-sync", &huge()).await;
    scene.resync_person("spqr2").await;
    scene.quiet().await;

    assert_eq!(
        (scene.state(42), scene.state(43)),
        (UserState::Blocked, UserState::Blocked)
    );
    let letters = scene
        .dead_letters("user-sync-dead-hold", BAD.len() as u64 + 1)
        .await;
    for (body, reason, named) in BAD {
        let (_, attributes) = letters
            .iter()
            .find(|(letter, _)| letter == body)
            .expect("it is there");
        let detail = &attributes["dead_letter_detail"];
        let said = String::from_utf8_lossy(body);
        assert_eq!(
            attributes["dead_letter_reason"], *reason,
            "{said}: {detail}"
        );
        assert!(detail.contains(named), "{said}: {detail}");
        assert_eq!(attributes["original_delivery_attempt"], "1", "{said}");
    }
    let (_, attributes) = letters
        .iter()
        .find(|(letter, _)| letter.len() > 1_000_000)
        .expect("it is there");
    assert_eq!(attributes["dead_letter_reason"], "too_large");
    assert!(scene.serving(0).is_running());
}

/// A valid request but for its size, below Pub/Sub's own limit of 10 MB.
fn huge() -> Vec<u8> {
    let reason = "x".repeat(9_000_000);
    format!("{{\"crsid\":\"spqr1\",\"reason\":\"{reason}\"}}").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_body_is_dead_lettered() {
    let mut scene = environment(Vec::new(), Vec::new()).await;
    scene.serve(&["user-worker"], &[]).await;
    // Pub/Sub itself refuses a message without body and attributes.
    let publisher = connection(&scene)
        .await
        .publisher(Topic::UserSync)
        .await
        .unwrap();
    let attributes = [("kind".to_owned(), "test".to_owned())].into();
    publisher
        .publish_raw(Vec::new().into(), attributes)
        .await
        .unwrap();
    scene.quiet().await;
    let letters = scene.dead_letters("user-sync-dead-hold", 1).await;
    assert_eq!(letters[0].1["dead_letter_reason"], "undecodable");
    assert_eq!(
        letters[0].1["kind"], "test",
        "its own attributes are unchanged"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_tick_is_dead_lettered_and_the_next_one_runs() {
    let mut scene = environment(
        vec![SimulatedUser::new(42, "spqr1")],
        vec![SimulatedPerson::cancelled("spqr1", "Gone")],
    )
    .await;
    scene.serve(&[], &[]).await;
    scene
        .publish_raw("sync-tick", b"{\"max_block_percent\":250}")
        .await;
    scene.publish_raw("sync-tick", b"{\"dry-run\":true}").await;
    scene.publish_raw("sync-tick", b"{}").await;
    scene.quiet().await;
    assert_eq!(scene.state(42), UserState::Blocked);
    let letters = scene.dead_letters("sync-tick-dead-hold", 2).await;
    let details: Vec<&str> = letters
        .iter()
        .map(|(_, given)| given["dead_letter_detail"].as_str())
        .collect();
    assert!(
        details
            .iter()
            .any(|detail| detail.contains("max_block_percent")),
        "{details:?}"
    );
    assert!(
        details.iter().any(|detail| detail.contains("dry-run")),
        "{details:?}"
    );
}
