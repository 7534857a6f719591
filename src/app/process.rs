//! `serve`: starts the stages of one process, and runs them until they are asked to stop.

use std::{sync::Arc, time::Duration};

use axum::Router;
use jiff::Timestamp;

use super::{
    clients::connect,
    consumers::StageConsumers,
    context::ProcessContext,
    error::AppError,
    lifecycle::{HttpTask, RunningProcess},
    namespace_clients,
    ports::ListenPorts,
    signals::StopSignals,
    stages::{MessagingStages, ServedStage, StagePlan},
    startup::{StartProgress, StartStep, until_prepared},
};
use crate::{
    config::{Mode, NamespacesConfig},
    gate::Gate,
    messaging::{Connection, Liveness},
    namespaces::{
        ledger::Ledger,
        provisioning::{self, ProvisioningState},
    },
    telemetry::{HealthChecks, http::LateRoutes},
};

/// A stage that has heard nothing of Pub/Sub for this long is not alive: idle ones ask every 30 s.
const SILENT: Duration = Duration::from_secs(150);

/// Runs `stages` until the first signal.
///
/// # Errors
/// When a stage cannot start, or something of the process ended by itself.
pub(crate) async fn serve(
    context: &ProcessContext,
    stages: &[ServedStage],
) -> Result<(), AppError> {
    let mut signals = StopSignals::catch()?;
    let plan = StagePlan::load(context, stages)?;
    let health = HealthChecks::new();
    let progress = StartProgress::shown_by(&health);
    let routes = LateRoutes::default();
    let Listening {
        mut http,
        port,
        health_port,
    } = Listening::start(&plan, &health, &routes).await?;
    let prepare = || PreparedProcess::prepare(&plan, &progress);
    let prepared = tokio::select! {
        prepared = until_prepared(&progress, prepare) => prepared,
        ended = http.ended() => Err(ended),
        () = signals.next() => {
            tracing::info!(event = "stopped", "stopped before it served");
            return http.stop().await;
        }
    };
    let process = prepared?;
    process.register(&health);
    progress.done();
    routes.open(process.routes);
    let mut consumers = process.consumers;
    consumers.consume();
    let running = RunningProcess {
        consumers,
        http,
        provisioning: process.provisioning,
        grace: plan.serve.grace,
    };
    tracing::info!(
        event = "serving",
        port,
        health_port,
        mode = ?plan.mode,
        "serving on port {port}"
    );
    if !plan.insecure_hosts.is_empty() {
        let hosts = plan.insecure_hosts.join(", ");
        tracing::warn!(
            event = "plaintext_allowed",
            hosts,
            "insecure_hosts allows plain http:// to {hosts}: whoever is on the path reads the tokens"
        );
    }
    // The mode governs writes to users alone.
    if plan.has_user_stages() && plan.mode == Mode::DryRun {
        tracing::warn!(
            event = "dry_run_mode",
            "mode is dry-run: GitLab is not changed; set mode = \"apply\" or LOOKUP_GITLAB_SYNC__MODE=apply \
             when the plan is what you expect"
        );
    }
    running.until_stopped(&mut signals).await
}

/// The ports, answering from the first moment on: a platform that waits for connections to others
/// before it takes a process for alive ends the ones that need them longest.
struct Listening {
    http: HttpTask,
    port: u16,
    /// Of health and metrics, where it is another one.
    health_port: Option<u16>,
}

impl Listening {
    async fn start(
        plan: &StagePlan,
        health: &HealthChecks,
        routes: &LateRoutes,
    ) -> Result<Self, AppError> {
        let ports = ListenPorts::of(&plan.serve, plan.is_public())?;
        let server = ports.server(health).await?;
        let own = server.address()?.port();
        let (server, port, health_port) = match ports.listener().await? {
            Some(listener) => {
                let port = listener.local_addr()?.port();
                let server = server.with_public(listener, routes.clone(), plan.serve.grace);
                (server, port, Some(own))
            }
            None => (server, own, None),
        };
        tracing::info!(
            event = "starting",
            port,
            health_port,
            "starting: /livez and /readyz answer on port {own}"
        );
        Ok(Self {
            http: HttpTask::start(server, plan.is_public()),
            port,
            health_port,
        })
    }
}

/// Everything that the stages need, before any of them leases a message or answers a request.
#[derive(Default)]
struct PreparedProcess {
    consumers: StageConsumers,
    routes: Router,
    portal: Option<Ledger>,
    provisioning: Option<ProvisioningState>,
}

