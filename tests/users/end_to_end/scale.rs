//! How many calls a run costs: exactly what the design says, at a size where it matters.

use lookup_gitlab_sync::messaging::wire::SyncTick;
use simulator::{gitlab::Kind, population::Population};
use testkit::environment::ServiceEnvironment;

use crate::support::environment_of;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_users_with_one_percent_changes_cost_what_the_design_says() {
    let today = jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date();
    let population = Population::generate(20_000, 7, today);
    let counts = population.counts();
    let mut scene = environment_of(&population).await;
    scene.serve(&[], &[]).await;
    let (gitlab, lookup) = (
        scene.servers.gitlab.control(),
        scene.servers.lookup.control(),
    );
    gitlab.forget_requests();
    lookup.forget_requests();

    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
    assert_eq!(population.check(&scene.servers.gitlab.snapshot()), []);

    let humans = population
        .accounts()
        .iter()
        .filter(|account| account.kind == Kind::Human)
        .count();
    let floor = humans.div_ceil(100) + 2 + 3 * counts.blocks + 2 * counts.unblocks;
    assert_eq!(
        gitlab.count("*", "*"),
        floor,
        "GitLab: pages, token, three a block, two an unblock"
    );

    let people = lookup.count("GET", "*/person/list*");
    let linked = linked(&scene).await;
    let changes = counts.blocks + counts.unblocks;
    assert!(
        (linked.div_ceil(200)..=linked.div_ceil(200) + changes).contains(&people),
        "Lookup: {people} calls for {linked} people and {changes} changes"
    );
    println!(
        "{humans} accounts: {} calls to GitLab, {people} to Lookup",
        gitlab.count("*", "*")
    );
}

/// How many people the accounts in GitLab belong to, as `plan` tells.
async fn linked(scene: &ServiceEnvironment) -> usize {
    let output = scene.run(&["plan", "--all", "--output", "json"], &[]).await;
    let people: std::collections::BTreeSet<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter_map(|line| line["crsid"].as_str().map(str::to_owned))
        .collect();
    people.len()
}
