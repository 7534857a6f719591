//! When calls go, under virtual time and with the upstream in memory.

use std::{sync::Arc, time::Duration};

use lookup_gitlab_sync::{
    config::CallsConfig, gate::ErrorKind, gitlab::Change, upstream::FaultScope,
};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use super::memory::{CURRENT_USER, Memory, Scripted, calls};

fn seconds(from: Instant) -> f64 {
    from.elapsed().as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn a_short_retry_after_is_waited_out_and_no_call_goes_before() {
    let memory = Memory::new(|_, number| match number {
        1 => Scripted::AnswersWith(429, "Retry later", vec![("retry-after", "7")]),
        _ => Scripted::Answers(200, CURRENT_USER),
    });
    let client = memory.gitlab(calls());
    let begun = Instant::now();
    client.current_user().await.unwrap();
    assert!((7.0..8.0).contains(&seconds(begun)), "{}", seconds(begun));
    assert_eq!(memory.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_long_retry_after_is_an_error_at_once_and_waited_out_at_the_gate() {
    let memory = Memory::new(|_, number| match number {
        1 => Scripted::AnswersWith(429, "Retry later", vec![("retry-after", "600")]),
        _ => Scripted::Answers(200, CURRENT_USER),
    });
    let client = memory.gitlab(calls());
    let begun = Instant::now();
    let error = client.current_user().await.unwrap_err();
    assert!(seconds(begun) < 1.0);
    assert_eq!(error.kind(), ErrorKind::Throttled);
    let FaultScope::Upstream(gate) = &error.scope else {
        panic!("429 is the upstream's fault: {error}")
    };
    let _passage = gate.passable().await;
    assert!(
        (600.0..602.0).contains(&seconds(begun)),
        "{}",
        seconds(begun)
    );
    client.current_user().await.unwrap();
    assert!(seconds(begun) < 602.0);
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_rate_limit_pauses_before_it_becomes_429() {
    let memory = Memory::new(|_, number| match number {
        1 => Scripted::AnswersWith(
            200,
            CURRENT_USER,
            vec![("ratelimit-remaining", "0"), ("ratelimit-reset", "45")],
        ),
        _ => Scripted::Answers(200, CURRENT_USER),
    });
    let client = memory.gitlab(calls());
    let begun = Instant::now();
    client.current_user().await.unwrap();
    client.current_user().await.unwrap();
    assert!((45.0..46.0).contains(&seconds(begun)), "{}", seconds(begun));
}

#[tokio::test(start_paused = true)]
async fn the_configured_rate_holds_over_many_callers() {
    let memory = Memory::new(|_, _| Scripted::Answers(200, CURRENT_USER));
    let client = memory.gitlab(CallsConfig {
        requests_per_minute: Some(60),
        ..calls()
    });
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..130 {
        let client = client.clone();
        callers.spawn(async move { client.current_user().await.unwrap() });
    }
    callers.join_all().await;
    assert!(
        (119.0..122.0).contains(&seconds(begun)),
        "{}",
        seconds(begun)
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_than_allowed_are_in_flight() {
    let memory = Memory::new(|_, _| Scripted::Answers(200, CURRENT_USER));
    let client = memory.gitlab(CallsConfig {
        concurrency: 4,
        ..calls()
    });
    let mut callers = JoinSet::new();
    for _ in 0..40 {
        let client = client.clone();
        callers.spawn(async move { client.current_user().await.unwrap() });
    }
    callers.join_all().await;
    let asked = memory.asked();
    let busiest = asked
        .iter()
        .map(|then| asked.iter().filter(|other| *other == then).count())
        .max();
    assert_eq!(busiest, Some(4));
}

#[tokio::test(start_paused = true)]
async fn reserved_calls_go_without_a_pause_between_them() {
    let memory = Memory::new(|request, _| match request.method().as_str() {
        "POST" => Scripted::Answers(201, "true"),
        _ => Scripted::Answers(200, CURRENT_USER),
    });
    let client = memory.gitlab(CallsConfig {
        requests_per_minute: Some(60),
        ..calls()
    });
    client.reserve(10).await;
    let begun = Instant::now();
    let reserved = client.reserve(3).await;
    assert!(
        (2.9..3.1).contains(&seconds(begun)),
        "the wait comes first: {}",
        seconds(begun)
    );
    let begun = Instant::now();
    let permit = reserved.permit(false).unwrap();
    reserved.current_user().await.unwrap();
    assert_eq!(reserved.block(&permit, 1).await.unwrap(), Change::Made);
    assert_eq!(reserved.unblock(&permit, 1).await.unwrap(), Change::Made);
    assert!(seconds(begun) < 0.1, "{}", seconds(begun));
    assert_eq!(reserved.calls_made(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_reserved_write_that_cannot_go_at_once_is_not_sent() {
    let memory = Memory::new(|request, _| match request.method().as_str() {
        "POST" => Scripted::Answers(201, "true"),
        _ => Scripted::AnswersWith(429, "Retry later", vec![("retry-after", "60")]),
    });
    let client = memory.gitlab(calls());
    let reserved = client.reserve(3).await;
    client.current_user().await.unwrap_err();
    let begun = Instant::now();
    let error = reserved
        .block(&reserved.permit(false).unwrap(), 1)
        .await
        .unwrap_err();
    assert!(seconds(begun) < 0.1);
    assert_eq!(
        (error.kind(), error.was_sent(), memory.asked().len()),
        (ErrorKind::Throttled, false, 1)
    );
    let FaultScope::Upstream(gate) = &error.scope else {
        panic!("{error}")
    };
    assert_eq!(gate.closed_because(), None, "one pause closes nothing");
    let _passage = gate.passable().await;
    assert!((59.9..61.0).contains(&seconds(begun)), "{}", seconds(begun));
}

#[tokio::test(start_paused = true)]
async fn attempts_of_a_read_are_spread_out_with_jitter() {
    let memory = Memory::new(|_, _| Scripted::Refuses);
    memory
        .gitlab(CallsConfig {
            read_attempts: 4,
            ..calls()
        })
        .current_user()
        .await
        .unwrap_err();
    let asked = memory.asked();
    let gaps: Vec<_> = asked
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64())
        .collect();
    for (gap, least) in gaps.iter().zip([0.2, 0.4, 0.8]) {
        assert!((least..=2.0 * least + 0.02).contains(gap), "{gaps:?}");
    }
    assert_eq!(asked.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_upstream_costs_each_attempt_its_deadline_and_no_more() {
    let memory = Memory::new(|_, _| Scripted::Hangs);
    let client = memory.gitlab(CallsConfig {
        timeout: Duration::from_secs(3),
        read_attempts: 2,
        ..calls()
    });
    let begun = Instant::now();
    let error = client.current_user().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!((6.2..6.5).contains(&seconds(begun)), "{}", seconds(begun));
}

#[tokio::test(start_paused = true)]
async fn a_closed_gate_fails_calls_at_once_and_the_probe_gets_one_attempt() {
    let memory = Memory::new(|_, _| Scripted::Refuses);
    let client = memory.gitlab(CallsConfig {
        read_attempts: 2,
        ..calls()
    });
    for _ in 0..3 {
        client.current_user().await.unwrap_err();
    }
    assert_eq!(memory.asked().len(), 6);
    let begun = Instant::now();
    let error = client.current_user().await.unwrap_err();
    assert!(begun.elapsed().is_zero() && !error.was_sent());
    assert_eq!(
        error.kind(),
        ErrorKind::Unreachable,
        "the reason is that of the gate"
    );
    assert!(error.to_string().contains("is GITLAB_URL right"), "{error}");
    let _passage = client.read_gate().passable().await;
    assert!(client.current_user().await.unwrap_err().was_sent());
    assert!(!client.current_user().await.unwrap_err().was_sent());
    assert_eq!(memory.asked().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_cancelled_on_its_way_frees_the_place() {
    let memory = Memory::new(|_, number| match number {
        1 => Scripted::Answers(401, "{}"),
        2 => Scripted::Hangs,
        _ => Scripted::Answers(200, CURRENT_USER),
    });
    let client = memory.gitlab(calls());
    assert!(
        client
            .current_user()
            .await
            .unwrap_err()
            .credentials_refused()
    );
    let gate = client.read_gate();
    let passage = gate.passable().await;
    assert!(
        timeout(Duration::from_secs(1), client.current_user())
            .await
            .is_err()
    );
    drop(passage);
    let _passage = timeout(Duration::from_secs(1), gate.passable())
        .await
        .unwrap();
    client.current_user().await.unwrap();
    assert_eq!(gate.closed_because(), None);
}

#[tokio::test(start_paused = true)]
async fn calls_that_queued_while_the_gate_was_open_are_not_sent_once_it_has_closed() {
    let memory = Memory::new(|_, _| Scripted::Answers(401, "{}"));
    let client = memory.gitlab(CallsConfig {
        concurrency: 1,
        ..calls()
    });
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let client = client.clone();
        callers.spawn(async move { client.current_user().await.unwrap_err().was_sent() });
    }
    let sent = callers
        .join_all()
        .await
        .into_iter()
        .filter(|sent| *sent)
        .count();
    assert_eq!((sent, memory.asked().len()), (1, 1));
}

/// GitLab down for two hours with 5,000 messages waiting, as handlers see it: look, then write,
/// else wait at the gate.
#[tokio::test(start_paused = true)]
async fn an_outage_of_two_hours_costs_few_calls_and_afterwards_everybody_is_served() {
    let up_at = Instant::now() + Duration::from_hours(2);
    let memory = Memory::new(move |request, _| match request.method().as_str() {
        _ if Instant::now() < up_at => Scripted::Answers(503, "{}"),
        "POST" => Scripted::Answers(201, "true"),
        _ => Scripted::Answers(200, CURRENT_USER),
    });
    let client = Arc::new(memory.gitlab(calls()));
    let mut handlers = JoinSet::new();
    for id in 0..5_000 {
        let client = Arc::clone(&client);
        handlers.spawn(async move {
            let mut passage = None;
            loop {
                let reserved = client.reserve(2).await;
                let permit = reserved.permit(false).unwrap();
                let done = match reserved.current_user().await {
                    Ok(_) => reserved.block(&permit, id).await.map(|_| ()),
                    Err(error) => Err(error),
                };
                drop((reserved, passage.take()));
                match done.map_err(|error| error.scope) {
                    Ok(()) => return,
                    Err(FaultScope::Upstream(gate)) => passage = Some(gate.passable().await),
                    Err(other) => panic!("{other:?}"),
                }
            }
        });
    }
    handlers.join_all().await;
    let asked = memory.asked();
    let during = asked.iter().filter(|then| **then < up_at).count();
    assert!(during < 400, "{during} calls during the outage");
    assert_eq!(
        asked.len() - during,
        10_000,
        "and then each look and write once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_refused_writes_ask_for_does_not_stop_reads() {
    let memory = Memory::new(|request, _| match request.method().as_str() {
        "POST" => Scripted::AnswersWith(503, "{}", vec![("retry-after", "600")]),
        _ => Scripted::Answers(200, CURRENT_USER),
    });
    let client = memory.gitlab(calls());
    let permit = client.permit(false).unwrap();
    let begun = Instant::now();
    client.block(&permit, 1).await.unwrap_err();
    client.current_user().await.unwrap();
    assert!(seconds(begun) < 0.1, "{}", seconds(begun));
    let _passage = client.write_gate().passable().await;
    assert!(seconds(begun) >= 600.0, "{}", seconds(begun));
}
