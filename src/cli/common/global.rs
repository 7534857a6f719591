//! The options that every command understands.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::app::context::{Flag, ProcessContext};
#[cfg(feature = "simulate")]
use crate::config::Environment;

/// What every command understands.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct GlobalOptions {
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
    pub log_format: Option<LogFormatOption>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormatOption {
    /// JSON on Google Cloud, text otherwise
    Auto,
    /// Readable text
    Text,
    /// JSON lines as Cloud Logging reads them
    Json,
}

impl GlobalOptions {
    /// The context of this process.
    pub(in crate::cli) fn context(&self) -> ProcessContext {
        ProcessContext::of_process(self.config.clone(), self.flags())
    }

    /// The context of `environment` alone, with the options about the log.
    #[cfg(feature = "simulate")]
    pub(in crate::cli) fn context_within(&self, environment: Environment) -> ProcessContext {
        ProcessContext::within(environment, self.flags())
    }

    fn flags(&self) -> Vec<Flag> {
        let level = self
            .log_level
            .clone()
            .map(|level| ("log.level", "--log-level", level));
        let format = self
            .log_format
            .and_then(|format| format.to_possible_value());
        let format =
            format.map(|format| ("log.format", "--log-format", format.get_name().to_owned()));
        level.into_iter().chain(format).collect()
    }
}
