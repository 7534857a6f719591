//! (a) How many calls a run costs, against the floor that the design names.

use std::collections::BTreeSet;

use crate::{
    figures::Row,
    servers::{Asked, Servers, Settings},
    service::Service,
};

/// Each run reads everything by REST: the floor is that of such a run.
const FULL: [(&str, &str); 1] = [("LOOKUP_GITLAB_SYNC__SWEEP__KIND", "full")];

/// One run with 1 %, one with none and one with 5 % changes, in this order in the same world.
pub async fn measure(sizes: &[usize]) -> Vec<Row> {
    let mut rows = Vec::new();
    for users in sizes {
        let mut servers = Servers::start(Settings::of(*users, 0)).await;
        let (service, _) = Service::start(&servers, &[], &FULL).await;
        let counts = servers.population().counts();
        rows.push(
            one_run(
                &service,
                &servers,
                *users,
                "1 %",
                counts.blocks,
                counts.unblocks,
            )
            .await,
        );
        rows.push(one_run(&service, &servers, *users, "0 %", 0, 0).await);
        let cancelled = users / 20;
        servers.cancel(cancelled).await;
        rows.push(one_run(&service, &servers, *users, "5 %", cancelled, 0).await);
    }
    rows
}

async fn one_run(
    service: &Service,
    servers: &Servers,
    users: usize,
    changes: &str,
    blocks: usize,
    unblocks: usize,
) -> Row {
    servers.forget().await;
    let took = service.run(servers).await;
    servers.check_end().await;
    let (gitlab, lookup) = (servers.gitlab_asked().await, servers.lookup_asked().await);
    let lists = lookup
        .iter()
        .filter(|asked| asked.path.contains("/person/list"))
        .count();
    let pages = count(&gitlab, "/api/v4/users?");
    let people = people_in(&lookup).len();
    let row = Row::of(changes)
        .users(users)
        .with("gitlab calls", number(gitlab.len()))
        .with(
            "gitlab floor",
            number(pages_of(servers) + 2 + 3 * blocks + 2 * unblocks),
        )
        .with("gitlab pages", number(pages))
        .with("lookup calls", number(lists))
        .with("lookup floor", number(people.div_ceil(200)))
        .with("changes", number(blocks + unblocks))
        .with("seconds", took.as_secs_f64());
    println!(
        "  {users} users, {changes}: {} calls to GitLab, {lists} to Lookup",
        gitlab.len()
    );
    row
}

/// Pages of a hundred that hold every human account.
fn pages_of(servers: &Servers) -> usize {
    let humans = servers
        .population()
        .accounts()
        .iter()
        .filter(|account| account.kind == simulator::gitlab::Kind::Human)
        .count();
    humans.div_ceil(100)
}

/// The people whom Lookup was asked about.
pub fn people_in(asked: &[Asked]) -> BTreeSet<&str> {
    let questions = asked
        .iter()
        .filter_map(|asked| asked.path.split_once("crsids="));
    questions
        .flat_map(|(_, crsids)| crsids.split("%2C"))
        .collect()
}

fn count(asked: &[Asked], beginning: &str) -> usize {
    asked
        .iter()
        .filter(|asked| asked.path.starts_with(beginning))
        .count()
}

#[expect(clippy::cast_precision_loss, reason = "a count is far below 2^52")]
pub fn number(count: usize) -> f64 {
    count as f64
}
