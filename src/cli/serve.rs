//! `serve`: the stages, until they are asked to stop.

use std::net::{Ipv4Addr, SocketAddr};

use clap::ValueEnum;
use tokio_util::sync::CancellationToken;

use super::{Failure, context::Context, signals::Signals, stages::Stages, wiring::connect};
use crate::{
    config::{Config, Mode},
    messaging::{Liveness, Stage},
    telemetry::{Health, Metrics, http::Server},
    upstream::Gate,
};

/// A stage that has heard nothing of Pub/Sub for this long is not alive: idle ones ask every 30 s.
const SILENT: std::time::Duration = std::time::Duration::from_secs(150);

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
}

impl From<StageName> for Stage {
    fn from(name: StageName) -> Self {
        match name {
            StageName::FanOut => Self::FanOut,
            StageName::UserWorker => Self::UserWorker,
        }
    }
}

impl Args {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let mut signals = Signals::catch()?;
        let config: Config = context.start(true)?;
        let health = Health::new();
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, config.serve.port));
        let server = Server::bind(address, health.clone(), Metrics::install()?)
            .await
            .map_err(|error| {
                anyhow::anyhow!(error).context(format!("cannot listen on port {}", address.port()))
            })?;
        let port = server.address()?.port();
        let connection = connect(&config.pubsub).await?;
        let mut stages = Stages::start(&config, &connection, &self.stages()).await?;
        register(&health, &stages);
        let stop_answering = CancellationToken::new();
        let answering = tokio::spawn(server.serve(stop_answering.clone()));
        tracing::info!(event = "serving", port, mode = ?config.mode, "serving on port {port}");
        if config.mode == Mode::DryRun {
            tracing::warn!(
                event = "dry_run_mode",
                "mode is dry-run: GitLab is not changed; set mode = \"apply\" or LOOKUP_GITLAB_SYNC__MODE=apply \
                 when the plan is what you expect"
            );
        }
        let ended = tokio::select! {
            () = signals.next() => Ok(()),
            () = stages.ended() => Err(anyhow::anyhow!("a stage ended by itself: see the log")),
        };
        tokio::select! {
            () = stages.stop(config.serve.grace) => {}
            () = signals.next() => return Err(Failure::interrupted()),
        }
        stop_answering.cancel();
        answering.await??;
        tracing::info!(event = "stopped", "stopped");
        Ok(ended?)
    }

    fn stages(&self) -> Vec<Stage> {
        let mut stages: Vec<Stage> = Vec::new();
        for stage in self.stages.iter().copied().map(Stage::from) {
            if !stages.contains(&stage) {
                stages.push(stage);
            }
        }
        if stages.is_empty() {
            vec![Stage::FanOut, Stage::UserWorker]
        } else {
            stages
        }
    }
}

/// Alive while Pub/Sub reaches every stage; ready while besides every gate is open.
fn register(health: &Health, stages: &Stages) {
    for (stage, liveness) in &stages.loops {
        let alive = liveness.clone();
        health.register_liveness(stage.as_str(), move || std::future::ready(heard(&alive)));
        let reached = liveness.clone();
        health.register_readiness(stage.as_str(), move || std::future::ready(heard(&reached)));
    }
    let gitlab = &stages.sides.gitlab;
    let gates = [gitlab.read_gate(), gitlab.write_gate()]
        .into_iter()
        .chain(stages.sides.directory.gates());
    for gate in gates {
        let name = gate.upstream().as_str();
        health.register_readiness(name, move || std::future::ready(open(&gate)));
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
