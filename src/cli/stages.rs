//! Prepares, starts and stops the consuming stages; shared by `serve` and `demo`.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    Failure,
    namespace_wiring::{ledger, provisioner},
    rights,
    wiring::Sides,
};
use crate::{
    config::{Config, NamespacesConfig, ServeConfig},
    gate::Gate,
    gitlab,
    messaging::{
        Connection, Consumer, ConsumerSettings, Handler, Liveness, Outcomes, Stage, StageMessages,
        Topic, Topology,
    },
    namespaces::{ledger::Ledger, worker::NamespaceWorker},
    users::{fan_out::FanOut, worker::UserWorker},
};

/// One tick at a time: a second sweep would only repeat the first.
const TICKS_AT_ONCE: u32 = 1;

/// The stages of one process. None leases a message before [`Self::consume`]: whatever ends a start-up, a signal or
/// another stage's database, leaves nothing leased behind.
pub struct Stages {
    /// The gates that messages may wait at, for readiness.
    pub gates: Vec<Arc<Gate>>,
    /// The ledgers that are open, for readiness.
    pub ledgers: Vec<Ledger>,
    /// Each stage's pull loop.
    pub loops: Vec<(Stage, Liveness)>,
    waiting: Vec<(Stage, BoxFuture<'static, ()>)>,
    stopping: CancellationToken,
    tasks: JoinSet<()>,
}

impl Stages {
    /// Prepares `stages` as `config` says.
    ///
    /// # Errors
    /// Where the topology would lose messages, or a client cannot be made.
    pub async fn prepare(
        config: &Config,
        connection: &Connection,
        stages: &[Stage],
    ) -> Result<Self, Failure> {
        let topology = Topology::new(connection);
        for stage in stages {
            topology.check_stage(*stage).await?;
        }
        let mut prepared = Self::none();
        let sides = Sides::new(config)?;
        rights::check(config, &sides, stages).await?;
        prepared.gates = gates(&sides, stages);
        let outcomes = Outcomes::new(connection.publisher(Topic::SyncOutcome).await?);
        for stage in stages {
            prepared
                .add(*stage, config, &sides, connection, &outcomes)
                .await?;
        }
        Ok(prepared)
    }

    /// Of a process that consumes nothing.
    pub fn none() -> Self {
        Self {
            gates: Vec::new(),
            ledgers: Vec::new(),
            loops: Vec::new(),
            waiting: Vec::new(),
            stopping: CancellationToken::new(),
            tasks: JoinSet::new(),
        }
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
    ) -> Result<(), Failure> {
        Topology::new(connection)
            .check_stage(Stage::NamespaceWorker)
            .await?;
        let outcomes = Outcomes::new(connection.publisher(Topic::SyncOutcome).await?);
        self.namespace_worker(namespaces, serve.grace, connection, &outcomes)
            .await
    }

    async fn namespace_worker(
        &mut self,
        namespaces: &NamespacesConfig,
        grace: Duration,
        connection: &Connection,
        outcomes: &Outcomes,
    ) -> Result<(), Failure> {
        namespaces.check_worker().map_err(Failure::configuration)?;
        let ledger = ledger(namespaces).await?;
        self.ledgers.push(ledger.clone());
        let handler = NamespaceWorker::new(ledger, provisioner(namespaces)?, namespaces.settle);
        self.gates.extend(handler.gates());
        let settings = ConsumerSettings::new(namespaces.concurrency, grace);
        self.wait(connection, settings, handler, outcomes);
        Ok(())
    }

    async fn add(
        &mut self,
        stage: Stage,
        config: &Config,
        sides: &Sides,
        connection: &Connection,
        outcomes: &Outcomes,
    ) -> Result<(), Failure> {
        let grace = config.serve.grace;
        match stage {
            Stage::FanOut => {
                let handler =
                    fan_out(config, sides, connection).reporting_to(Arc::new(outcomes.clone()));
                self.wait(
                    connection,
                    ConsumerSettings::new(TICKS_AT_ONCE, grace),
                    handler,
                    outcomes,
                );
            }
            Stage::UserWorker => {
                let at_once = u32::try_from(config.worker.max_outstanding)?;
                let handler = user_worker(config, sides);
                self.wait(
                    connection,
                    ConsumerSettings::new(at_once, grace),
                    handler,
                    outcomes,
                );
            }
            Stage::NamespaceWorker => {
                self.namespace_worker(&config.namespaces, grace, connection, outcomes)
                    .await?;
            }
        }
        Ok(())
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

/// The gates that these stages may wait at.
fn gates(sides: &Sides, stages: &[Stage]) -> Vec<Arc<Gate>> {
    let (fans_out, works) = (
        stages.contains(&Stage::FanOut),
        stages.contains(&Stage::UserWorker),
    );
    let of = |gitlab: &gitlab::Client| [gitlab.read_gate(), gitlab.write_gate()];
    let mut gates: Vec<Arc<Gate>> = Vec::new();
    let reader = fans_out.then(|| of(&sides.reader)).into_iter().flatten();
    let writer = works.then(|| of(&sides.gitlab)).into_iter().flatten();
    for gate in reader.chain(writer).chain(sides.directory.gates()) {
        // With one token both are the same.
        if !gates.iter().any(|known| Arc::ptr_eq(known, &gate)) {
            gates.push(gate);
        }
    }
    gates
}

fn fan_out(config: &Config, sides: &Sides, connection: &Connection) -> FanOut {
    FanOut::new(
        sides.reader.clone(),
        Arc::clone(&sides.directory),
        Arc::clone(&sides.rules),
        config.mode,
        config.fan_out.messages,
        StageMessages::to(Stage::UserWorker, connection),
    )
    .reading_again_after(config.sweep.max_age)
}

fn user_worker(config: &Config, sides: &Sides) -> UserWorker {
    UserWorker::new(
        sides.gitlab.clone(),
        sides.shared_looks(),
        Arc::clone(&sides.rules),
        config.worker.resyncs_per_hour,
    )
}
