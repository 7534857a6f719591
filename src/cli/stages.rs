//! Starts and stops the consuming stages; shared by `serve` and `demo`.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Failure, wiring::Sides};
use crate::{
    config::Config,
    messaging::{
        Connection, Consumer, ConsumerSettings, Handler, Liveness, Outcomes, Stage, Topic, Topology,
    },
    users::{fan_out::FanOut, worker::UserWorker},
};

/// One tick at a time: a second sweep would only repeat the first.
const TICKS_AT_ONCE: u32 = 1;

/// The stages of one process, at work.
pub struct Stages {
    /// Both sides, for readiness.
    pub sides: Sides,
    /// Each stage's pull loop.
    pub loops: Vec<(Stage, Liveness)>,
    stopping: CancellationToken,
    tasks: JoinSet<()>,
}

impl Stages {
    /// Starts `stages` as `config` says.
    ///
    /// # Errors
    /// Where the topology would lose messages, or a client cannot be made.
    pub async fn start(
        config: &Config,
        connection: &Connection,
        stages: &[Stage],
    ) -> Result<Self, Failure> {
        let topology = Topology::new(connection);
        for stage in stages {
            topology.check_stage(*stage).await?;
        }
        let mut started = Self {
            sides: Sides::new(config)?,
            loops: Vec::new(),
            stopping: CancellationToken::new(),
            tasks: JoinSet::new(),
        };
        let outcomes = Outcomes::new(connection.publisher(Topic::SyncOutcome).await?);
        for stage in stages {
            started.add(*stage, config, connection, &outcomes).await?;
        }
        Ok(started)
    }

    async fn add(
        &mut self,
        stage: Stage,
        config: &Config,
        connection: &Connection,
        outcomes: &Outcomes,
    ) -> Result<(), Failure> {
        let grace = config.serve.grace;
        match stage {
            Stage::FanOut => {
                let handler = self.fan_out(config, connection).await?;
                self.consume(
                    connection,
                    ConsumerSettings::new(TICKS_AT_ONCE, grace),
                    handler,
                    outcomes,
                );
            }
            Stage::UserWorker => {
                let at_once = u32::try_from(config.worker.max_outstanding)?;
                let handler = self.user_worker(config);
                self.consume(
                    connection,
                    ConsumerSettings::new(at_once, grace),
                    handler,
                    outcomes,
                );
            }
        }
        Ok(())
    }

    async fn fan_out(&self, config: &Config, connection: &Connection) -> Result<FanOut, Failure> {
        Ok(FanOut::new(
            self.sides.gitlab.clone(),
            Arc::clone(&self.sides.directory),
            Arc::clone(&self.sides.rules),
            config.mode,
            config.fan_out.messages,
            connection.publisher(Topic::UserSync).await?,
        ))
    }

    fn user_worker(&self, config: &Config) -> UserWorker {
        UserWorker::new(
            self.sides.gitlab.clone(),
            self.sides.shared_looks(),
            Arc::clone(&self.sides.rules),
            config.worker.resyncs_per_hour,
        )
    }

    fn consume(
        &mut self,
        connection: &Connection,
        settings: ConsumerSettings,
        handler: impl Handler,
        outcomes: &Outcomes,
    ) {
        let stage = handler.stage();
        let consumer = Consumer::new(connection, settings, handler, outcomes.clone());
        self.loops.push((stage, consumer.liveness()));
        self.tasks.spawn(consumer.run(self.stopping.clone()));
        tracing::info!(
            event = "stage_started",
            stage = stage.as_str(),
            "stage {} consumes",
            stage.as_str()
        );
    }

    /// Waits until a stage ends by itself, which it never should.
    pub async fn ended(&mut self) {
        self.tasks.join_next().await;
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
