//! The light sweep beside the full one: whatever is edited on both sides, both plan the same, but
//! for what the light one cannot see until the next full one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use lookup_gitlab_sync::{
    config::{SweepConfig, SweepKind},
    directory::{self, Directory},
    gitlab::Client,
    users::{
        account::AccountId, plan::Plan, policy::Decision, rules::Rules, sweep::SweepError,
        sweeps::Sweeps,
    },
};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use simulator::{
    control::InjectedFault,
    gitlab::SimulatedUser,
    lookup::SimulatedPerson,
    servers::{ServerSettings, SimulatedServers},
};

use crate::support::reading_config;

const MARKER: &str = "lookup_gitlab_sync";
const MEMBERS: u64 = 8;
const EXTERNALS: u64 = 4;
const STEPS: usize = 40;

/// Both servers, and the service's clients of them.
struct Both {
    servers: SimulatedServers,
    gitlab: Client,
    directory: Arc<dyn Directory>,
    rules: Arc<Rules>,
}

fn today() -> Date {
    Timestamp::now().to_zoned_datetime(TimeZone::UTC).date()
}

fn crsid(id: u64) -> String {
    format!("spqr{id}")
}

/// Members and external accounts, everybody seen this month.
async fn both() -> Both {
    let seen = today().to_string();
    let member =
        |id: u64| SimulatedUser::new(id, &crsid(id)).with("last_activity_on", seen.clone());
    let external = |id: u64| {
        SimulatedUser::new(id, &format!("external-{id}")).with("last_activity_on", seen.clone())
    };
    let members = (100..100 + MEMBERS).map(member);
    let externals = (500..500 + EXTERNALS).map(external);
    let people = (100..100 + MEMBERS).map(|id| SimulatedPerson::current(&crsid(id), "Here"));
    of(members.chain(externals).collect(), people.collect()).await
}

async fn of(accounts: Vec<SimulatedUser>, people: Vec<SimulatedPerson>) -> Both {
    with(accounts, people, ServerSettings::default()).await
}

async fn with(
    accounts: Vec<SimulatedUser>,
    people: Vec<SimulatedPerson>,
    settings: ServerSettings,
) -> Both {
    let settings = ServerSettings {
        pubsub_port: None,
        ..settings
    };
    let servers = SimulatedServers::of(accounts, people, settings)
        .await
        .unwrap();
    let mut config = reading_config(&servers);
    // Accounts that are made by an edit belong to nobody whom Lookup knows.
    config.guard.min_known_percent = 0.0;
    Both {
        gitlab: Client::new(&config.gitlab, None).unwrap(),
        directory: directory::open(&config.directory, &config.controls).unwrap(),
        rules: Arc::new(Rules::new(&config.users, &config.guard).unwrap()),
        servers,
    }
}

impl Both {
    fn sweeps(&self, kind: SweepKind) -> Sweeps {
        let config = SweepConfig {
            kind,
            ..SweepConfig::default()
        };
        let (directory, rules) = (Arc::clone(&self.directory), Arc::clone(&self.rules));
        Sweeps::new(self.gitlab.clone(), directory, rules, config)
    }

