//! The commands, one file each: parse, load what the command needs, do it, say what became of it.

mod adopt;
mod common;
mod compare;
mod completions;
mod config;
mod dead_letters;
#[cfg(feature = "simulate")]
mod demo;
mod explain;
mod history;
mod namespaces;
mod pause;
mod plan;
mod resume;
mod resync;
mod serve;
#[cfg(feature = "simulate")]
mod simulate;
mod tick;
mod token;
mod topology;

use clap::{
    Parser, Subcommand,
    error::{ContextKind, ContextValue},
};

use crate::telemetry::escape;

pub use self::common::{
    failure::{CommandFailure, ExitReason},
    global::GlobalOptions,
};

/// Keeps a self-managed GitLab in step with the university directory that decides who may sign in.
#[derive(Debug, Parser)]
#[command(
    name = "lookup-gitlab-sync",
    version,
    about,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What every command understands.
    #[command(flatten)]
    pub global: GlobalOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What was typed. Where it cannot be, this says so and ends the process.
pub fn parse() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| escape_usage(error).exit())
}

/// The same error, with what was typed made safe to print: it may be a name that somebody else
/// chose.
fn escape_usage(mut error: clap::Error) -> clap::Error {
    let typed: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => {
                Some((kind, ContextValue::String(escape(text).into_owned())))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in typed {
        error.insert(kind, value);
    }
    error
}

/// What to do.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "each command's text stands at its arguments, where `--help` takes it from"
)]
pub enum Command {
    #[cfg(feature = "simulate")]
    Demo(demo::DemoArgs),
    #[cfg(feature = "simulate")]
    Simulate(simulate::SimulateArgs),
    Serve(serve::ServeArgs),
    Plan(plan::PlanArgs),
    Explain(explain::ExplainArgs),
    History(history::HistoryArgs),
    Compare(compare::CompareArgs),
    Adopt(adopt::AdoptArgs),
    Tick(tick::TickArgs),
    Resync(resync::ResyncArgs),
    Pause(pause::PauseArgs),
    Resume(resume::ResumeArgs),
    DeadLetters(dead_letters::DeadLettersArgs),
    Namespaces(namespaces::NamespacesArgs),
    Topology(topology::TopologyArgs),
    Token(token::TokenArgs),
    Config(config::ConfigArgs),
    Completions(completions::CompletionsArgs),
}

impl Cli {
    /// How many threads it computes on; `None` is one for each processor.
    pub fn threads(&self) -> Option<usize> {
        if let Command::Serve(args) = &self.command {
            args.threads()
        } else {
            None
        }
    }
}

impl Command {
    /// Whether it ends by itself on SIGINT and SIGTERM, finishing its work first.
    fn stops_by_itself(&self) -> bool {
        match self {
            #[cfg(feature = "simulate")]
            Self::Simulate(_) => true,
            Self::Serve(_) | Self::DeadLetters(_) | Self::History(_) | Self::Token(_) => true,
            #[cfg(feature = "simulate")]
            Self::Demo(_) => false,
            Self::Plan(_)
            | Self::Explain(_)
            | Self::Compare(_)
            | Self::Adopt(_)
            | Self::Tick(_)
            | Self::Resync(_)
            | Self::Pause(_)
            | Self::Resume(_)
            | Self::Namespaces(_)
            | Self::Topology(_)
            | Self::Config(_)
            | Self::Completions(_) => false,
        }
    }

    async fn run(self, global: GlobalOptions) -> Result<(), CommandFailure> {
        let context = &global.context();
        match self {
            #[cfg(feature = "simulate")]
            Self::Demo(args) => args.run(&global).await,
            #[cfg(feature = "simulate")]
            Self::Simulate(args) => args.run(&global).await,
            Self::Serve(args) => args.run(context).await,
            Self::Plan(args) => args.run(context).await,
            Self::Explain(args) => args.run(context).await,
            Self::History(args) => args.run(context).await,
            Self::Compare(args) => args.run(context).await,
            Self::Adopt(args) => args.run(context).await,
            Self::Tick(args) => args.run(context).await,
            Self::Resync(args) => args.run(context).await,
            Self::Pause(args) => args.run(context).await,
            Self::Resume(args) => args.run(context).await,
            Self::DeadLetters(args) => args.run(context).await,
            Self::Namespaces(args) => args.run(context).await,
            Self::Topology(args) => args.run(context).await,
            Self::Token(args) => args.run(context).await,
            Self::Config(args) => args.run(context).await,
            Self::Completions(args) => args.run(),
        }
    }
}

/// Runs the command to its end, or to an interrupt that the command does not take for itself.
///
/// # Errors
/// With the exit code and what to tell the person.
pub async fn run(cli: Cli) -> Result<(), CommandFailure> {
    common::quiet::ask_for(cli.global.quiet);
    if cli.command.stops_by_itself() {
        return Box::pin(cli.command.run(cli.global)).await;
    }
    tokio::select! {
        result = cli.command.run(cli.global) => result,
        interrupt = tokio::signal::ctrl_c() => match interrupt {
            Ok(()) => Err(CommandFailure::interrupted()),
            Err(error) => Err(CommandFailure::from(error)),
        },
    }
}
