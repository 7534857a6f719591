//! `simulate`: the simulated servers, left running for the other commands.

use std::{
    fmt::Write,
    io::{self, IsTerminal},
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;
use simulator::{
    control::RateLimit,
    gitlab::Cost,
    population::Population,
    servers::{ServerSettings, SimulatedServers},
};

use super::{
    CommandFailure,
    common::{
        global::GlobalOptions,
        output::{self, OutputFormat, OutputRow},
        population,
    },
};
use crate::{
    app::signals::StopSignals,
    config::{AnyConfig, Environment},
    telemetry::escape,
};

/// Runs a simulated GitLab, Lookup and Pub/Sub until SIGTERM, for trying the other commands
///
/// Prints one line of JSON with the addresses when they are ready. They can be told to fail:
/// POST [{"method":"POST","path":"/api/v4/users/*/block","status":503,"times":3}] to
/// /simulate/faults of GitLab or Lookup; GET /simulate/requests tells what was asked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync simulate --users 500 --env-file sim.env")]
pub struct SimulateArgs {
    #[command(flatten)]
    population: population::PopulationArgs,
    /// Add the accounts that only a real GitLab has: one without a personal namespace, one that
    /// does not validate, two without a time of creation, one being deleted, one that SCIM makes
    /// active again
    #[arg(long)]
    odd_accounts: bool,
    /// Added to each answer of GitLab and Lookup, such as 20ms
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    latency: Duration,
    /// GitLab's answers cost nothing, or what they cost a real one: 1.05 s of one process a page of
    /// 100 accounts, 0.16 s through GraphQL, 100 ms a block
    #[arg(long, value_enum, default_value_t, value_name = "COST")]
    gitlab_cost: CostOption,
    /// How many processes answer where answers cost something; each does one thing at a time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    gitlab_processes: u32,
    /// After N pages of accounts GitLab resets its connections and is away for seconds, as its
    /// memory watchdog does it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    gitlab_restarts_every: Option<u64>,
    /// GitLab answers 429 past this many requests in a minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    requests_per_minute: Option<u32>,
    /// The address to listen on: 0.0.0.0 lets other containers and machines reach the servers,
    /// which protect nothing
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    bind: IpAddr,
    /// GitLab's port; 0 takes a free one
    #[arg(long, value_name = "P", default_value_t = 0)]
    gitlab_port: u16,
    /// Lookup's port; 0 takes a free one
    #[arg(long, value_name = "P", default_value_t = 0)]
    lookup_port: u16,
    /// Pub/Sub's port; 0 takes a free one
    #[arg(long, value_name = "P", default_value_t = 0)]
    pubsub_port: u16,
    /// Start no Pub/Sub
    #[arg(long, conflicts_with = "pubsub_port")]
    without_pubsub: bool,
    /// Write the environment for the other commands here, for a shell to read
    #[arg(long, value_name = "PATH")]
    env_file: Option<PathBuf>,
}

/// What GitLab's answers cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum CostOption {
    /// Nothing
    #[default]
    Free,
    /// What was measured on a real one
    Real,
}

impl SimulateArgs {
    pub(super) async fn run(self, global: &GlobalOptions) -> Result<(), CommandFailure> {
        let mut signals = StopSignals::catch()?;
        let _: AnyConfig = global.context_within(Environment::default()).start(false)?;
        let settings = ServerSettings {
            bind: Some(self.bind),
            gitlab_port: self.gitlab_port,
            lookup_port: self.lookup_port,
            pubsub_port: (!self.without_pubsub).then_some(self.pubsub_port),
            latency: self.latency,
            rate_limit: self.requests_per_minute.map(|requests| RateLimit {
                requests,
                period: Duration::from_mins(1),
            }),
            cost: self.cost(),
            restarts_every: self.gitlab_restarts_every,
        };
        let servers = SimulatedServers::start(&self.population()?, settings).await?;
        if let Some(path) = &self.env_file {
            tokio::fs::write(path, shell(&servers.environment()))
                .await
                .map_err(|error| {
                    anyhow::anyhow!(error).context(format!("cannot write {}", path.display()))
                })?;
        }
        output::print(OutputFormat::Json, &[ReadyServers::of(&servers)])?;
        if io::stderr().is_terminal() {
            output::note(&self.next(&servers))?;
        }
        signals.next().await;
        stop(servers).await;
        Ok(())
    }

