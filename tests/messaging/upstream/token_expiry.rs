//! A token can be replaced while the process runs: when it expires is asked again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use lookup_gitlab_sync::gitlab::{Client, watch_expiry};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::memory::{CURRENT_USER, Memory, Scripted, calls};

const ASKED_EVERY: Duration = Duration::from_hours(6);
const OLD: &str = r#"{"scopes":["api"],"expires_at":"2027-01-01"}"#;
const NEW: &str = r#"{"scopes":["api"],"expires_at":"2028-01-01"}"#;
const FOR_EVER: &str = r#"{"scopes":["api"],"expires_at":null}"#;

/// GitLab answers `answers` about the token, one after the other; the last one for ever.
fn gitlab(answers: &'static [Scripted]) -> (Memory, Client) {
    let told = Arc::new(AtomicUsize::new(0));
    let memory = Memory::new(move |request, _| {
        if request.url().path().ends_with("/user") {
            return Scripted::Answers(200, CURRENT_USER);
        }
        let next = told.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
        match &answers[next] {
            Scripted::Answers(status, body) => Scripted::Answers(*status, body),
            _ => Scripted::Refuses,
        }
    });
    let client = memory.gitlab(calls());
    (memory, client)
}

fn told(client: &Client) -> String {
    let expiry = client.token_expiry();
    expiry.map_or_else(|| "nothing".to_owned(), |expiry| expiry.to_string())
}

#[tokio::test(start_paused = true)]
async fn the_day_is_asked_again_and_an_answer_that_fails_changes_nothing() {
    let (memory, client) = gitlab(&[
        Scripted::Answers(200, OLD),
        Scripted::Answers(403, "{}"),
        Scripted::Answers(200, NEW),
        Scripted::Answers(200, FOR_EVER),
    ]);
    let stop = CancellationToken::new();
    let watching = tokio::spawn(watch_expiry(vec![client.clone()], stop.clone()));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(memory.asked().len(), 0, "a start asks by itself");
    for expected in [
        "GITLAB_TOKEN expires on 2027-01-01",
        "GITLAB_TOKEN expires on 2027-01-01",
        "GITLAB_TOKEN expires on 2028-01-01",
        "GITLAB_TOKEN never expires",
    ] {
        sleep(ASKED_EVERY).await;
        assert_eq!(told(&client), expected);
    }
    stop.cancel();
    watching.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_gitlab_refuses_is_not_asked_about_itself() {
    let memory = Memory::new(|request, _| {
        assert!(request.url().path().ends_with("/user"), "{request:?}");
        Scripted::Answers(401, r#"{"message":"401 Unauthorized"}"#)
    });
    let client = memory.gitlab(calls());
    let stop = CancellationToken::new();
    let watching = tokio::spawn(watch_expiry(vec![client.clone()], stop.clone()));
    sleep(ASKED_EVERY + Duration::from_secs(1)).await;
    let asked = memory.asked().len();
    assert!(asked >= 1);
    assert_eq!(told(&client), "nothing");
    stop.cancel();
    watching.await.unwrap();
}
