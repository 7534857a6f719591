//! `completions`: what a shell needs to complete commands, flags and their values.

use std::{fmt::Write as _, string::FromUtf8Error};

use clap::{Arg, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use super::{Cli, CommandFailure, common::output};

/// Prints a script with which a shell completes commands and flags
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync completions bash > lookup-gitlab-sync.bash")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: ShellName,
}

/// A shell by its name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShellName {
    /// For `source` in ~/.bashrc, or a file in /usr/share/bash-completion/completions
    Bash,
    /// For a file _lookup-gitlab-sync in a folder of $fpath
    Zsh,
    /// For a file in ~/.config/fish/completions
    Fish,
}

const PROGRAM: &str = "lookup-gitlab-sync";

impl CompletionsArgs {
    pub(super) fn run(self) -> Result<(), CommandFailure> {
        let script = match self.shell {
            ShellName::Bash => bash()?,
            ShellName::Zsh => script(Shell::Zsh, PROGRAM)?,
            ShellName::Fish => fish()?,
        };
        Ok(output::say(script.trim_end())?)
    }
}

fn script(shell: Shell, program: &str) -> Result<String, FromUtf8Error> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), program, &mut script);
    String::from_utf8(script)
}

/// `clap_complete` 4.6 spells a hyphen of the program's name in two ways, `__` where its script
/// remembers the words so far and `__subcmd__` where it looks them up, so that it finds nothing
/// below the first word. A name without hyphens has one spelling; only the last word of the line
/// that tells bash whose script it is has to be the true name.
fn bash() -> Result<String, FromUtf8Error> {
    let unhyphenated = PROGRAM.replace('-', "_");
    let script = script(Shell::Bash, &unhyphenated)?;
    Ok(script.replace(&format!(" {unhyphenated}\n"), &format!(" {PROGRAM}\n")))
}

/// `clap_complete` 4.6 tells fish the values of flags and not those of words without one, such as a
/// stage's name.
fn fish() -> Result<String, FromUtf8Error> {
    let mut script = script(Shell::Fish, PROGRAM)?;
    let function = PROGRAM.replace('-', "_");
    let cli = Cli::command();
    for command in cli.get_subcommands() {
        let words = command.get_positionals().flat_map(Arg::get_possible_values);
        for word in words.filter(|word| !word.is_hide_set()) {
            let help = word.get_help().map(ToString::to_string).unwrap_or_default();
            // Memory does not fail to be written.
            let _ = writeln!(
                script,
                "complete -c {PROGRAM} -n \"__fish_{function}_using_subcommand {}\" -f -a {} -d '{}'",
                command.get_name(),
                word.get_name(),
                help.replace('\\', r"\\").replace('\'', r"\'"),
            );
        }
    }
    Ok(script)
}
