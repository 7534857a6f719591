//! The whole service on Google's own Pub/Sub emulator, wherever it is installed; where it is not,
//! one line says so.
//!
//! Known faults of the emulator (0.8.20), and how they are kept out: a stream that a client resets
//! lives on and swallows messages, so each test has a project, a prefix and subscriptions of its
//! own and one stream each, opened once; filters are ignored, which `--follow` makes up for.

mod served;
mod service;

use lookup_gitlab_sync::messaging::Topic;
use simulator::{
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
    population::Population,
};

use service::Service;
use testkit::google_emulator::GoogleEmulator;

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_service_reaches_its_end_state_on_googles_emulator() {
    let Some(emulator) = GoogleEmulator::start().await else {
        return;
    };
    let today = jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date();
    let population = Population::generate(200, 20_261_122, today);
    let service = Service::start(
        emulator.host(),
        population.accounts().to_vec(),
        population.people().to_vec(),
    )
    .await;

    let followed = service
        .succeed(&["tick", "--follow", "--output=json"])
        .await;
    assert_eq!(population.check(&service.servers.gitlab.snapshot()), []);
    let counts = population.counts();
    let applied = followed
        .iter()
        .filter(|row| row["result"] == "applied" && row["kind"] == "user");
    assert_eq!(applied.count(), counts.blocks + counts.unblocks);

    let before = service.writes();
    service
        .succeed(&["tick", "--follow", "--output=json"])
        .await;
    assert_eq!(service.writes(), before, "a second tick changes nothing");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resync_is_done_and_poison_is_dead_lettered_listed_and_discarded_on_googles_emulator() {
    let Some(emulator) = GoogleEmulator::start().await else {
        return;
    };
    let accounts = vec![
        SimulatedUser::new(42, "spqr1"),
        SimulatedUser::new(43, "spqr2"),
    ];
    let people = vec![
        SimulatedPerson::cancelled("spqr1", "Gone"),
        SimulatedPerson::current("spqr2", "Here"),
    ];
    let service = Service::start(emulator.host(), accounts, people).await;
    let poison = br#"{"crsid":"Robert'); DROP TABLE users;--"}"#;
    let publisher = service.connection.publisher(Topic::UserSync).await.unwrap();
    publisher
        .publish_raw(poison.to_vec().into(), [].into())
        .await
        .unwrap();

    // Nobody has the last of these ids: the command says so in the end.
    let outcomes = service
        .fail(&[
            "resync",
            "spqr1",
            "spqr2",
            "4711",
            "--follow",
            "--output=json",
        ])
        .await;
    let mut results: Vec<&str> = outcomes
        .iter()
        .filter(|row| row["kind"] == "user")
        .map(|row| row["result"].as_str().unwrap())
        .collect();
    results.sort_unstable();
    assert_eq!(results, ["applied", "gone", "unchanged"]);
    assert_eq!(service.state(42), UserState::Blocked);
    assert_eq!(service.state(43), UserState::Active);

    let letters = service.dead_letters(1).await;
    assert_eq!(letters[0]["reason"], "invalid_field", "{letters:?}");
    service
        .succeed(&["dead-letters", "discard", "--topic", "user-sync", "--yes"])
        .await;
    service.dead_letters(0).await;
    service.stop().await;
}
