//! The switch under virtual time.

use tokio::time::Instant;

use super::*;

#[derive(Debug, thiserror::Error)]
#[error("permission denied")]
struct Denied;

/// What a reading comes to; `None` is one that never ends.
type Scripted = Arc<Mutex<Option<Result<Option<PauseNotice>, ()>>>>;

struct ScriptedSource(Scripted);

impl PauseSource for ScriptedSource {
    type Error = Denied;

    async fn read(&self) -> Result<Option<PauseNotice>, Denied> {
        let scripted = self.0.lock().unwrap().clone();
        match scripted {
            Some(read) => read.map_err(|()| Denied),
            None => std::future::pending().await,
        }
    }
}

fn notice() -> PauseNotice {
    PauseNotice::new(jiff::Timestamp::UNIX_EPOCH, Some("alice"), None)
}

async fn watched(first: Option<PauseNotice>) -> (WriteSwitch, Scripted) {
    let scripted = Scripted::new(Mutex::new(Some(Ok(first))));
    let source = ScriptedSource(Arc::clone(&scripted));
    (WriteSwitch::watching(source).await.unwrap(), scripted)
}

fn set(scripted: &Scripted, read: Option<Result<Option<PauseNotice>, ()>>) {
    *scripted.lock().unwrap() = read;
}

async fn passes_within(switch: &WriteSwitch, patience: Duration) -> bool {
    timeout(patience, switch.passable()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_seen_within_two_seconds_and_so_is_its_end() {
    let (switch, scripted) = watched(None).await;
    assert_eq!(switch.held_because(), None);
    set(&scripted, Some(Ok(Some(notice()))));
    sleep(READ_EVERY + Duration::from_millis(1)).await;
    let why = switch.held_because().unwrap();
    assert!(
        why.contains("by alice") && why.contains("`lookup-gitlab-sync resume`"),
        "{why}"
    );
    assert!(!passes_within(&switch, Duration::from_hours(24)).await);
    set(&scripted, Some(Ok(None)));
    assert!(passes_within(&switch, READ_EVERY + Duration::from_millis(1)).await);
    assert_eq!(switch.held_because(), None);
}

#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_read_lets_no_write_begin_after_ten_seconds() {
    for unreadable in [Some(Err(())), None] {
        let (switch, scripted) = watched(None).await;
        set(&scripted, unreadable.clone());
        sleep(GOOD_FOR.saturating_sub(Duration::from_millis(1))).await;
        assert_eq!(switch.held_because(), None);
        sleep(Duration::from_millis(1)).await;
        assert!(switch.held_because().is_some());
        assert!(!passes_within(&switch, Duration::from_hours(24)).await);
        let why = switch.unknown_because().unwrap();
        assert!(why.contains("not been known for"), "{why}");
        assert_eq!(
            why.contains("permission denied"),
            unreadable.is_some(),
            "{why}"
        );
        set(&scripted, Some(Ok(None)));
        assert!(passes_within(&switch, GOOD_FOR + READ_EVERY * 2).await);
        assert_eq!(switch.unknown_because(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_lasts_while_the_state_cannot_be_read() {
    let (switch, scripted) = watched(Some(notice())).await;
    set(&scripted, Some(Err(())));
    sleep(Duration::from_hours(1)).await;
    assert!(switch.held_because().unwrap().contains("by alice"));
    assert_eq!(switch.unknown_because(), None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_long_on_its_way_tells_of_when_it_was_asked_for() {
    struct Slow;
    impl PauseSource for Slow {
        type Error = Denied;

        async fn read(&self) -> Result<Option<PauseNotice>, Denied> {
            sleep(GOOD_FOR).await;
            Ok(None)
        }
    }
    let switch = WriteSwitch::watching(Slow).await.unwrap();
    assert!(switch.held_because().is_some());
    assert!(!passes_within(&switch, Duration::from_hours(1)).await);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_reads_again_before_it_writes() {
    let (switch, _scripted) = watched(None).await;
    let state = switch.state.clone().unwrap();
    // The monotonic clock stood still meanwhile.
    state.seen().newest = Some(PauseReading {
        begun: Moment::now().as_if_slept(GOOD_FOR),
        pause: None,
    });
    assert!(switch.held_because().is_some());
    let began = Instant::now();
    switch.passable().await;
    assert!(began.elapsed() <= READ_EVERY);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_read_the_state_at_first_has_no_switch() {
    let scripted = Scripted::new(Mutex::new(Some(Err(()))));
    assert!(
        WriteSwitch::watching(ScriptedSource(scripted))
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn reading_ends_with_the_switch() {
    let (switch, scripted) = watched(None).await;
    drop(switch);
    sleep(READ_EVERY * 3).await;
    assert_eq!(Arc::strong_count(&scripted), 1);
}
