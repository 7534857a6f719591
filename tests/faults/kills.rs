//! The real binary, ended without warning between any two calls; another process takes over and everything ends right.

use std::{env, time::Duration};

use lookup_gitlab_sync::{
    messaging::{Topic, wire::SyncTick},
    simulate::{
        gitlab::{Account, State},
        lookup::Person,
    },
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rstest::rstest;

use super::{
    ledger::{Ledger, Owner},
    scene::{Scene, until},
    world::member,
};

/// Bodies that are dead-lettered at their first delivery.
const POISON: [&str; 2] = ["no json", r#"{"crsid":3}"#];
/// Places at which a process can die, and how often each is passed in a run.
const PLACES: [(&str, u32); 11] = [
    ("before_publishing", 1),
    ("while_publishing", 40),
    ("after_publishing", 1),
    ("before_marker", 8),
    ("before_block", 8),
    ("after_block", 8),
    ("before_unblock", 4),
    ("after_unblock", 4),
    ("before_dead_letter", 2),
    ("after_dead_letter", 2),
    ("before_ack", 40),
];

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_place_everything_ends_right(
    #[values(
        "before_publishing:1",
        "while_publishing:20",
        "after_publishing:1",
        "before_marker:2",
        "before_block:3",
        "after_block:2",
        "before_unblock:2",
        "after_unblock:1",
        "before_dead_letter:1",
        "after_dead_letter:1",
        "before_ack:9"
    )]
    place: &str,
) {
    let mut stage = Stage::new().await;
    assert!(stage.dies_at(place).await, "it came to {place}");
    stage.recovers().await;
    stage.is_right();
}

/// `FAULT_KILLS=500` is the campaign; `FAULT_FIRST` its first seed.
#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_everything_ends_right() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("FAULT_FIRST").unwrap_or(1);
    let kills = number("FAULT_KILLS").unwrap_or(4);
    let (mut seed, mut killed) = (first, 0);
    while killed < kills {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut stage = Stage::new().await;
        let deaths = rng.random_range(1..=3);
        for death in 0..deaths {
            // A later process finds work at once, and could die before it is ready.
            if death == 0 && rng.random_bool(0.7) {
                let (place, passages) = PLACES[rng.random_range(0..PLACES.len())];
                let place = format!("{place}:{}", rng.random_range(1..=passages));
                killed += u64::from(stage.dies_at(&place).await);
            } else {
                let pause = Duration::from_millis(rng.random_range(1..400));
                stage.dies_after(pause).await;
                killed += 1;
            }
        }
        stage.recovers().await;
        println!("seed {seed}: {killed} kills so far");
        stage.is_right();
        seed += 1;
    }
    println!(
        "seeds {first} to {}: {killed} kills, every end right",
        seed - 1
    );
}

struct Stage {
    scene: Scene,
    ledger: Ledger,
    processes: usize,
    published: bool,
}

impl Stage {
    /// Every case of the decision table, four times.
    async fn new() -> Self {
        let mut ledger = Ledger::default();
        let mut people: Vec<Person> = Vec::new();
        let mut accounts: Vec<Account> = Vec::new();
        for id in 10..62 {
            let account = member(id, (id % 13) as u32, &mut people, &mut ledger);
            let owner = Owner::Member(account.username.clone());
            ledger.owners.insert(id, owner);
            accounts.push(account);
        }
        Self {
            scene: Scene::of(accounts, people).await,
            ledger,
            processes: 0,
            published: false,
        }
    }

    async fn serve(&mut self, variables: &[(&str, &str)]) {
        self.scene.lapse_leases().await;
        self.scene.serve(&[], variables).await;
        self.processes += 1;
        if !self.published {
            self.published = true;
            for body in POISON {
                self.scene
                    .publish_raw(Topic::UserSync, body.as_bytes())
                    .await;
            }
            self.scene.tick(SyncTick::default()).await;
        }
    }

    /// Says whether it came to that place at all: an earlier process may have done the work.
    async fn dies_at(&mut self, place: &str) -> bool {
        self.serve(&[("LOOKUP_GITLAB_SYNC_FAIL_AT", place)]).await;
        let last = self.processes - 1;
        let scene = &mut self.scene;
        until("it dies or is done", async || {
            scene.is_quiet() || !scene.serving(last).is_running()
        })
        .await;
        let died = !scene.serving(last).is_running();
        if !died {
            scene.serving(last).kill().await;
        }
        died
    }

    async fn dies_after(&mut self, pause: Duration) {
        self.serve(&[]).await;
        tokio::time::sleep(pause).await;
        self.scene.serving(self.processes - 1).kill().await;
    }

    async fn recovers(&mut self) {
        self.serve(&[]).await;
        self.scene.quiet().await;
    }

    fn is_right(&self) {
        for id in self.ledger.owners.keys() {
            let expected = self.ledger.expected(*id).unwrap();
            assert_eq!(self.scene.state(*id), expected, "account {id}");
        }
        for ((action, id), _) in self.scene.posts() {
            let before = self.ledger.now(id).unwrap().state;
            let open = matches!(before, State::Active | State::Deactivated);
            assert_eq!(
                action == "block",
                open,
                "{action} of account {id}, which was {before:?}"
            );
        }
        let dead = self.scene.counts("user-sync-dead-hold").published;
        assert!(dead >= POISON.len() as u64, "{dead} dead letters");
        let most = (POISON.len() * self.processes) as u64;
        assert!(dead <= most, "{dead} dead letters");
    }
}
