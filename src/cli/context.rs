//! What every command has at hand: the global flags, the environment, and from them configuration and logs.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

use clap::ValueEnum;

use super::failure::Failure;
use crate::{
    config::{
        self, Config, DirectoryConfig, Environment, GitLabConfig, LoadedConfig, PubSubConfig,
        Requirement, Sources,
    },
    telemetry::logs::{self, Form, GOOGLE_CLOUD_VARIABLES, Surroundings},
};

/// What every command understands.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Global {
    /// The configuration file.
    #[arg(
        help = "The configuration file [default: LOOKUP_GITLAB_SYNC_CONFIG, or ./lookup-gitlab-sync.toml if it is there]"
    )]
    #[arg(long, global = true, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// A level, or a filter of `tracing`.
    #[arg(
        help = "A level, or a filter such as info,lookup_gitlab_sync=debug [default: LOG_LEVEL, or info]"
    )]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// How log lines look
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// JSON on Google Cloud, text otherwise
    Auto,
    /// Readable text
    Text,
    /// JSON lines as Cloud Logging reads them
    Json,
}

/// What every command has at hand.
#[derive(Debug)]
pub struct Context {
    given: Sources,
}

impl Context {
    /// Of this process.
    pub fn new(global: &Global) -> Self {
        let given = Sources {
            file: global.config.clone(),
            flags: flags(global),
            environment: Environment::of_process(),
            directory: Some(PathBuf::new()),
        };
        Self { given }
    }

    /// Of another environment alone, such as that of servers which this process has just started:
    /// neither this process's variables nor any file have a say, only the flags about the log.
    pub fn within(global: &Global, environment: Environment) -> Self {
        let given = Sources {
            flags: flags(global),
            environment,
            ..Sources::default()
        };
        Self { given }
    }

    /// The environment.
    pub fn environment(&self) -> &Environment {
        &self.given.environment
    }

    /// Loads the configuration; the type says what the command needs of it.
    ///
    /// # Errors
    /// Exit code 78 and every mistake.
    pub fn load<G, D, P>(&self) -> Result<LoadedConfig<Config<G, D, P>>, Failure>
    where
        G: Requirement<GitLabConfig>,
        D: Requirement<DirectoryConfig>,
        P: Requirement<PubSubConfig>,
    {
        Config::load(&self.given).map_err(Failure::configuration)
    }

    /// Loads the configuration as [`Self::load`] does, and starts the log as it says. `serving`: no
    /// person waits for this process. Call it once; a process has one log.
    ///
    /// # Errors
    /// Exit code 78 and every mistake.
    pub fn start<G, D, P>(&self, serving: bool) -> Result<Config<G, D, P>, Failure>
    where
        G: Requirement<GitLabConfig>,
        D: Requirement<DirectoryConfig>,
        P: Requirement<PubSubConfig>,
    {
        let loaded = self.load()?;
        let project = loaded
            .settings
            .iter()
            .find(|setting| setting.key == "pubsub.project");
        let project = project.and_then(|setting| setting.value.as_ref()?.as_str());
        start_log(&loaded.config.log, project, serving)?;
        Ok(loaded.config)
    }
}

fn start_log(log: &config::LogConfig, project: Option<&str>, serving: bool) -> Result<(), Failure> {
    // Of the process also in `within`: who reads its log does not change with its configuration.
    let process = Environment::of_process();
    let is_set = |name: &str| process.get(name).is_some_and(|value| !value.is_empty());
    let surroundings = Surroundings {
        serving,
        on_google_cloud: GOOGLE_CLOUD_VARIABLES.into_iter().any(is_set),
        on_terminal: io::stderr().is_terminal(),
        no_colour: is_set("NO_COLOR"),
    };
    let form = match log.format {
        config::LogFormat::Auto => surroundings.usual_form(),
        config::LogFormat::Text => surroundings.text(),
        config::LogFormat::Json => Form::Json,
    };
    logs::install(logs::Options {
        filter: logs::filter(&level(log, serving))?,
        form,
        stream: surroundings.stream(form),
        project: project.map(str::to_owned),
    })?;
    Ok(())
}

/// What is let through of a level. A certificate that is not trusted is told by whoever called; and a command that ends
/// at a failure tells it itself, so that calls to be held would be the same said twice.
fn level(log: &config::LogConfig, serving: bool) -> String {
    let level = &log.level;
    if level.contains(['=', ',']) {
        level.clone()
    } else if serving {
        format!("{level},rustls_platform_verifier=off")
    } else {
        format!("{level},rustls_platform_verifier=off,lookup_gitlab_sync::gate=off")
    }
}

fn flags(global: &Global) -> Vec<(&'static str, &'static str, String)> {
    let level = global
        .log_level
        .clone()
        .map(|level| ("log.level", "--log-level", level));
    let format = global
        .log_format
        .and_then(|format| format.to_possible_value());
    let format = format.map(|format| ("log.format", "--log-format", format.get_name().to_owned()));
    level.into_iter().chain(format).collect()
}