    /// As a run does: what a gate holds goes on where it was.
    async fn plan(&self, sweeps: &Sweeps) -> Plan {
        let now = Timestamp::now();
        loop {
            let _permit = self.gitlab.read_gate().passable().await;
            let read = sweeps.read(now, &|_| ());
            match read.await {
                Ok(sweep) => return Plan::of(sweep, self.rules.policy, today()),
                Err(SweepError::Call(error)) => println!("it goes on after: {error}"),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn change(&self, id: u64, change: Value) {
        self.servers.gitlab.change_user(id, change).unwrap();
    }

    fn pages_by_rest(&self) -> usize {
        let requests = self.servers.gitlab.control().requests(0);
        let is_page = |path: &str| path.starts_with("/api/v4/users?");
        requests.iter().filter(|asked| is_page(&asked.path)).count()
    }
}

fn decisions(plan: &Plan) -> BTreeMap<AccountId, Decision> {
    let decided = plan.decided.iter();
    decided.map(|one| (one.account.id, one.decision)).collect()
}

/// One edit by somebody on either side; the account of which a light sweep sees nothing of it.
fn edit(both: &Both, rng: &mut ChaCha8Rng) -> (String, Option<u64>) {
    let ids: Vec<u64> = both
        .servers
        .gitlab
        .snapshot()
        .into_keys()
        .filter(|id| *id >= 100)
        .collect();
    let id = *ids.choose(rng).unwrap();
    let person = crsid(100 + rng.random_range(0..MEMBERS));
    let states = ["active", "blocked", "banned", "deactivated", "ldap_blocked"];
    let state = *states.choose(rng).unwrap();
    let own = both.servers.gitlab.owner();
    let now = Timestamp::now();
    let marker =
        json!({"v": 1, "reason": "cancelled_in_lookup", "at": now.to_string(), "run": "r"});
    match rng.random_range(0..11) {
        0 => both.servers.lookup.set_cancelled(&person, true),
        1 => both.servers.lookup.set_cancelled(&person, false),
        2 | 3 => both.change(id, json!({"state": state})),
        4 => {
            // Blocked by the service, as it would have done it.
            both.change(
                id,
                json!({
                    "state": "blocked", "by": {"id": own, "username": "lookup-gitlab-sync"},
                    "custom_attributes": {MARKER: marker.to_string()},
                }),
            );
            return (format!("{id} is blocked by us"), Some(id));
        }
        5 => {
            both.servers.gitlab.delete_user(id);
        }
        6 => {
            let new = 1_000 + rng.random_range(0..1_000);
            both.change(new, json!({"username": format!("spqr{new}")}));
        }
        7 => both.change(id, json!({"username": format!("external-renamed{id}")})),
        8 => both.change(id, json!({"last_activity_on": today().to_string()})),
        9 => {
            let exempt = json!({"lookup_gitlab_sync_exempt": "yes"});
            both.change(id, json!({"custom_attributes": exempt}));
            return (format!("{id} is exempted"), Some(id));
        }
        _ => {
            let old = today().checked_sub(30.months()).unwrap().to_string();
            let new = 2_000 + rng.random_range(0..1_000);
            both.change(
                new,
                json!({
                    "username": format!("external-{new}"), "last_activity_on": old,
                    "created_at": format!("{old}T09:00:00.000Z"), "last_sign_in_at": null,
                    "current_sign_in_at": null, "confirmed_at": null,
                }),
            );
        }
    }
    (format!("an edit of {id} or {person}, {state}"), None)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_edited_light_and_full_plan_the_same() {
    for seed in 0..8 {
        let both = both().await;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let light = both.sweeps(SweepKind::Light);
        both.plan(&light).await;
        let mut unseen = BTreeSet::new();
        let mut trace = Vec::new();
        for _ in 0..STEPS {
            let (what, hidden) = edit(&both, &mut rng);
            trace.push(what);
            unseen.extend(hidden.map(AccountId));
            let by_full = decisions(&both.plan(&both.sweeps(SweepKind::Full)).await);
            let before = both.pages_by_rest();
            let by_light = decisions(&both.plan(&light).await);
            assert_eq!(both.pages_by_rest(), before, "seed {seed}: it was light");
            let ids: BTreeSet<_> = by_full.keys().chain(by_light.keys()).collect();
            for id in ids {
                let (full, light) = (by_full.get(id), by_light.get(id));
                let is_late = unseen.contains(id) && light.is_none_or(|one| !one.is_change());
                assert!(
                    full == light || is_late,
                    "seed {seed}, account {id}: {full:?}, light {light:?}: {trace:?}"
                );
            }
        }
        let anew = decisions(&both.plan(&both.sweeps(SweepKind::Light)).await);
        assert_eq!(
            anew,
            decisions(&both.plan(&both.sweeps(SweepKind::Full)).await)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sweep_asks_rest_for_those_alone_who_may_have_to_change() {
    let both = both().await;
    let light = both.sweeps(SweepKind::Light);
    both.plan(&light).await;
    both.servers.lookup.set_cancelled(&crsid(104), true);
    let control = both.servers.gitlab.control();
    control.forget_requests();
    let plan = both.plan(&light).await;
    assert_eq!(plan.changes().count(), 1);
    let asked = control.requests(0);
    let asked: Vec<_> = asked.iter().map(|one| (&*one.method, &*one.path)).collect();
    assert_eq!(
        asked,
        [
            ("GET", "/api/v4/user"),
            ("POST", "/api/graphql"),
            ("GET", "/api/v4/users/104?with_custom_attributes=true"),
        ]
    );
}

/// GraphQL that is refused, broken or gone costs a full sweep, and never the run.
#[rstest::rstest]
#[case::forbidden_in_front(403)]
#[case::gone(404)]
#[case::broken(500)]
#[tokio::test(flavor = "multi_thread")]
async fn where_graphql_does_not_serve_everything_is_read_by_rest(#[case] status: u16) {
    let both = both().await;
    let light = both.sweeps(SweepKind::Light);
    both.plan(&light).await;
    let fault = InjectedFault {
        status: Some(status),
        times: 0,
        ..InjectedFault::on("POST", "/api/graphql")
    };
    both.servers.gitlab.control().inject(fault).unwrap();
    both.servers.lookup.set_cancelled(&crsid(104), true);
    let before = both.pages_by_rest();
    let plan = both.plan(&light).await;
    assert_eq!(plan.changes().count(), 1);
    assert!(both.pages_by_rest() > before);
    assert_eq!(both.gitlab.read_gate().closed_because(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_changes_that_a_full_sweep_is_cheaper_lead_to_one() {
    let seen = today().to_string();
    let account =
        |id: u64| SimulatedUser::new(id, &crsid(id)).with("last_activity_on", seen.clone());
    let people = (100..500).map(|id| SimulatedPerson::current(&crsid(id), "Here"));
    let both = of((100..500).map(account).collect(), people.collect()).await;
    let light = both.sweeps(SweepKind::Light);
    both.plan(&light).await;
    for id in 100..350 {
        both.servers.lookup.set_cancelled(&crsid(id), true);
    }
    let before = both.pages_by_rest();
    let plan = both.plan(&light).await;
    assert_eq!(plan.changes().count(), 250);
    assert!(both.pages_by_rest() > before);
}

fn members(ids: std::ops::Range<u64>) -> (Vec<SimulatedUser>, Vec<SimulatedPerson>) {
    let seen = today().to_string();
    let account =
        |id: u64| SimulatedUser::new(id, &crsid(id)).with("last_activity_on", seen.clone());
    let people = ids
        .clone()
        .map(|id| SimulatedPerson::current(&crsid(id), "Here"));
    (ids.map(account).collect(), people.collect())
}

/// As its memory watchdog does: the process ends every third page, in the middle of the answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_gitlab_that_restarts_every_few_pages_is_listed_to_the_end() {
    let (accounts, people) = members(100..700);
    let settings = ServerSettings {
        restarts_every: Some(3),
        ..ServerSettings::default()
    };
    let both = with(accounts, people, settings).await;
    let light = both.sweeps(SweepKind::Light);
    let full = decisions(&both.plan(&light).await);
    let before = both.pages_by_rest();
    both.servers.lookup.set_cancelled(&crsid(650), true);
    let plan = both.plan(&light).await;
    assert_eq!(both.pages_by_rest(), before, "it was light to its end");
    assert_eq!(decisions(&plan).len(), full.len());
    assert_eq!(plan.changes().count(), 1);
}

/// One that no page by REST shows: known from the full sweep, or new since.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_be_shown_is_left_out_and_named_by_light_sweeps_too() {
    let both = both().await;
    let hide = |id: u64, is_hidden: bool| {
        both.change(id, json!({"hidden": {"without_namespace": is_hidden}}));
    };
    hide(103, true);
    let light = both.sweeps(SweepKind::Light);
    let unreadable =
        |plan: &Plan| -> Vec<u64> { plan.unreadable.iter().map(|account| account.id).collect() };
    assert_eq!(unreadable(&both.plan(&light).await), [103]);
    let before = both.pages_by_rest();
    assert_eq!(unreadable(&both.plan(&light).await), [103]);
    hide(105, true);
    both.servers.lookup.set_cancelled(&crsid(105), true);
    let plan = both.plan(&light).await;
    assert_eq!(unreadable(&plan), [103, 105]);
    assert_eq!(plan.changes().count(), 0);
    hide(105, false);
    let plan = both.plan(&light).await;
    assert_eq!(unreadable(&plan), [103], "what was mended is seen at once");
    assert_eq!((plan.changes().count(), both.pages_by_rest()), (1, before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_sees_less_than_before_is_refused_as_in_a_full_sweep() {
    let both = both().await;
    let light = both.sweeps(SweepKind::Light);
    both.plan(&light).await;
    let plain = simulator::gitlab::TokenChange {
        admin: Some(false),
        ..Default::default()
    };
    let token = both.servers.gitlab.token();
    both.servers.gitlab.change_token(token, plain);
    let now = Timestamp::now();
    let error = light.read(now, &|_| ()).await.unwrap_err();
    assert!(error.to_string().contains("GITLAB_TOKEN"), "{error}");
}
