//! `demo --namespaces`: what a namespace has bought, from the portal to GitLab's tables, with the end state checked.

mod environment;
mod purchase;
mod report;
mod scenario;
mod steps;
mod tables;

use simulator::postgres::{Postgres, PostgresError};

use self::{environment::Scene, report::Report, scenario::Play};
use super::super::{
    Failure,
    common::{
        failure::Exit,
        global::GlobalOptions,
        output::{self, Output, Report as Form},
    },
};
use crate::app::signals::StopSignals;

/// Plays the pipeline on servers of its own; the first signal ends them all.
pub async fn run(global: &GlobalOptions, output: Form) -> Result<(), Failure> {
    let mut signals = StopSignals::catch()?;
    tokio::select! {
        result = whole(global, output) => result,
        () = signals.next() => Err(Failure::interrupted()),
    }
}

async fn whole(global: &GlobalOptions, output: Form) -> Result<(), Failure> {
    let postgres = Postgres::start().await.map_err(missing)?;
    let scene = Scene::start(global, &postgres).await?;
    let narrated = output == Form::Table;
    let result = play(&Play::new(&scene, narrated)?).await;
    scene.stop().await;
    drop(postgres);
    let report = result?;
    if !narrated {
        output::print(Output::Json, &[&report])?;
    }
    report.verdict()
}

async fn play(play: &Play<'_>) -> Result<Report, Failure> {
    play.introduce()?;
    let acts = vec![
        play.a_purchase().await?,
        play.nothing_new().await?,
        play.a_change().await?,
        play.a_broken_rule().await?,
        play.an_outage().await?,
        play.a_dead_letter().await?,
    ];
    let report = Report::new(acts);
    play.conclude(&report)?;
    Ok(report)
}

/// What the demo stands on is not there, as an upstream may not be.
fn missing(error: PostgresError) -> Failure {
    match error {
        PostgresError::NotInstalled => Failure::new(Exit::Unavailable, error),
        PostgresError::Start(_) | PostgresError::System(_) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_postgresql_is_told_with_what_to_do() {
        let failure = missing(PostgresError::NotInstalled);
        assert_eq!(failure.exit(), Exit::Unavailable);
        let text = failure.to_string();
        assert!(
            text.contains("PostgreSQL's server is not installed"),
            "{text}"
        );
        assert!(text.contains("install it"), "{text}");
    }
}
