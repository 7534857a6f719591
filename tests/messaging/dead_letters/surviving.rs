//! A replay that is killed at any point loses nothing.

use std::collections::BTreeSet;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use lookup_gitlab_sync::messaging::{
    DeadLetterReason, Stage,
    dead_letters::{ReplayEvent, ReplayOptions, Selection, list, replay},
};
use testkit::wait::PATIENCE;
use tokio_util::sync::CancellationToken;

use super::{fixture::DeadLetterFixture, replaying::run};

const LETTERS: usize = 50;

#[tokio::test]
async fn killed_between_publish_and_ack_nothing_is_lost_and_at_worst_doubled() {
    let fixture = DeadLetterFixture::start().await;
    fixture.lapse_soon().await;
    for number in 0..LETTERS {
        fixture
            .give_up(
                &format!(r#"{{"gitlab_user_id":{number}}}"#),
                DeadLetterReason::Refused,
            )
            .await;
    }
    // A panic where a message is confirmed and its letter not yet acked: the task dies there, all
    // that it holds with it.
    let confirmed = Arc::new(AtomicUsize::new(0));
    let (connection, counter) = (fixture.connection.clone(), Arc::clone(&confirmed));
    let killed = tokio::spawn(async move {
        let die = |event: ReplayEvent<'_>| {
            if let ReplayEvent::Confirmed(..) = event
                && counter.fetch_add(1, Ordering::SeqCst) == 10
            {
                panic!("killed here, as the test wants");
            }
        };
        let stopping = CancellationToken::new();
        replay(
            &connection,
            &Selection::default(),
            &ReplayOptions::new(),
            &stopping,
            &die,
        )
        .await
    });
    assert!(killed.await.unwrap_err().is_panic());
    assert!(fixture.held() > 0);

    let everything = async {
        while fixture.held() > 0 {
            run(&fixture, &Selection::default(), &ReplayOptions::new()).await;
        }
    };
    tokio::time::timeout(PATIENCE, everything)
        .await
        .expect("leases lapse and the rest is replayed");
    let published = fixture.counts(Stage::UserWorker.subscription()).published;
    let published = usize::try_from(published).unwrap();
    let messages = fixture
        .take(Stage::UserWorker.subscription(), published)
        .await;
    let bodies: BTreeSet<_> = messages
        .iter()
        .map(|message| message.data.clone())
        .collect();
    assert_eq!(bodies.len(), LETTERS, "a message was lost");
    assert!(
        (LETTERS + 1..=LETTERS + 32).contains(&published),
        "{published} messages"
    );
}

#[tokio::test]
async fn killed_before_the_publish_every_letter_is_still_there() {
    let fixture = DeadLetterFixture::start().await;
    fixture.lapse_soon().await;
    for _ in 0..LETTERS {
        fixture.give_up("{}", DeadLetterReason::Refused).await;
    }
    let mut scan = lookup_gitlab_sync::messaging::dead_letters::Scan::new(
        &fixture.connection,
        &Selection::default(),
        CancellationToken::new(),
    );
    assert_eq!(scan.next().await.unwrap().unwrap().len(), LETTERS);
    drop(scan);
    let back = async {
        while list(&fixture.connection, &Selection::default())
            .await
            .unwrap()
            .len()
            < LETTERS
        {}
    };
    tokio::time::timeout(PATIENCE, back)
        .await
        .expect("the leases lapse");
}
