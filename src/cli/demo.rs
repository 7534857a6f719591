//! `demo`: the whole service against simulated servers in this process, with the end state checked.

mod namespaces;
mod report;
mod steps;

use simulator::servers::{ServerSettings, SimulatedServers};

use self::{report::DemoReport, steps::DemoScenario};
use super::{
    CommandFailure,
    common::{
        global::GlobalOptions,
        output::{self, OutputFormat, ReportFormat},
        population,
    },
    simulate,
};
use crate::{
    app::{
        clients::connect, consumers::StageConsumers, context::ProcessContext, stages::UserStages,
    },
    config::Config,
    messaging::Topology,
};

/// Runs the whole service against simulated servers, shows what it does, and checks the end state
///
/// It always applies, and only to the servers it starts in its own process; no file and no
/// variable of yours is read. Exit code 0 only if everything ended as expected.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync demo --users 20000 --seed 7")]
pub struct DemoArgs {
    /// The namespace pipeline instead.
    #[arg(
        help = "The namespace pipeline instead, on a throw-away PostgreSQL (its server has to be installed)"
    )]
    #[arg(long, conflicts_with_all = ["users", "seed", "gitlab_users", "gitlab_recording", "lookup_people"])]
    namespaces: bool,
    #[command(flatten)]
    population: population::PopulationArgs,
    /// A report for people, or one JSON document
    #[arg(long, value_enum, default_value_t)]
    output: ReportFormat,
}

impl DemoArgs {
    pub(super) async fn run(self, global: &GlobalOptions) -> Result<(), CommandFailure> {
        if self.namespaces {
            return Box::pin(namespaces::run(global, self.output)).await;
        }
        let population = self.population.population()?;
        let servers = SimulatedServers::start(&population, ServerSettings::default()).await?;
        let config: Config = only_of(&servers, global).start(false)?;
        let connection = connect(&config.pubsub).await?;
        Topology::new(&connection).apply().await?;
        let mut stages = StageConsumers::default();
        stages
            .add_users(UserStages::ALL, &config, &connection)
            .await?;
        stages.consume();
        let narrated = self.output == ReportFormat::Table;
        let mut stage = DemoScenario {
            population: &population,
            servers: &servers,
            connection: &connection,
            narrated,
        };
        let result = play(&mut stage).await;
        stages.stop(config.serve.grace).await;
        simulate::stop(servers).await;
        let report = result?;
        if !narrated {
            output::print(OutputFormat::Json, &[&report])?;
        }
        report.verdict()
    }
}

/// The environment of these servers and nothing else: neither variables nor a file of the user's.
/// Each of thousands of outcomes is a line of the log, so that only errors are shown unless asked.
fn only_of(servers: &SimulatedServers, global: &GlobalOptions) -> ProcessContext {
    let mut global = global.clone();
    global.log_level.get_or_insert_with(|| "error".to_owned());
    global.context_within(servers.environment().into_iter().collect())
}

async fn play(stage: &mut DemoScenario<'_>) -> Result<DemoReport, CommandFailure> {
    stage.introduce()?;
    let first = stage.first_tick().await?;
    let second = stage.second_tick().await?;
    let mismatches = stage.check_end()?;
    let resync = stage.a_person_returns(&first).await?;
    let dead_letter = stage.a_poisoned_message().await?;
    let report = DemoReport::new(
        stage.population,
        first,
        second,
        mismatches,
        resync,
        dead_letter,
    );
    stage.conclude(&report)?;
    Ok(report)
}
