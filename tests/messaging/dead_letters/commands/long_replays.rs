//! Replays of many letters, and those that are ended half-way.

use super::*;

#[tokio::test]
async fn ten_thousand_dead_letters_are_replayed_exactly_and_in_bounded_memory() {
    const LETTERS: usize = 10_000;
    /// All bodies together are twice the memory allowed.
    const BODY: usize = 20_000;
    const MEMORY_KIB: u64 = 100 * 1024;
    let commands = CommandFixture::start().await;
    let publisher = commands
        .fixture
        .connection
        .publisher_with("user-sync-dead", &PublisherOptions::default());
    let body = bytes::Bytes::from(vec![b'x'; BODY]);
    let attributes = died(
        Stage::UserWorker,
        &body,
        &[("run", "r1")].into(),
        DeadLetterReason::Undecodable,
    );
    stream::iter(0..LETTERS)
        .for_each_concurrent(200, async |_| {
            publisher
                .publish_raw(body.clone(), attributes.clone())
                .await
                .unwrap();
        })
        .await;
    let mut child = commands.spawn(&["replay", "--all"]);
    let mut peak = 0;
    let status = loop {
        peak = peak.max(peak_memory_kib(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let output = child.wait_with_output().await.unwrap();
    assert!(status.success(), "{}", errors(&output));
    assert_eq!(commands.fixture.held(), 0);
    assert_eq!(
        commands
            .fixture
            .counts(Stage::UserWorker.subscription())
            .published,
        LETTERS as u64
    );
    assert!((1..MEMORY_KIB).contains(&peak), "{peak} KiB at its peak");
}

#[tokio::test]
async fn a_replay_that_is_killed_outright_loses_nothing() {
    const LETTERS: usize = 40;
    let commands = CommandFixture::start().await;
    commands.fixture.lapse_soon().await;
    for number in 1..=LETTERS {
        commands
            .fixture
            .give_up(
                &format!(r#"{{"gitlab_user_id":{number}}}"#),
                DeadLetterReason::Refused,
            )
            .await;
    }
    let worker = Stage::UserWorker.subscription();
    let mut killed = commands.spawn(&["replay", "--all", "--rate", "50/s"]);
    let killing = async {
        while commands.fixture.counts(worker).published < 5 {
            tokio::task::yield_now().await;
        }
        killed.kill().await.unwrap();
    };
    tokio::time::timeout(PATIENCE, killing)
        .await
        .expect("it publishes");
    assert!(commands.fixture.held() > 0, "it was killed too late");
    let rest = async {
        while commands.fixture.held() > 0 {
            assert!(commands.run(&["replay", "--all"]).await.status.success());
        }
    };
    tokio::time::timeout(PATIENCE, rest)
        .await
        .expect("the rest is replayed");
    let published = usize::try_from(commands.fixture.counts(worker).published).unwrap();
    let messages = commands.fixture.take(worker, published).await;
    let bodies: BTreeSet<_> = messages.into_iter().map(|message| message.data).collect();
    assert_eq!(bodies.len(), LETTERS);
}

#[tokio::test]
async fn an_interrupted_replay_gives_back_its_leases_says_what_it_did_and_exits_with_130() {
    let commands = CommandFixture::start().await;
    for _ in 0..40 {
        commands
            .fixture
            .give_up("{}", DeadLetterReason::Refused)
            .await;
    }
    let worker = Stage::UserWorker.subscription();
    let child = commands.spawn(&["replay", "--all", "--rate", "2/s", "--output", "json"]);
    let process = child.id().unwrap().to_string();
    let interrupting = async {
        while commands.fixture.counts(worker).published < 1 {
            tokio::task::yield_now().await;
        }
        Command::new("kill")
            .args(["-INT", &process])
            .status()
            .await
            .unwrap();
        child.wait_with_output().await.unwrap()
    };
    let ended = tokio::time::timeout(PATIENCE, interrupting)
        .await
        .expect("it ends");
    assert_eq!(ended.status.code(), Some(130), "{}", errors(&ended));
    let said = lines(&ended);
    let replayed = commands.fixture.counts(worker).published;
    assert_eq!(said.last().unwrap()["replayed"], replayed);
    let counts = commands
        .fixture
        .counts(Stage::UserWorker.hold_subscription());
    assert_eq!(
        (counts.outstanding, counts.waiting as u64),
        (0, 40 - replayed)
    );
}

/// `VmHWM` of a process that still runs.
fn peak_memory_kib(process: Option<u32>) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process?)).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