impl PreparedProcess {
    /// Nothing is leased yet, so that a start-up can be dropped half-way and begun again.
    async fn prepare(plan: &StagePlan, progress: &StartProgress) -> Result<Self, AppError> {
        let mut process = Self::default();
        process.consumers.progress = progress.clone();
        if let Some(stages) = &plan.messaging {
            process.prepare_messaging(plan, stages).await?;
        }
        if plan.provisioning_api {
            progress.waits_for(StartStep::ProvisioningDatabase);
            let state = namespace_clients::provisioning(&plan.namespaces).await?;
            process.answer(
                ServedStage::ProvisioningApi,
                provisioning::router(state.clone()),
            );
            process.provisioning = Some(state);
        }
        Ok(process)
    }

    async fn prepare_messaging(
        &mut self,
        plan: &StagePlan,
        stages: &MessagingStages,
    ) -> Result<(), AppError> {
        self.consumers.progress.waits_for(StartStep::PubSub);
        let connection = connect(&stages.pubsub).await?.telling_refusals();
        if let Some((users, config)) = &stages.users {
            self.consumers
                .add_users(*users, config, &connection)
                .await?;
        }
        if stages.namespace_worker {
            self.consumers
                .add_namespace_worker(&plan.namespaces, &plan.serve, &connection)
                .await?;
        }
        if stages.portal {
            self.prepare_portal(&plan.namespaces, &connection).await?;
        }
        Ok(())
    }

    async fn prepare_portal(
        &mut self,
        namespaces: &NamespacesConfig,
        connection: &Connection,
    ) -> Result<(), AppError> {
        self.consumers.progress.waits_for(StartStep::LedgerDatabase);
        let recorder = namespace_clients::recorder(namespaces, connection).await?;
        self.portal = Some(recorder.ledger().clone());
        let portal = namespace_clients::portal(namespaces, recorder)?;
        self.answer(ServedStage::Portal, portal.router());
        Ok(())
    }

    fn answer(&mut self, stage: ServedStage, routes: Router) {
        self.routes = std::mem::take(&mut self.routes).merge(routes);
        let stage = stage.as_str();
        tracing::info!(event = "stage_started", stage, "stage {stage} answers");
    }

    /// Alive while Pub/Sub reaches every stage; ready while besides every gate is open, every
    /// database answers and it is known whether writes are paused.
    fn register(&self, health: &HealthChecks) {
        for (stage, liveness) in &self.consumers.loops {
            let alive = liveness.clone();
            health.register_liveness(stage.as_str(), move || {
                std::future::ready(heard(&alive).and_then(|()| alive.live()))
            });
            let reached = liveness.clone();
            health.register_readiness(stage.as_str(), move || {
                std::future::ready(heard(&reached).and_then(|()| reached.ready()))
            });
        }
        for gate in &self.consumers.gates {
            let (name, gate) = (gate.upstream().as_str(), Arc::clone(gate));
            health.register_readiness(name, move || std::future::ready(open(&gate)));
        }
        if let Some(switch) = self.consumers.switch.clone() {
            let known = switch.clone();
            health.register_readiness("pause", move || {
                std::future::ready(known.unknown_because().map_or(Ok(()), Err))
            });
            health.register_note(move || Some(format!("writes are {}", switch.pause()?)));
        }
        for token in &self.consumers.tokens {
            let token = token.clone();
            health.register_note(move || {
                let expiry = token.token_expiry()?;
                let advice = expiry.advice(Timestamp::now());
                Some(advice.unwrap_or_else(|| expiry.to_string()))
            });
        }
        for ledger in self.consumers.ledgers.iter().chain(&self.portal) {
            let ledger = ledger.clone();
            health.register_readiness("ledger-database", move || {
                let ledger = ledger.clone();
                async move { ledger.ready().await.map_err(|error| error.to_string()) }
            });
        }
        if let Some(state) = &self.provisioning {
            let state = state.clone();
            health.register_readiness("provisioning-database", move || {
                let state = state.clone();
                async move { state.ready().await.map_err(|error| error.to_string()) }
            });
        }
    }
}

fn heard(liveness: &Liveness) -> Result<(), String> {
    let silence = liveness.silence();
    if silence < SILENT {
        Ok(())
    } else {
        Err(format!(
            "Pub/Sub has been silent for {} s",
            silence.as_secs()
        ))
    }
}

fn open(gate: &Gate) -> Result<(), String> {
    gate.closed_because().map_or(Ok(()), Err)
}
