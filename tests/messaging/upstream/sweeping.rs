//! A sweep of both sides that is interrupted.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use lookup_gitlab_sync::{
    config,
    directory::{ControlPeople, Crsid, Directory, Standing, Standings},
    upstream::CallError,
    users::{
        rules::Rules,
        sweep::{Progress, Sweep, SweepError},
        sweeping::Sweeping,
    },
};

use super::gitlab_model::{Instead, Model};

/// Knows everybody, and remembers whom it was asked about.
#[derive(Debug, Default)]
struct Everybody {
    asked: Mutex<Vec<Crsid>>,
    unreadable: BTreeSet<Crsid>,
}

impl Directory for Everybody {
    fn standings<'a>(&'a self, people: &'a [Crsid]) -> BoxFuture<'a, Result<Standings, CallError>> {
        self.asked.lock().unwrap().extend(people);
        let told = people.iter().filter(|one| !self.unreadable.contains(one));
        let told = told.map(|one| (*one, Standing::Current));
        let mut answer = ControlPeople::default().believe(told).unwrap();
        let unreadable = people.iter().filter(|one| self.unreadable.contains(one));
        answer.add(Standings::without(unreadable.copied().collect()));
        Box::pin(std::future::ready(Ok(answer)))
    }

    fn people_in_one_question(&self) -> usize {
        200
    }
}

fn begin(directory: &Arc<Everybody>) -> Sweeping {
    let rules = Rules::new(
        &config::UsersConfig::default(),
        &config::GuardConfig::default(),
    )
    .unwrap();
    let directory: Arc<dyn Directory> = Arc::clone(directory) as Arc<dyn Directory>;
    Sweeping::new(directory, Arc::new(rules))
}

/// Reads 550 accounts, of which the first 300 before GitLab goes down; the rest, and what is older
/// than `max_age`, after.
async fn interrupted(directory: &Arc<Everybody>, max_age: Duration) -> (Sweep, Model, usize) {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&down);
    let model = Model::of(1..=550).meddle(move |target, number| {
        if number == 5 {
            is_down.store(true, Ordering::Relaxed);
        }
        let down = is_down.load(Ordering::Relaxed);
        down.then_some(Instead::Status(502))
            .filter(|_| !target.is_empty())
    });
    let client = model.client();
    let now = Timestamp::now();
    let progress = Mutex::new(Progress::default());
    let tell = |so_far| *progress.lock().unwrap() = so_far;
    let stopped = begin(directory)
        .to_the_end(&client, now, max_age, &tell)
        .await
        .unwrap_err();
    assert!(matches!(stopped.error, SweepError::Call(_)));
    assert_eq!(progress.lock().unwrap().accounts, 300);
    down.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_mins(10)).await;
    let before = model.asked().len();
    let sweep = stopped
        .so_far
        .unwrap()
        .to_the_end(&client, now, max_age, &tell)
        .await
        .unwrap();
    let after = model.asked().len() - before;
    (sweep, model, after)
}

fn assert_everybody_once(sweep: &Sweep) {
    let ids: Vec<u64> = sweep.accounts.iter().map(|one| one.id.0).collect();
    assert_eq!(ids, (1..=550).collect::<Vec<_>>());
    let known = |one: &_| *one == Standing::Current;
    assert!(sweep.accounts.iter().all(|one| known(&one.facts.standing)));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_sweep_reads_only_what_is_missing() {
    let directory = Arc::new(Everybody::default());
    let (sweep, _, calls) = interrupted(&directory, Duration::from_hours(1)).await;
    assert_everybody_once(&sweep);
    assert_eq!(calls, 4, "who we are, and three pages");
    let asked = directory.asked.lock().unwrap();
    let people: BTreeSet<Crsid> = asked.iter().copied().collect();
    assert_eq!(asked.len(), people.len(), "nobody is asked about twice");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_read_again_and_nobody_is_there_twice() {
    let directory = Arc::new(Everybody::default());
    let (sweep, model, calls) = interrupted(&directory, Duration::from_mins(5)).await;
    assert_everybody_once(&sweep);
    assert_eq!(calls, 7, "who we are, three pages, and three again");
    let first = |asked: &&String| asked.contains("sort=asc") && !asked.contains("cursor=");
    assert_eq!(model.asked().iter().filter(first).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn too_many_accounts_that_cannot_be_shown_stop_the_run_and_say_so() {
    let directory = Arc::new(Everybody::default());
    let eleven = (1..=11).map(|n| n * 45);
    let model = Model::of(1..=550).not_showing(eleven);
    let stopped = begin(&directory)
        .to_the_end(&model.client(), Timestamp::now(), Duration::MAX, &|_| ())
        .await
        .unwrap_err();
    assert!(stopped.so_far.is_none(), "there is nothing to go on with");
    let told = stopped.error.to_string();
    assert!(
        told.contains("11 accounts") && told.contains("account_unreadable"),
        "{told}"
    );

    let ten = (1..=10).map(|n| n * 45);
    let model = Model::of(1..=550).not_showing(ten);
    let sweep = begin(&directory)
        .to_the_end(&model.client(), Timestamp::now(), Duration::MAX, &|_| ())
        .await
        .unwrap();
    assert_eq!((sweep.accounts.len(), sweep.unreadable.len()), (540, 10));
}

#[tokio::test(start_paused = true)]
async fn too_many_people_who_cannot_be_shown_stop_the_run_and_say_so() {
    let unreadable = |count: usize| {
        let unreadable = (1..=count).map(|n| Crsid::parse(&format!("ab{n}")).unwrap());
        Arc::new(Everybody {
            unreadable: unreadable.collect(),
            ..Everybody::default()
        })
    };
    let model = Model::of(1..=550);
    let read = async |directory: &Arc<Everybody>| {
        begin(directory)
            .to_the_end(&model.client(), Timestamp::now(), Duration::MAX, &|_| ())
            .await
    };
    let error = read(&unreadable(11)).await.unwrap_err().error;
    assert!(error.to_string().contains("11 people"), "{error}");
    let sweep = read(&unreadable(10)).await.unwrap();
    assert_eq!(sweep.unreadable_people.len(), 10);
    let unknown = sweep.accounts.iter();
    let unknown = unknown.filter(|one| one.facts.standing == Standing::Unknown);
    assert_eq!(unknown.count(), 10, "unknown never writes");
}
