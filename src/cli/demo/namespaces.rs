//! `demo --namespaces`: what a namespace has bought, from the portal to GitLab's tables, with the
//! end state checked.

mod environment;
mod purchase;
mod report;
mod scenario;
mod steps;
mod tables;

use simulator::postgres::{Postgres, PostgresError};

use self::{
    environment::NamespaceEnvironment, report::NamespaceDemoReport, scenario::NamespaceScenario,
};
use super::super::{
    CommandFailure,
    common::{
        failure::ExitReason,
        global::GlobalOptions,
        output::{self, OutputFormat, ReportFormat},
    },
};
use crate::app::signals::StopSignals;

/// Plays the pipeline on servers of its own; the first signal ends them all.
pub async fn run(global: &GlobalOptions, output: ReportFormat) -> Result<(), CommandFailure> {
    let mut signals = StopSignals::catch()?;
    tokio::select! {
        result = whole(global, output) => result,
        () = signals.next() => Err(CommandFailure::interrupted()),
    }
}

async fn whole(global: &GlobalOptions, output: ReportFormat) -> Result<(), CommandFailure> {
    let postgres = Postgres::start().await.map_err(missing)?;
    let scene = NamespaceEnvironment::start(global, &postgres).await?;
    let narrated = output == ReportFormat::Table;
    let result = play(&NamespaceScenario::new(&scene, narrated)?).await;
    scene.stop().await;
    drop(postgres);
    let report = result?;
    if !narrated {
        output::print(OutputFormat::Json, &[&report])?;
    }
    report.verdict()
}

async fn play(play: &NamespaceScenario<'_>) -> Result<NamespaceDemoReport, CommandFailure> {
    play.introduce()?;
    let acts = vec![
        play.a_purchase().await?,
        play.nothing_new().await?,
        play.a_change().await?,
        play.a_broken_rule().await?,
        play.an_outage().await?,
        play.a_dead_letter().await?,
    ];
    let report = NamespaceDemoReport::new(acts);
    play.conclude(&report)?;
    Ok(report)
}

/// What the demo stands on is not there, as an upstream may not be.
fn missing(error: PostgresError) -> CommandFailure {
    match error {
        PostgresError::NotInstalled => CommandFailure::new(ExitReason::Unavailable, error),
        PostgresError::Start(_) | PostgresError::System(_) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_postgresql_is_told_with_what_to_do() {
        let failure = missing(PostgresError::NotInstalled);
        assert_eq!(failure.exit(), ExitReason::Unavailable);
        let text = failure.to_string();
        assert!(
            text.contains("PostgreSQL's server is not installed"),
            "{text}"
        );
        assert!(text.contains("install it"), "{text}");
    }
}