    /// What a person types next, in another shell.
    fn next(&self, servers: &SimulatedServers) -> String {
        let environment = if let Some(path) = &self.env_file {
            format!("  . {}\n", sourced(path))
        } else {
            let exports = shell(&servers.environment());
            format!("  {}\n", exports.trim_end().replace('\n', "\n  "))
        };
        let commands = if servers.broker.is_some() {
            "  lookup-gitlab-sync topology apply\n  lookup-gitlab-sync serve &\n  lookup-gitlab-sync tick --follow"
        } else {
            "  lookup-gitlab-sync plan"
        };
        format!("the servers run until Ctrl-C; in another shell:\n{environment}{commands}")
    }

    fn cost(&self) -> Cost {
        match self.gitlab_cost {
            CostOption::Free => Cost::Free,
            CostOption::Real => Cost::Real {
                processes: usize::try_from(self.gitlab_processes).unwrap_or(usize::MAX),
            },
        }
    }

    fn population(&self) -> Result<Population, CommandFailure> {
        let population = self.population.population()?;
        Ok(if self.odd_accounts {
            population.with_odd_accounts(population::today())
        } else {
            population
        })
    }
}

/// Ends all three; what they held is gone.
pub(super) async fn stop(servers: SimulatedServers) {
    let SimulatedServers {
        gitlab,
        lookup,
        broker,
    } = servers;
    if let Some(broker) = broker {
        broker.stop().await;
    }
    for (server, result) in [
        ("gitlab", gitlab.stop().await),
        ("lookup", lookup.stop().await),
    ] {
        if let Err(error) = result {
            tracing::warn!(event = "simulated_server_failed", server, %error);
        }
    }
}

/// The path of a file as `.` takes it: without a slash the shell would look for it in `PATH`.
fn sourced(path: &Path) -> String {
    let text = escape(&path.to_string_lossy()).into_owned();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
    let text = if text.contains('/') {
        text
    } else {
        format!("./{text}")
    };
    if text.bytes().all(plain) {
        text
    } else {
        quoted(&text)
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// As `. FILE` reads it. Every value is an address or a made-up word, and is quoted all the same.
fn shell(environment: &[(&str, String)]) -> String {
    environment
        .iter()
        .fold(String::new(), |mut text, (name, value)| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "export {name}={}", quoted(value));
            text
        })
}

#[derive(Serialize)]
struct ReadyServers<'a> {
    event: &'static str,
    gitlab: &'a str,
    gitlab_cost: &'static str,
    lookup: &'a str,
    pubsub: Option<String>,
}

impl<'a> ReadyServers<'a> {
    fn of(servers: &'a SimulatedServers) -> Self {
        Self {
            event: "ready",
            gitlab: servers.gitlab.url(),
            gitlab_cost: servers.gitlab.cost().as_str(),
            lookup: servers.lookup.control_url(),
            pubsub: servers.broker.as_ref().map(pubsub_emulator::Broker::host),
        }
    }
}

impl OutputRow for ReadyServers<'_> {
    const COLUMNS: &'static [&'static str] = &["gitlab", "lookup", "pubsub"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.gitlab.to_owned(),
            self.lookup.to_owned(),
            self.pubsub.clone().unwrap_or_default(),
        ]
    }
}

/// Such as `20ms` or `1s`.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed: Result<jiff::SignedDuration, _> = text.parse();
    let duration = parsed
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok());
    duration.ok_or_else(|| "a duration such as 20ms or 1s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_file_is_read_back_by_a_shell() {
        let text = shell(&[
            ("A", "it's".to_owned()),
            ("B", "http://127.0.0.1:1".to_owned()),
        ]);
        assert_eq!(text, "export A='it'\\''s'\nexport B='http://127.0.0.1:1'\n");
    }

    #[test]
    fn a_shell_finds_the_environment_file_where_it_is() {
        let sourced = |path: &str| sourced(Path::new(path));
        assert_eq!(sourced("sim.env"), "./sim.env");
        assert_eq!(sourced("/tmp/sim.env"), "/tmp/sim.env");
        assert_eq!(sourced("my sim.env"), "'./my sim.env'");
    }
}
