//! Prepares, starts and stops the consuming stages; shared by `serve` and `demo`.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    clients::UserClients,
    error::AppError,
    namespace_clients::{ledger, provisioner},
    stages::UserStages,
    startup::{StartProgress, StartStep},
    token_check,
};
use crate::{
    config::{Config, Mode, NamespacesConfig, ServeConfig},
    gate::Gate,
    gitlab,
    messaging::{
        Connection, Consumer, ConsumerSettings, Handler, Liveness, Outcomes, PauseTopic, Stage,
        StageMessages, Topic, Topology,
    },
    namespaces::{ledger::Ledger, worker::NamespaceWorker},
    pause::WriteSwitch,
    users::{fan_out::FanOut, sweeps::Sweeps, worker::UserWorker},
};

/// One tick at a time: a second sweep would only repeat the first.
const TICKS_AT_ONCE: u32 = 1;

/// The stages of one process that consume. None leases a message before [`Self::consume`]: whatever
/// ends a start-up, a signal or another stage's database, leaves nothing leased behind.
#[derive(Default)]
pub(crate) struct StageConsumers {
    /// The gates that messages may wait at, for readiness.
    pub gates: Vec<Arc<Gate>>,
    /// The ledgers that are open, for readiness.
    pub ledgers: Vec<Ledger>,
    /// What they wait for while they are prepared.
    pub progress: StartProgress,
    /// What the writes of this process ask, if it may make any. One for all stages, for it reads
    /// the pause by itself.
    pub switch: Option<WriteSwitch>,
    /// GitLab as each token of this process sees it.
    pub tokens: Vec<gitlab::Client>,
    /// Each stage's pull loop.
    pub loops: Vec<(Stage, Liveness)>,
    waiting: Vec<(Stage, BoxFuture<'static, ()>)>,
    stopping: CancellationToken,
    tasks: JoinSet<()>,
}

impl StageConsumers {
    /// Prepares `stages` of the user pipeline as `config` says.
    ///
    /// # Errors
    /// Where the topology would lose messages, a token cannot do what a stage is for, or a client
    /// cannot be made.
    pub async fn add_users(
        &mut self,
        stages: UserStages,
        config: &Config,
        connection: &Connection,
    ) -> Result<(), AppError> {
        let topology = Topology::new(connection);
        self.progress.waits_for(StartStep::PubSub);
        if stages.fan_out {
            topology.check_stage(Stage::FanOut).await?;
        }
        if stages.user_worker {
            topology.check_stage(Stage::UserWorker).await?;
        }
        let writes_when = match config.mode {
            Mode::Apply => Some(self.switch(connection).await?),
            Mode::DryRun => None,
        };
        let clients = UserClients::new(config, writes_when.clone())?;
        self.progress.waits_for(StartStep::Tokens);
        token_check::check(config, &clients, stages).await?;
        self.gates.extend(gates(&clients, stages));
        self.tokens.extend(tokens(config, &clients, stages));
        let outcomes = Outcomes::new(connection.publisher(Topic::SyncOutcome).await?);
        let grace = config.serve.grace;
        if stages.fan_out {
            let settings = ConsumerSettings::new(TICKS_AT_ONCE, grace);
            let handler = fan_out(config, &clients, connection, writes_when)
                .reporting_to(Arc::new(outcomes.clone()));
            self.wait(connection, settings, handler, &outcomes);
        }
        if stages.user_worker {
            let at_once = u32::try_from(config.worker.max_outstanding)?;
            let settings = ConsumerSettings::new(at_once, grace);
            let handler = user_worker(config, &clients);
            self.wait(connection, settings, handler, &outcomes);
        }
        Ok(())
    }

    /// Prepares the namespace worker, which needs neither GitLab's token nor the directory.
    ///
    /// # Errors
    /// Where the topology would lose messages, or the ledger or the key cannot be used.
    pub async fn add_namespace_worker(
        &mut self,
        namespaces: &NamespacesConfig,
        serve: &ServeConfig,
        connection: &Connection,
    ) -> Result<(), AppError> {
        namespaces.check_worker()?;
        self.progress.waits_for(StartStep::PubSub);
        Topology::new(connection)
            .check_stage(Stage::NamespaceWorker)
            .await?;
        let outcomes = Outcomes::new(connection.publisher(Topic::SyncOutcome).await?);
        self.progress.waits_for(StartStep::LedgerDatabase);
        let ledger = ledger(namespaces).await?;
        self.ledgers.push(ledger.clone());
        self.progress.waits_for(StartStep::PubSub);
        let writes_when = self.switch(connection).await?;
        let provisioner = provisioner(namespaces, writes_when)?;
        let handler = NamespaceWorker::new(ledger, provisioner, namespaces.settle);
        self.gates.extend(handler.gates());
        let settings = ConsumerSettings::new(namespaces.concurrency, serve.grace);
        self.wait(connection, settings, handler, &outcomes);
        Ok(())
    }

