//! The options that every command understands.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::app::context::{Flag, ProcessContext};
#[cfg(feature = "simulate")]
use crate::config::Environment;

/// What the help of a command puts above these options.
const HEADING: &str = "Global options";

/// What every command understands.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct GlobalOptions {
    /// The configuration file.
    #[arg(
        help = "The configuration file [default: LOOKUP_GITLAB_SYNC_CONFIG, or ./lookup-gitlab-sync.toml if it exists]"
    )]
    #[arg(long, global = true, help_heading = HEADING, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// A level, or a filter of `tracing`.
    #[arg(
        help = "A level, or a filter such as info,lookup_gitlab_sync=debug [default: LOG_LEVEL, or info]"
    )]
    #[arg(long, global = true, help_heading = HEADING, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// How log lines look
    #[arg(long, global = true, help_heading = HEADING, value_name = "FORMAT")]
    pub log_format: Option<LogFormatOption>,
    /// Say nothing but results, errors and the log
    #[arg(short, long, global = true, help_heading = HEADING)]
    pub quiet: bool,
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

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::HEADING;
    use crate::cli::Cli;

    /// `command` and every command below it, each with its full name.
    fn all(command: &Command, name: &str) -> Vec<(String, Command)> {
        let inner = command
            .get_subcommands()
            .filter(|inner| inner.get_name() != "help");
        let below = inner.flat_map(|inner| all(inner, &format!("{name} {}", inner.get_name())));
        let own = (name.to_owned(), command.clone());
        std::iter::once(own).chain(below).collect()
    }

    #[test]
    fn the_help_of_every_command_shows_its_own_options_before_the_global_ones() {
        let mut program = Cli::command();
        program.build();
        let commands = all(&program, "lookup-gitlab-sync");
        assert!(commands.len() > 15, "the commands are found");
        for (name, mut command) in commands {
            for help in [command.render_help(), command.render_long_help()] {
                let help = help.to_string();
                let heading = help
                    .find(&format!("\n{HEADING}:\n"))
                    .unwrap_or_else(|| panic!("{name} has no heading: {help}"));
                let (own, global) = help.split_at(heading);
                let global = global.split("\nExample").next().unwrap();
                let options = |text: &str| -> Vec<String> {
                    let words = text.lines().map(str::trim_start);
                    let words = words.filter(|line| line.starts_with('-'));
                    let option = |line: &str| line.split("--").nth(1).map(ToOwned::to_owned);
                    words
                        .filter_map(option)
                        .map(|option| option.split([' ', ',']).next().unwrap().to_owned())
                        .collect()
                };
                assert_eq!(
                    options(global),
                    ["config", "log-level", "log-format", "quiet"],
                    "{name}"
                );
                assert!(options(own).contains(&"help".to_owned()), "{name}");
                assert!(!options(own).contains(&"config".to_owned()), "{name}");
            }
        }
    }
}
