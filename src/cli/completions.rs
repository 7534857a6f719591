//! `completions`: what a shell needs to complete commands, flags and their values.

use clap::{CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use super::{Cli, Failure, output};

/// Prints a script with which a shell completes commands and flags
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync completions bash > lookup-gitlab-sync.bash")]
pub struct Args {
    /// Whose script
    #[arg(value_enum)]
    shell: Name,
}

/// A shell by its name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    /// For `source` in ~/.bashrc, or a file in /usr/share/bash-completion/completions
    Bash,
    /// For a file _lookup-gitlab-sync in a folder of $fpath
    Zsh,
    /// For a file in ~/.config/fish/completions
    Fish,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Failure> {
        let shell = match self.shell {
            Name::Bash => Shell::Bash,
            Name::Zsh => Shell::Zsh,
            Name::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        generate(
            shell,
            &mut Cli::command(),
            "lookup-gitlab-sync",
            &mut script,
        );
        Ok(output::say(String::from_utf8(script)?.trim_end())?)
    }
}