    /// The switch of this process, which is made for the first stage that may write.
    async fn switch(&mut self, connection: &Connection) -> Result<WriteSwitch, AppError> {
        if let Some(switch) = &self.switch {
            return Ok(switch.clone());
        }
        let switch = PauseTopic::of(connection).switch().await?;
        self.switch = Some(switch.clone());
        Ok(switch)
    }

    fn wait(
        &mut self,
        connection: &Connection,
        settings: ConsumerSettings,
        handler: impl Handler,
        outcomes: &Outcomes,
    ) {
        let stage = handler.stage();
        let consumer = Consumer::new(connection, settings, handler, outcomes.clone());
        self.loops.push((stage, consumer.liveness()));
        let consuming = consumer.run(self.stopping.clone());
        self.waiting.push((stage, Box::pin(consuming)));
    }

    /// Lets every stage that was prepared consume from now on. Who calls this calls [`Self::stop`].
    pub fn consume(&mut self) {
        if !self.tokens.is_empty() {
            let watching = gitlab::watch_expiry(self.tokens.clone(), self.stopping.clone());
            self.tasks.spawn(watching);
        }
        for (stage, consuming) in self.waiting.drain(..) {
            self.tasks.spawn(consuming);
            tracing::info!(
                event = "stage_started",
                stage = stage.as_str(),
                "stage {} consumes",
                stage.as_str()
            );
        }
    }

    /// Waits until a stage ends by itself, which it never should.
    pub async fn ended(&mut self) {
        if self.tasks.join_next().await.is_none() {
            // Nothing consumes in this process.
            std::future::pending::<()>().await;
        }
    }

    /// Stops pulling, lets what runs finish within the grace, gives back the rest.
    pub async fn stop(mut self, grace: Duration) {
        self.stopping.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // Each consumer keeps the grace by itself; this bounds what cannot happen.
        if tokio::time::timeout(grace + Duration::from_secs(1), all)
            .await
            .is_err()
        {
            tracing::warn!(
                event = "stages_abandoned",
                "a stage did not stop within the grace"
            );
        }
    }
}

/// GitLab as each token of these stages sees it.
fn tokens(config: &Config, clients: &UserClients, stages: UserStages) -> Vec<gitlab::Client> {
    let reads_with_its_own = stages.fan_out && config.gitlab.read_token.is_some();
    let reader = reads_with_its_own.then_some(&clients.reader);
    let shares_the_writers = stages.fan_out && !reads_with_its_own;
    let writer = (stages.user_worker || shares_the_writers).then_some(&clients.gitlab);
    reader.into_iter().chain(writer).cloned().collect()
}

/// The gates that these stages may wait at.
fn gates(clients: &UserClients, stages: UserStages) -> Vec<Arc<Gate>> {
    let of = |gitlab: &gitlab::Client| [gitlab.read_gate(), gitlab.write_gate()];
    let mut gates: Vec<Arc<Gate>> = Vec::new();
    let reader = stages
        .fan_out
        .then(|| of(&clients.reader))
        .into_iter()
        .flatten();
    let writer = stages
        .user_worker
        .then(|| of(&clients.gitlab))
        .into_iter()
        .flatten();
    for gate in reader.chain(writer).chain(clients.directory.gates()) {
        // With one token both are the same.
        if !gates.iter().any(|known| Arc::ptr_eq(known, &gate)) {
            gates.push(gate);
        }
    }
    gates
}

fn fan_out(
    config: &Config,
    clients: &UserClients,
    connection: &Connection,
    writes_when: Option<WriteSwitch>,
) -> FanOut {
    let sweeps = Sweeps::new(
        clients.reader.clone(),
        Arc::clone(&clients.directory),
        Arc::clone(&clients.rules),
        config.sweep.clone(),
    );
    FanOut::new(
        clients.reader.clone(),
        sweeps,
        Arc::clone(&clients.rules),
        writes_when,
        config.fan_out.messages,
        StageMessages::to(Stage::UserWorker, connection),
    )
}

fn user_worker(config: &Config, clients: &UserClients) -> UserWorker {
    UserWorker::new(
        clients.gitlab.clone(),
        clients.shared_looks(),
        Arc::clone(&clients.rules),
        config.worker.resyncs_per_hour,
    )
}
