//! The one place where a pause stops a request: between a permit and the request itself.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use lookup_gitlab_sync::{
    gate::{CallKind, ErrorKind},
    gitlab,
    pause::{GOOD_FOR, PauseNotice, PauseSource, READ_EVERY, WriteSwitch},
    upstream::{FaultScope, Transport},
};
use reqwest::Method;
use tokio::time::{Instant, sleep};
use url::Url;

use super::memory::{Memory, Scripted, gitlab_config};

/// Paused or not, as a test says; or unreadable.
#[derive(Clone, Default)]
struct Said {
    paused: Arc<AtomicBool>,
    unreadable: Arc<AtomicBool>,
}

#[derive(Debug, thiserror::Error)]
#[error("permission denied")]
struct Denied;

impl PauseSource for Said {
    type Error = Denied;

    async fn read(&self) -> Result<Option<PauseNotice>, Denied> {
        if self.unreadable.load(Ordering::Relaxed) {
            return Err(Denied);
        }
        let since = jiff::Timestamp::UNIX_EPOCH;
        let paused = self.paused.load(Ordering::Relaxed);
        Ok(paused.then(|| PauseNotice::new(since, Some("alice"), None)))
    }
}

/// A GitLab in memory, asked by a client that obeys what is said.
async fn scene() -> (Memory, gitlab::Client, Said) {
    let memory = Memory::new(|request, _| match *request.method() {
        Method::PUT => Scripted::Answers(200, r#"{"key":"k","value":"v"}"#),
        Method::POST => Scripted::Answers(201, "true"),
        _ => Scripted::Answers(200, super::memory::CURRENT_USER),
    });
    let said = Said::default();
    let switch = WriteSwitch::watching(said.clone()).await.unwrap();
    let url = Url::parse("https://gitlab.example.ac.uk").unwrap();
    let transport: Arc<dyn Transport> = Arc::new(memory.clone());
    let client = gitlab::Client::over(transport, &gitlab_config(&url), Some(switch)).unwrap();
    (memory, client, said)
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_was_given_before_the_pause_lets_no_write_begin_during_it() {
    let (memory, gitlab, said) = scene().await;
    let permit = gitlab.permit(false).unwrap();
    let marked = gitlab.set_custom_attribute(&permit, 42, "k", "v").await;
    assert!(marked.unwrap());
    said.paused.store(true, Ordering::Relaxed);
    sleep(READ_EVERY + READ_EVERY).await;
    for _ in 0..10 {
        let refused = gitlab.block(&permit, 42).await.unwrap_err();
        assert!(matches!(refused.scope, FaultScope::Paused(_)), "{refused}");
        assert_eq!(refused.kind(), ErrorKind::Paused);
        assert!(!refused.was_sent());
        let text = refused.to_string();
        assert!(
            text.contains("by alice") && text.contains("resume"),
            "{text}"
        );
    }
    assert!(gitlab.unblock(&permit, 42).await.is_err());
    assert!(
        gitlab
            .set_custom_attribute(&permit, 42, "k", "v")
            .await
            .is_err()
    );
    assert_eq!(memory.asked().len(), 1, "nothing but the marker");
    // It says nothing of GitLab, which is asked on.
    assert_eq!(gitlab.write_gate().closed_because(), None);
    assert_eq!(gitlab.write_gate().side(), CallKind::Write);
    assert!(gitlab.current_user().await.is_ok());
    said.paused.store(false, Ordering::Relaxed);
    gitlab.held_by(false).unwrap().passable().await;
    assert!(gitlab.block(&permit, 42).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_last_write_begins_less_than_ten_seconds_after_the_last_reading() {
    let (memory, gitlab, said) = scene().await;
    let permit = gitlab.permit(false).unwrap();
    let unread_since = Instant::now();
    said.unreadable.store(true, Ordering::Relaxed);
    while gitlab.block(&permit, 42).await.is_ok() {}
    let last = *memory.asked().last().unwrap();
    assert!(last - unread_since < GOOD_FOR);
    assert!(last - unread_since + READ_EVERY > GOOD_FOR);
    let why = gitlab.block(&permit, 42).await.unwrap_err().to_string();
    assert!(why.contains("permission denied"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_has_nothing_that_a_pause_could_hold() {
    let (_, gitlab, said) = scene().await;
    said.paused.store(true, Ordering::Relaxed);
    sleep(READ_EVERY + READ_EVERY).await;
    assert!(gitlab.held_by(true).is_none());
    assert!(gitlab.held_by(false).is_some());
}
