//! `config check` and `config show`.

mod connection_checks;

use clap::Subcommand;
use serde::Serialize;

use super::common::{
    failure::CommandFailure,
    output::{self, OutputFormat, OutputRow},
};
use crate::{
    app::context::ProcessContext,
    config::{AnyConfig, EffectiveSetting, ReadingConfig},
};

/// Checks the configuration, or shows what is in effect
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync config check")]
pub struct ConfigArgs {
    #[command(subcommand)]
    action: ConfigAction,
}

#[derive(Debug, Subcommand)]
enum ConfigAction {
    /// Tells every mistake of the configuration; exit code 78 if there is any
    ///
    /// GitLab and the directory have to be there. Pub/Sub may be missing, since reading commands do
    /// without; `check` says so.
    #[command(after_help = "Example:\n  lookup-gitlab-sync config check --connect")]
    Check {
        /// Also asks GitLab what each token may do, and what it lacks
        #[arg(long)]
        connect: bool,
        /// How the tokens are printed
        #[arg(long, value_enum, default_value_t, requires = "connect")]
        output: OutputFormat,
    },
    /// Shows every key, its effective value with secrets redacted, and where the value came from
    #[command(after_help = "Example:\n  lookup-gitlab-sync config show --output json")]
    Show {
        /// How it is printed
        #[arg(long, value_enum, default_value_t)]
        output: OutputFormat,
    },
}

impl ConfigArgs {
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        match self.action {
            ConfigAction::Check { connect: false, .. } => Ok(output::say(check(context)?)?),
            ConfigAction::Check {
                connect: true,
                output,
            } => {
                output::note(check(context)?)?;
                let config: ReadingConfig = context.start(false)?;
                connection_checks::check(&config, output).await
            }
            ConfigAction::Show { output } => show(context, output),
        }
    }
}

fn check(context: &ProcessContext) -> Result<&'static str, CommandFailure> {
    let config: ReadingConfig = context.load()?.config;
    Ok(match config.pubsub {
        Some(_) => "the configuration is good",
        None => {
            "the configuration is sufficient for commands that only read GitLab and the directory, such as plan and explain; \
             stages and messages need pubsub.project"
        }
    })
}

fn show(context: &ProcessContext, output: OutputFormat) -> Result<(), CommandFailure> {
    let loaded = context.load()?;
    let _: &AnyConfig = &loaded.config;
    output::print(
        output,
        &loaded
            .settings
            .iter()
            .map(SettingLine::from)
            .collect::<Vec<_>>(),
    )?;
    Ok(())
}

#[derive(Serialize)]
struct SettingLine<'s> {
    key: &'s str,
    value: Option<&'s serde_json::Value>,
    source: String,
}

impl<'s> From<&'s EffectiveSetting> for SettingLine<'s> {
    fn from(setting: &'s EffectiveSetting) -> Self {
        Self {
            key: &setting.key,
            value: setting.value.as_ref(),
            source: setting.origin.to_string(),
        }
    }
}

impl OutputRow for SettingLine<'_> {
    const COLUMNS: &'static [&'static str] = &["key", "value", "source"];
    const SENTENCES: &'static [&'static str] = &["value", "source"];

    fn cells(&self) -> Vec<String> {
        let value = match self.value {
            None => "(not set)".to_owned(),
            Some(serde_json::Value::String(text)) if !text.is_empty() => text.clone(),
            Some(value) => value.to_string(),
        };
        vec![self.key.to_owned(), value, self.source.clone()]
    }
}
