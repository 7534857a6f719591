//! `serve`: the stages, until they are asked to stop.

use std::{sync::Arc, time::Duration};

use axum::Router;
use clap::ValueEnum;

use super::{
    Failure,
    context::Context,
    namespace_wiring,
    ports::Ports,
    serving::{Answering, Serving},
    signals::Signals,
    stages::Stages,
    wiring::connect,
};
use crate::{
    config::{AnyConfig, Config, MessagingConfig, Mode},
    gate::Gate,
    messaging::{Connection, Liveness, Stage},
    namespaces::{ledger::Ledger, provisioning},
    telemetry::Health,
};

/// A stage that has heard nothing of Pub/Sub for this long is not alive: idle ones ask every 30 s.
const SILENT: Duration = Duration::from_secs(150);

/// Runs stages until SIGTERM or SIGINT; without a name fan-out and user-worker
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync serve user-worker")]
pub struct Args {
    /// Which stages
    #[arg(value_enum, value_name = "STAGE")]
    stages: Vec<StageName>,
}

/// A stage by its name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StageName {
    /// Turns a tick into one message a user
    FanOut,
    /// Looks again, decides and applies
    UserWorker,
    /// Sends the newest recorded sync of a namespace
    NamespaceWorker,
    /// Records syncs over HTTP and publishes the keys
    Portal,
    /// GitLab's internal endpoint that provisions a namespace
    ProvisioningApi,
}

/// How a stage works, and so what it needs.
enum Kind {
    /// Consumes, with GitLab and the directory.
    Users(Stage),
    /// Consumes, with the ledger.
    NamespaceWorker,
    /// Answers HTTP, with the ledger and Pub/Sub.
    Portal,
    /// Answers HTTP, with its database alone.
    ProvisioningApi,
}

impl Kind {
    /// Whether others than the platform ask it over HTTP.
    fn is_asked(&self) -> bool {
        match self {
            Self::Portal | Self::ProvisioningApi => true,
            Self::Users(_) | Self::NamespaceWorker => false,
        }
    }
}

impl From<StageName> for Kind {
    fn from(name: StageName) -> Self {
        match name {
            StageName::FanOut => Self::Users(Stage::FanOut),
            StageName::UserWorker => Self::Users(Stage::UserWorker),
            StageName::NamespaceWorker => Self::NamespaceWorker,
            StageName::Portal => Self::Portal,
            StageName::ProvisioningApi => Self::ProvisioningApi,
        }
    }
}

/// What is to run in this process.
struct Process {
    stages: Stages,
    routes: Router,
    portal: Option<Ledger>,
    provisioning: Option<provisioning::ProvisioningState>,
}

impl Args {
    /// Stages that consume wait for other servers nearly all the time: one thread does, and wakes no second one for
    /// each message. Those that answer HTTP have as many as there are processors.
    pub(super) fn threads(&self) -> Option<usize> {
        let consumes = |name: &StageName| !Kind::from(*name).is_asked();
        self.names().iter().all(consumes).then_some(1)
    }

    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let mut signals = Signals::catch()?;
        let names = self.names();
        let config = load(context, &names)?;
        let health = Health::new();
        let asked = names.iter().any(|name| Kind::from(*name).is_asked());
        let ports = Ports::of(&config.serve, asked)?;
        let server = ports.server(&health).await?;
        let public = ports.listener().await?;
        let health_port = server.address()?.port();
        let starting = Process::prepare(context, &config, &names);
        let process = tokio::select! {
            process = starting => process?,
            () = signals.next() => {
                tracing::info!(event = "stopped", "stopped before it served");
                return Ok(());
            }
        };
        process.register(&health);
        let grace = config.serve.grace;
        let (server, port, apart) = match public {
            Some(listener) => {
                let port = listener.local_addr()?.port();
                let server = server.with_public(listener, process.routes, grace);
                (server, port, Some(health_port))
            }
            None => (server, health_port, None),
        };
        let mut stages = process.stages;
        stages.consume();
        let serving = Serving {
            stages,
            answering: Answering::start(server, asked),
            provisioning: process.provisioning,
            grace,
        };
        tracing::info!(
            event = "serving",
            port,
            health_port = apart,
            mode = ?config.mode,
            "serving on port {port}"
        );
        // The mode governs writes to users alone.
        let writes_users = names
            .iter()
            .any(|name| matches!(Kind::from(*name), Kind::Users(_)));
        if writes_users && config.mode == Mode::DryRun {
            tracing::warn!(
                event = "dry_run_mode",
                "mode is dry-run: GitLab is not changed; set mode = \"apply\" or LOOKUP_GITLAB_SYNC__MODE=apply \
                 when the plan is what you expect"
            );
        }
        serving.until_stopped(&mut signals).await
    }

    fn names(&self) -> Vec<StageName> {
        let mut names: Vec<StageName> = Vec::new();
        for name in &self.stages {
            if !names.contains(name) {
                names.push(*name);
            }
        }
        if names.is_empty() {
            vec![StageName::FanOut, StageName::UserWorker]
        } else {
            names
        }
    }
}

