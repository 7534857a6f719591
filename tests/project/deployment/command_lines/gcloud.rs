//! gcloud's own tree of commands and flags, which the SDK brings for the completion of its shells.

use std::{env, fs, path::PathBuf};

use serde_json::Value;

/// The tree of an installed SDK, and the number of its release.
pub struct CommandTree {
    root: Value,
    /// Such as 528.
    pub release: u32,
}

impl CommandTree {
    /// `None` where there is no `gcloud`, or one without the tree.
    pub fn find() -> Option<Self> {
        let sdk = sdk()?;
        let text = fs::read_to_string(sdk.join("data/cli/gcloud_completions.py")).ok()?;
        // It is Python, and after the assignment JSON.
        let (_, tree) = text.split_once("STATIC_COMPLETION_CLI_TREE = ")?;
        let version = fs::read_to_string(sdk.join("VERSION")).ok()?;
        Some(Self {
            root: serde_json::from_str(tree).unwrap(),
            release: version.split('.').next()?.trim().parse().unwrap(),
        })
    }

    /// What this gcloud has against the command, whose words begin with `gcloud`, with these flags.
    pub fn objection<'flag>(
        &self,
        command: &[String],
        flags: impl IntoIterator<Item = &'flag str>,
    ) -> Option<String> {
        let mut levels = vec![&self.root];
        for word in &command[1..] {
            let level = &levels[levels.len() - 1]["commands"][word];
            if level.is_null() {
                return Some(format!(
                    "gcloud {} has no command {word} in `{}`",
                    self.release,
                    command.join(" ")
                ));
            }
            levels.push(level);
        }
        flags
            .into_iter()
            .find(|flag| levels.iter().all(|level| level["flags"][flag].is_null()))
            .map(|flag| format!("`{}` has no flag {flag}", command.join(" ")))
    }
}

/// The folder that the `gcloud` of the path belongs to.
fn sdk() -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .find_map(|folder| folder.join("gcloud").canonicalize().ok())
        .and_then(|program| Some(program.parent()?.parent()?.to_owned()))
}
