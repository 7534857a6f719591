//! The real binary, ended without warning between any two calls, its streams reset, its connections
//! cut and its broker away for a while; another process takes over and everything ends right.

use std::{collections::BTreeSet, time::Duration};

use lookup_gitlab_sync::messaging::wire::SyncTick;
use pubsub_emulator::Broker;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rstest::rstest;
use simulator::{
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
    servers::ServerSettings,
};
use testkit::{
    environment::ServiceEnvironment, proxy::FaultProxy, variable::number, wait::PATIENCE,
};
use tokio::time::{Instant, sleep};

use super::{
    ledger::{Ledger, Owner},
    population::member,
};
use crate::support::environment_with;

/// Bodies that are dead-lettered at their first delivery.
const POISON: [&str; 2] = ["no json", r#"{"crsid":3}"#];
/// After so long without an ack, leases lapse.
const STANDSTILL: Duration = Duration::from_secs(3);
/// Places at which a process can die, and how often each is passed in a run.
const PLACES: [(&str, u32); 12] = [
    ("before_publishing", 1),
    ("while_publishing", 40),
    ("after_publishing", 1),
    ("between_looks", 12),
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
        "between_looks:3",
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
    assert!(stage.dies_at(place, &[]).await, "it came to {place}");
    stage.recovers(&[]).await;
    stage.is_right().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn disturbed_in_the_middle_everything_ends_right(
    #[values(
        Trouble::StreamsReset,
        Trouble::ConnectionsCut,
        Trouble::BrokerAway(1_000)
    )]
    trouble: Trouble,
) {
    // Slow enough to be met at work, however fast the machine is.
    let mut stage = Stage::with_latency(Duration::from_millis(60)).await;
    stage.serve(&[]).await;
    let mut at_work = 0;
    for _ in 0..3 {
        let (before, since) = (stage.acked(), Instant::now());
        while stage.acked() <= before && !stage.scene.is_quiet() {
            stage.wait(since, "it is at work").await;
        }
        at_work += usize::from(!stage.scene.is_quiet());
        stage.meets(trouble).await;
    }
    assert!(at_work > 0, "it was disturbed at work");
    stage.quiet().await;
    stage.is_right().await;
}

/// `FAULT_KILLS=500` is the campaign; `FAULT_FIRST` its first seed.
#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_everything_ends_right() {
    let first = number("FAULT_FIRST").unwrap_or(1);
    let kills = number("FAULT_KILLS").unwrap_or(4);
    let (mut seed, mut killed, mut disturbed) = (first, 0, 0);
    while killed < kills {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut stage = Stage::new().await;
        let deaths = rng.random_range(1..=3);
        for death in 0..deaths {
            let troubles = Trouble::draw(&mut rng);
            disturbed += troubles.len();
            // A later process finds work at once, and could die before it is ready.
            if death == 0 && rng.random_bool(0.7) {
                let (place, passages) = PLACES[rng.random_range(0..PLACES.len())];
                let place = format!("{place}:{}", rng.random_range(1..=passages));
                killed += u64::from(stage.dies_at(&place, &troubles).await);
            } else {
                let pause = Duration::from_millis(rng.random_range(1..400));
                stage.dies_after(pause, &troubles).await;
                killed += 1;
            }
        }
        let troubles = Trouble::draw(&mut rng);
        disturbed += troubles.len();
        stage.recovers(&troubles).await;
        println!("seed {seed}: {killed} kills and {disturbed} disturbances so far");
        stage.is_right().await;
        seed += 1;
    }
    println!(
        "seeds {first} to {}: {killed} kills and {disturbed} disturbances, every end right",
        seed - 1
    );
}

/// What comes between the service and Pub/Sub.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// Every streaming pull ends with UNAVAILABLE.
    StreamsReset,
    /// Every connection is reset.
    ConnectionsCut,
    /// The broker is started again, which takes so many milliseconds.
    BrokerAway(u64),
}

impl Trouble {
    /// None to two, each after some milliseconds.
    fn draw(rng: &mut ChaCha8Rng) -> Vec<(u64, Self)> {
        let one = |rng: &mut ChaCha8Rng| {
            let trouble = match rng.random_range(0..3) {
                0 => Self::StreamsReset,
                1 => Self::ConnectionsCut,
                _ => Self::BrokerAway(rng.random_range(1..1_500)),
            };
            (rng.random_range(0..200), trouble)
        };
        (0..rng.random_range(0..=2)).map(|_| one(rng)).collect()
    }
}

struct Stage {
    scene: ServiceEnvironment,
    proxy: FaultProxy,
    ledger: Ledger,
    processes: usize,
    /// What may each have made one more dead letter of a message: a kill, a trouble, leases that
    /// lapsed.
    disturbances: usize,
    published: bool,
    /// How much was acked when that last changed.
    progress: (u64, Instant),
}

impl Stage {
    async fn new() -> Self {
        Self::with_latency(Duration::from_millis(2)).await
    }

