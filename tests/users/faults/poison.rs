//! Poisonous messages among good ones: each a dead letter at its first delivery, and the good ones
//! none the worse.

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use futures::future::join_all;
use jiff::Timestamp;
use lookup_gitlab_sync::messaging::Topic;
use rstest::rstest;
use serde_json::json;
use simulator::{
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
};
use testkit::{environment::ServiceEnvironment, variable::number, wait::PATIENCE};
use tokio::time::{Instant, sleep};

use crate::support::{connection, environment};

/// One account in so many is cancelled and to be blocked; for the others nothing is planned.
const CHANGES: u64 = 50;
/// What somebody may publish by mistake, and what each is a dead letter for.
const POISON: [(&str, &str); 5] = [
    ("no json", "undecodable"),
    ("", "undecodable"),
    (r#"{"crsid":3}"#, "invalid_field"),
    (r#"{"reason":"nobody"}"#, "no_identifier"),
    (r#"{"gitlab_user_id":7,"of_tomorrow":1}"#, "invalid_field"),
];

/// Beside a clean run. `FAULT_POISON=1000` is the campaign: that many among ten times as many good
/// ones, three pairs, and the figures are worth something where nothing else is at work.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn poison_dies_at_once_for_its_reason_and_the_good_are_unharmed(
    #[values(Work::Keep, Work::Look)] work: Work,
) {
    let campaign = number("FAULT_POISON").map(|poison| u32::try_from(poison).unwrap());
    let (poison, pairs) = campaign.map_or((30, 1), |poison| (poison, 3));
    let (mut clean, mut poisoned) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        clean.push(Throng::of(poison * 10, 0, work).await.work_off().await);
        poisoned.push(Throng::of(poison * 10, poison, work).await.work_off().await);
    }
    println!("messages a second: {clean:.0?} without poison, {poisoned:.0?} with one in eleven");
    let share = median(poisoned) / median(clean);
    println!("{work:?}: {:.0} % of the throughput", share * 100.0);
}

/// What the good messages ask for.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// Nothing is planned for most of them: no call.
    Keep,
    /// All are looked at again.
    Look,
}

/// Messages that wait before a worker begins.
struct Throng {
    scene: ServiceEnvironment,
    good: u32,
    poison: u32,
    work: Work,
}

impl Throng {
    async fn of(good: u32, poison: u32, work: Work) -> Self {
        let ids = 10..10 + u64::from(good);
        let accounts = ids.clone().map(|id| SimulatedUser::new(id, &name(id)));
        let people = ids.map(|id| {
            if is_change(id) {
                SimulatedPerson::cancelled(&name(id), "Person")
            } else {
                SimulatedPerson::current(&name(id), "Person")
            }
        });
        let scene = environment(accounts.collect(), people.collect()).await;
        let throng = Self {
            scene,
            good,
            poison,
            work,
        };
        throng.publish().await;
        throng
    }

    /// The poison evenly among the good.
    async fn publish(&self) {
        let publisher = connection(&self.scene)
            .await
            .publisher(Topic::UserSync)
            .await;
        let publisher = publisher.unwrap();
        let mut poison = POISON.iter().map(|(body, _)| (*body).to_owned()).cycle();
        let mut bodies: Vec<String> = Vec::new();
        let (good_ones, poisonous) = (self.good as usize, self.poison as usize);
        for (number, id) in self.ids().enumerate() {
            let is_its_turn = number * poisonous % good_ones < poisonous;
            bodies.extend(is_its_turn.then(|| poison.next().unwrap()));
            bodies.push(good(id, self.work));
        }
        // An empty message needs an attribute: Pub/Sub takes none without either.
        let attributes = BTreeMap::from([("run".to_owned(), "r1".to_owned())]);
        let publishing = bodies
            .into_iter()
            .map(|body| publisher.publish_raw(body.into(), attributes.clone()));
        for published in join_all(publishing).await {
            published.unwrap();
        }
    }

    /// Lets a worker do all of it and looks at every end. Messages a second, from the first ack to
    /// the last.
    async fn work_off(mut self) -> f64 {
        self.scene.launch_serve(&["user-worker"], &[]).await;
        let began = self.when(|acked, _| acked > 0).await;
        let ended = self.when(|acked, all| acked == all).await;
        for id in self.ids() {
            let expected = if is_change(id) {
                UserState::Blocked
            } else {
                UserState::Active
            };
            assert_eq!(self.scene.state(id), expected, "account {id}");
        }
        let posts = self.scene.posts();
        assert!(posts.values().all(|times| *times == 1), "{posts:?}");
        let changes = self.ids().filter(|id| is_change(*id)).count();
        assert_eq!(posts.len(), changes);
        self.judge_letters().await;
        let seconds = ended.duration_since(began).as_secs_f64();
        f64::from(self.good + self.poison) / seconds
    }

    fn ids(&self) -> std::ops::Range<u64> {
        10..10 + u64::from(self.good)
    }

    async fn when(&self, condition: impl Fn(u64, u64) -> bool) -> Instant {
        // A thousand a minute, on the worst of days.
        let deadline = Instant::now() + PATIENCE * (1 + self.good / 2_000);
        loop {
            let acked = self.scene.counts("user-sync-worker").acked;
            if condition(acked, u64::from(self.good + self.poison)) {
                return Instant::now();
            }
            assert!(Instant::now() < deadline, "{acked} acked");
            sleep(Duration::from_millis(2)).await;
        }
    }

    async fn judge_letters(&self) {
        let letters = self
            .scene
            .dead_letters("user-sync-dead-hold", u64::from(self.poison));
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        for (body, attributes) in letters.await {
            let body = String::from_utf8(body).unwrap();
            let reason = POISON.iter().find(|(poison, _)| *poison == body);
            assert_eq!(
                attributes["dead_letter_reason"],
                reason.expect("only poison dies").1,
                "{body}"
            );
            assert_eq!(attributes["original_delivery_attempt"], "1", "{body}");
            *seen.entry(body).or_default() += 1;
        }
        let each = u64::from(self.poison) / POISON.len() as u64;
        assert!(seen.values().all(|times| *times == each), "{seen:?}");
    }
}

fn name(id: u64) -> String {
    format!("ab{id}")
}

const fn is_change(id: u64) -> bool {
    id.is_multiple_of(CHANGES)
}

/// Of one run: a later plan would make an earlier one lapse.
static PLANNED_AT: LazyLock<Timestamp> = LazyLock::new(Timestamp::now);

fn good(id: u64, work: Work) -> String {
    let (planned, reason) = match work {
        Work::Keep if !is_change(id) => ("keep", "current"),
        Work::Keep | Work::Look => ("block", "cancelled_in_lookup"),
    };
    json!({"gitlab_user_id": id, "cause": "tick", "planned": planned, "planned_reason": reason,
        "planned_at": *PLANNED_AT})
    .to_string()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
