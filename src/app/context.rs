//! Where the configuration of a process comes from; it loads from there, and the log starts as it
//! says.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

use super::error::AppError;
use crate::{
    config::{
        self, Config, DirectoryConfig, Environment, GitLabConfig, LoadedConfig, LogConfig,
        PubSubConfig, Requirement, Sources,
    },
    telemetry::logs::{self, GOOGLE_CLOUD_VARIABLES, LineFormat, LogDestination},
};

/// A flag that sets a key of the configuration: the key, the flag, the value.
pub(crate) type Flag = (&'static str, &'static str, String);

/// Where the configuration of a process comes from.
#[derive(Debug)]
pub(crate) struct ProcessContext {
    sources: Sources,
}

impl ProcessContext {
    /// This process: its environment, `file`, or the one in its working directory, and `flags`.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<Flag>) -> Self {
        let sources = Sources {
            file,
            flags,
            environment: Environment::of_process(),
            directory: Some(PathBuf::new()),
        };
        Self { sources }
    }

    /// Another environment alone, such as that of servers which this process has just started:
    /// neither this process's variables nor any file have a say, only the flags about the log.
    #[cfg(feature = "simulate")]
    pub fn within(environment: Environment, flags: Vec<Flag>) -> Self {
        let sources = Sources {
            flags,
            environment,
            ..Sources::default()
        };
        Self { sources }
    }

    /// The environment.
    pub fn environment(&self) -> &Environment {
        &self.sources.environment
    }

    /// Loads the configuration; the type says what the command needs of it.
    ///
    /// # Errors
    /// Every mistake of the configuration.
    pub fn load<G, D, P>(&self) -> Result<LoadedConfig<Config<G, D, P>>, AppError>
    where
        G: Requirement<GitLabConfig>,
        D: Requirement<DirectoryConfig>,
        P: Requirement<PubSubConfig>,
    {
        Ok(Config::load(&self.sources)?)
    }

    /// Loads the configuration as [`Self::load`] does, and starts the log as it says. `serving`: no
    /// person waits for this process. Call it once; a process has one log.
    ///
    /// # Errors
    /// Every mistake of the configuration.
    pub fn start<G, D, P>(&self, serving: bool) -> Result<Config<G, D, P>, AppError>
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

    /// Whether a process that serves logs JSON, for one that ends with an error. Its log is started
    /// as far as the configuration can be read, if it has not been before.
    pub fn logs_json(&self) -> bool {
        let log = LogConfig::as_far_as_given(&self.sources);
        let is_json = matches!(form(&log, destination(true)), LineFormat::Json);
        if is_json {
            // It fails where the log has started, which is all that is wanted.
            drop(start_log(&log, None, true));
        }
        is_json
    }
}

fn start_log(log: &LogConfig, project: Option<&str>, serving: bool) -> Result<(), AppError> {
    let destination = destination(serving);
    let form = form(log, destination);
    logs::install(logs::LogOptions {
        filter: logs::filter(&level(log, serving))?,
        form,
        stream: destination.stream(form),
        is_watched: destination.is_watched(form),
        project: project.map(str::to_owned),
    })?;
    Ok(())
}

fn destination(serving: bool) -> LogDestination {
    // Of the process also in `within`: who reads its log does not change with its configuration.
    let process = Environment::of_process();
    let is_set = |name: &str| process.get(name).is_some_and(|value| !value.is_empty());
    LogDestination {
        serving,
        on_google_cloud: GOOGLE_CLOUD_VARIABLES.into_iter().any(is_set),
        on_terminal: io::stderr().is_terminal(),
        output_on_terminal: io::stdout().is_terminal(),
        no_colour: is_set("NO_COLOR"),
    }
}

fn form(log: &LogConfig, destination: LogDestination) -> LineFormat {
    match log.format {
        config::LogFormat::Auto => destination.usual_form(),
        config::LogFormat::Text => destination.text(),
        config::LogFormat::Json => LineFormat::Json,
    }
}

/// What is let through of a level. A certificate that is not trusted is told by whoever called; and
/// a command that ends at a failure tells it itself, so that calls to be held would be the same
/// said twice.
fn level(log: &LogConfig, serving: bool) -> String {
    let level = &log.level;
    if level.contains(['=', ',']) {
        level.clone()
    } else if serving {
        format!("{level},rustls_platform_verifier=off")
    } else {
        format!("{level},rustls_platform_verifier=off,lookup_gitlab_sync::gate=off")
    }
}