    /// Every case of the decision table, four times, on servers that answer after `latency`.
    async fn with_latency(latency: Duration) -> Self {
        let mut ledger = Ledger::default();
        let mut people: Vec<SimulatedPerson> = Vec::new();
        let mut accounts: Vec<SimulatedUser> = Vec::new();
        for id in 10..62 {
            let account = member(id, (id % 13) as u32, &mut people, &mut ledger);
            let owner = Owner::Member(account.username.clone());
            ledger.owners.insert(id, owner);
            accounts.push(account);
        }
        let settings = ServerSettings {
            latency,
            ..ServerSettings::default()
        };
        let scene = environment_with(accounts, people, settings).await;
        let broker = scene.servers.broker.as_ref().unwrap().host();
        Self {
            scene,
            proxy: FaultProxy::to(broker).await,
            ledger,
            processes: 0,
            disturbances: 0,
            published: false,
            progress: (0, Instant::now()),
        }
    }

    async fn serve(&mut self, variables: &[(&str, &str)]) {
        self.scene.lapse_leases().await;
        let through_proxy = ("PUBSUB_EMULATOR_HOST", self.proxy.host());
        let variables = [&[through_proxy], variables].concat();
        self.scene.serve(&[], &variables).await;
        self.processes += 1;
        self.disturbances += 1;
        if !self.published {
            self.published = true;
            for body in POISON {
                self.scene.publish_raw("user-sync", body.as_bytes()).await;
            }
            self.scene.tick(SyncTick::default()).await;
        }
    }

    /// Says whether it came to that place at all: an earlier process may have done the work.
    async fn dies_at(&mut self, place: &str, troubles: &[(u64, Trouble)]) -> bool {
        self.serve(&[("LOOKUP_GITLAB_SYNC_FAIL_AT", place)]).await;
        self.meets_all(troubles).await;
        let last = self.processes - 1;
        let since = Instant::now();
        while self.scene.serving(last).is_running() && !self.scene.is_quiet() {
            self.wait(since, "it dies or is done").await;
        }
        let died = !self.scene.serving(last).is_running();
        if !died {
            self.scene.serving(last).kill().await;
        }
        died
    }

    async fn dies_after(&mut self, pause: Duration, troubles: &[(u64, Trouble)]) {
        self.serve(&[]).await;
        self.meets_all(troubles).await;
        sleep(pause).await;
        self.scene.serving(self.processes - 1).kill().await;
    }

    async fn recovers(&mut self, troubles: &[(u64, Trouble)]) {
        self.serve(&[]).await;
        self.meets_all(troubles).await;
        self.quiet().await;
    }

    async fn meets_all(&mut self, troubles: &[(u64, Trouble)]) {
        for (pause, trouble) in troubles {
            sleep(Duration::from_millis(*pause)).await;
            self.meets(*trouble).await;
        }
    }

    async fn meets(&mut self, trouble: Trouble) {
        self.disturbances += 1;
        match trouble {
            Trouble::StreamsReset => self.broker().reset_streams(),
            Trouble::ConnectionsCut => self.proxy.cut(),
            Trouble::BrokerAway(pause) => self.proxy.away(Duration::from_millis(pause)).await,
        }
    }

    async fn quiet(&mut self) {
        let since = Instant::now();
        while !self.scene.is_quiet() {
            self.wait(since, "every message acked").await;
        }
    }

    /// An ack that was lost on its way is made good when the lease lapses. That takes a minute by
    /// itself.
    async fn wait(&mut self, since: Instant, what: &str) {
        assert!(since.elapsed() < PATIENCE, "waited in vain: {what}");
        sleep(Duration::from_millis(20)).await;
        let acked = self.acked();
        if acked != self.progress.0 {
            self.progress = (acked, Instant::now());
        }
        if self.progress.1.elapsed() > STANDSTILL {
            self.progress.1 = Instant::now();
            self.disturbances += 1;
            for name in ["sync-tick-fan-out", "user-sync-worker"] {
                let name = self.scene.pubsub.subscription(name);
                self.broker().lapse_leases(&name).unwrap();
            }
        }
    }

    fn acked(&self) -> u64 {
        self.scene.counts("user-sync-worker").acked + self.scene.counts("sync-tick-fan-out").acked
    }

    fn broker(&self) -> &Broker {
        self.scene.servers.broker.as_ref().unwrap()
    }

    async fn is_right(&self) {
        for id in self.ledger.owners.keys() {
            let expected = self.ledger.expected(*id).unwrap();
            assert_eq!(self.scene.state(*id), expected, "account {id}");
        }
        for ((action, id), _) in self.scene.posts() {
            let before = self.ledger.now(id).unwrap().state;
            let open = matches!(before, UserState::Active | UserState::Deactivated);
            assert_eq!(
                action == "block",
                open,
                "{action} of account {id}, which was {before:?}"
            );
        }
        assert_eq!(self.scene.counts("sync-tick-dead-hold").published, 0);
        let dead = self.scene.counts("user-sync-dead-hold").published;
        let most = POISON.len() * self.disturbances;
        assert!(dead <= most as u64, "{dead} dead letters");
        let letters = self.scene.dead_letters("user-sync-dead-hold", dead).await;
        let bodies: BTreeSet<_> = letters.into_iter().map(|(body, _)| body).collect();
        let poison = POISON.map(|body| body.as_bytes().to_vec());
        assert_eq!(bodies, poison.into(), "poison alone is dead, and all of it");
    }
}