/// Loads what these stages need, and no more: the namespace stages have no token of an administrator.
fn load(context: &Context, names: &[StageName]) -> Result<AnyConfig, Failure> {
    for name in names {
        match Kind::from(*name) {
            Kind::Users(_) => drop(context.load::<_, _, _>().map(|l| -> Config { l.config })?),
            Kind::NamespaceWorker | Kind::Portal => {
                drop(context.load().map(|l| -> MessagingConfig { l.config })?);
            }
            Kind::ProvisioningApi => {}
        }
    }
    context.start(true)
}

impl Process {
    /// Nothing is leased yet, so that a start-up can be dropped half-way.
    async fn prepare(
        context: &Context,
        config: &AnyConfig,
        names: &[StageName],
    ) -> Result<Self, Failure> {
        // The provisioning API alone has no business with Pub/Sub.
        let wanted = names.iter().any(|name| *name != StageName::ProvisioningApi);
        let connection = match &config.pubsub {
            Some(pubsub) if wanted => Some(connect(pubsub).await?),
            Some(_) | None => None,
        };
        let mut process = Self {
            stages: users(context, connection.as_ref(), names).await?,
            routes: Router::new(),
            portal: None,
            provisioning: None,
        };
        for name in names {
            match (Kind::from(*name), &connection) {
                (Kind::NamespaceWorker, Some(connection)) => {
                    process
                        .stages
                        .add_namespace_worker(&config.namespaces, &config.serve, connection)
                        .await?;
                }
                (Kind::Portal, Some(connection)) => process.portal(config, connection).await?,
                (Kind::ProvisioningApi, _) => process.provisioning_api(config).await?,
                // The users' stages are prepared already, and `load` has seen that there is a Pub/Sub for the rest.
                (Kind::Users(_), _) | (Kind::NamespaceWorker | Kind::Portal, None) => {}
            }
        }
        Ok(process)
    }

    async fn portal(&mut self, config: &AnyConfig, connection: &Connection) -> Result<(), Failure> {
        let recorder = namespace_wiring::recorder(&config.namespaces, connection).await?;
        self.portal = Some(recorder.ledger().clone());
        let portal = namespace_wiring::portal(&config.namespaces, recorder)?;
        self.answer("portal", portal.router());
        Ok(())
    }

    async fn provisioning_api(&mut self, config: &AnyConfig) -> Result<(), Failure> {
        let state = namespace_wiring::provisioning(&config.namespaces).await?;
        self.answer("provisioning-api", provisioning::router(state.clone()));
        self.provisioning = Some(state);
        Ok(())
    }

    fn answer(&mut self, stage: &str, routes: Router) {
        self.routes = std::mem::take(&mut self.routes).merge(routes);
        tracing::info!(event = "stage_started", stage, "stage {stage} answers");
    }

    /// Alive while Pub/Sub reaches every stage; ready while besides every gate is open and every database answers.
    fn register(&self, health: &Health) {
        for (stage, liveness) in &self.stages.loops {
            let alive = liveness.clone();
            health.register_liveness(stage.as_str(), move || {
                std::future::ready(heard(&alive).and_then(|()| alive.live()))
            });
            let reached = liveness.clone();
            health.register_readiness(stage.as_str(), move || {
                std::future::ready(heard(&reached).and_then(|()| reached.ready()))
            });
        }
        for gate in &self.stages.gates {
            let (name, gate) = (gate.upstream().as_str(), Arc::clone(gate));
            health.register_readiness(name, move || std::future::ready(open(&gate)));
        }
        for ledger in self.stages.ledgers.iter().chain(&self.portal) {
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

/// The stages of the user pipeline, if any is named.
async fn users(
    context: &Context,
    connection: Option<&Connection>,
    names: &[StageName],
) -> Result<Stages, Failure> {
    let wanted: Vec<Stage> = names
        .iter()
        .filter_map(|name| match Kind::from(*name) {
            Kind::Users(stage) => Some(stage),
            Kind::NamespaceWorker | Kind::Portal | Kind::ProvisioningApi => None,
        })
        .collect();
    match (wanted.is_empty(), connection) {
        (false, Some(connection)) => {
            let config: Config = context.load()?.config;
            Stages::prepare(&config, connection, &wanted).await
        }
        (true, _) | (false, None) => Ok(Stages::none()),
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
