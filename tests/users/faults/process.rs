//! One process of the service, both stages, that can be killed at any await.

use std::{sync::Arc, time::Duration};

use lookup_gitlab_sync::{
    config::{
        CallsConfig, FanOutMessages, GitLabConfig, GuardConfig, LookupConfig, LookupCredentials,
        Secret, SweepConfig, UsersConfig,
    },
    directory::{self, SharedLooks},
    gitlab,
    messaging::{
        Handler,
        consumer::{Dispatch, Holds},
    },
    pause::WriteSwitch,
    upstream::Transport,
    users::{fan_out::FanOut, rules::Rules, sweeps::Sweeps, worker::UserWorker},
};
use simulator::{gitlab::ADMINISTRATORS_TOKEN, lookup as simulated};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    queue::{Ends, Queue},
    upstreams::Upstreams,
    wire::Way,
};

/// The subscriptions of the service.
#[derive(Clone)]
pub struct Queues {
    pub ticks: Queue,
    pub users: Queue,
}

impl Queues {
    pub fn new(upstreams: &Arc<Upstreams>) -> Self {
        Self {
            ticks: Queue::new("tick", upstreams),
            users: Queue::new("user", upstreams),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.ticks.is_empty() && self.users.is_empty()
    }
}

/// Dropped, it is killed: all its state is gone, and its leases lapse.
pub struct Process {
    _tasks: JoinSet<()>,
    /// Asks it to stop as a signal does.
    pub stopping: CancellationToken,
}

impl Process {
    /// Begins to consume with `places` user messages at once.
    pub fn start(upstreams: &Arc<Upstreams>, queues: &Queues, places: usize) -> Self {
        let rules = Arc::new(rules());
        let fan_out = fan_out(upstreams, &queues.users, &rules);
        let worker = worker(upstreams, &rules, 50);
        let stopping = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(consume(queues.ticks.clone(), fan_out, 1, stopping.clone()));
        tasks.spawn(consume(
            queues.users.clone(),
            worker,
            places,
            stopping.clone(),
        ));
        Self {
            _tasks: tasks,
            stopping,
        }
    }
}

/// The first stage in a process of its own.
pub fn fan_out(upstreams: &Arc<Upstreams>, users: &Queue, rules: &Arc<Rules>) -> FanOut<Queue> {
    let (gitlab, directory) = (gitlab(upstreams), directory(upstreams));
    let config = SweepConfig::default();
    let sweeps = Sweeps::new(gitlab.clone(), directory, Arc::clone(rules), config);
    FanOut::new(
        gitlab,
        sweeps,
        Arc::clone(rules),
        Some(WriteSwitch::unwatched()),
        FanOutMessages::All,
        users.clone(),
    )
}

/// The second.
pub fn worker(upstreams: &Arc<Upstreams>, rules: &Arc<Rules>, resyncs_per_hour: u32) -> UserWorker {
    worker_over(
        Way::to_gitlab(upstreams),
        upstreams,
        rules,
        resyncs_per_hour,
    )
}

/// The second, with another way to GitLab.
pub fn worker_over(
    way: Arc<dyn Transport>,
    upstreams: &Arc<Upstreams>,
    rules: &Arc<Rules>,
    resyncs_per_hour: u32,
) -> UserWorker {
    let looks = SharedLooks::new(directory(upstreams), 200);
    let gitlab =
        gitlab::Client::over(way, &gitlab_config(), Some(WriteSwitch::unwatched())).unwrap();
    UserWorker::new(gitlab, looks, Arc::clone(rules), resyncs_per_hour)
}

pub fn gitlab(upstreams: &Arc<Upstreams>) -> gitlab::Client {
    gitlab::Client::over(
        Way::to_gitlab(upstreams),
        &gitlab_config(),
        Some(WriteSwitch::unwatched()),
    )
    .unwrap()
}

pub fn directory(upstreams: &Arc<Upstreams>) -> Arc<dyn directory::Directory> {
    Arc::new(directory::Lookup::over(Way::to_lookup(upstreams), &lookup_config()).unwrap())
}

/// Delivers `places` messages at once, each taken to its end by the service's own dispatch.
async fn consume(queue: Queue, handler: impl Handler, places: usize, stopping: CancellationToken) {
    let dispatch = Dispatch {
        handler,
        dead_letters: Ends(queue.clone()),
        records: Ends(queue.clone()),
        holds: Holds::new(places),
    };
    let dispatch = Arc::new(dispatch);
    let mut at_work = JoinSet::new();
    while !stopping.is_cancelled() {
        while at_work.try_join_next().is_some() {}
        if at_work.len() < places
            && let Some((delivery, lease)) = queue.lease()
        {
            let (dispatch, stopping) = (Arc::clone(&dispatch), stopping.clone());
            at_work.spawn(async move { dispatch.settle(delivery, lease, &stopping).await });
            continue;
        }
        sleep(Duration::from_secs(1)).await;
    }
    while at_work.join_next().await.is_some() {}
}

pub fn calls() -> CallsConfig {
    CallsConfig {
        timeout: Duration::from_secs(10),
        concurrency: 8,
        requests_per_minute: None,
        read_attempts: 3,
        max_response_bytes: 32 << 20,
        authority: None,
    }
}

fn gitlab_config() -> GitLabConfig {
    GitLabConfig {
        url: Url::parse("http://gitlab.example").unwrap(),
        token: Secret::from(ADMINISTRATORS_TOKEN),
        read_token: None,
        calls: calls(),
    }
}

fn lookup_config() -> LookupConfig {
    LookupConfig {
        url: Url::parse("http://lookup.example/lookup/v1").unwrap(),
        credentials: LookupCredentials::Gateway {
            token_url: Url::parse("http://lookup.example/oauth2/v1/token").unwrap(),
            client_id: simulated::CLIENT_ID.to_owned(),
            client_secret: Secret::from(simulated::CLIENT_SECRET),
            scope: None,
        },
        batch_size: 200,
        calls: calls(),
    }
}

/// The defaults, with a guard that lets everything pass: what it refuses is tried elsewhere.
fn rules() -> Rules {
    rules_with(&GuardConfig {
        max_block_percent: 100.0,
        max_unblock_percent: 100.0,
        floor: 1_000_000,
        max_blocks: u32::MAX,
        min_known_percent: 0.0,
        ..GuardConfig::default()
    })
}

pub fn rules_with(guard: &GuardConfig) -> Rules {
    Rules::new(&UsersConfig::default(), guard).unwrap()
}
