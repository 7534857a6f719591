//! What a shell offers when somebody presses the tab key, in the real shells.

use std::{path::Path, process::Stdio};

use clap::{Arg, CommandFactory};
use lookup_gitlab_sync::cli::Cli;
use tempfile::TempDir;
use tokio::process::Command;

/// A line as far as it is typed, and some of what must be offered for its last word.
const TYPED: [(&str, &[&str]); 8] = [
    ("to", &["topology"]),
    ("dead-letters ", &["list", "show", "replay", "discard"]),
    ("dead-letters re", &["replay"]),
    ("dead-letters replay --re", &["--reason"]),
    ("tick --max-b", &["--max-block-percent"]),
    ("tick --output ", &["table", "json", "csv"]),
    ("serve user", &["user-worker"]),
    ("topology ", &["apply", "check"]),
];

/// A folder with the program on its path and its scripts.
struct ShellFolder(TempDir);

impl ShellFolder {
    async fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let program = folder.path().join("lookup-gitlab-sync");
        std::os::unix::fs::symlink(testkit::service_binary!(), program).unwrap();
        for (shell, file) in [
            ("bash", "lookup-gitlab-sync.bash"),
            ("zsh", "_lookup-gitlab-sync"),
            ("fish", "lookup-gitlab-sync.fish"),
        ] {
            let script = folder
                .said(&format!("lookup-gitlab-sync completions {shell}"), "sh")
                .await;
            std::fs::write(folder.path().join(file), script).unwrap();
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// What `script` prints in `shell`.
    async fn said(&self, script: &str, shell: &str) -> String {
        let mut command = Command::new(shell);
        command
            .args(["-c", script])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.path().display()))
            .env("HOME", self.path())
            .env("TERM", "dumb")
            .current_dir(self.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = command.output().await.unwrap();
        assert!(
            output.stderr.is_empty(),
            "{shell}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Whether `shell` is there. A machine without it tests less, and says so.
#[expect(
    clippy::print_stderr,
    reason = "a shell that is missing narrows the test and is told"
)]
async fn has(shell: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {shell}")])
        .stdout(Stdio::null())
        .status()
        .await;
    let found = found.unwrap().success();
    if !found {
        eprintln!("skipped: {shell} is not installed");
    }
    found
}

/// Asks bash's own registration, as its line editor does, for what the last word may become.
async fn bash(folder: &ShellFolder, typed: &str) -> Vec<String> {
    let script = format!(
        "source lookup-gitlab-sync.bash\n\
         COMP_LINE='lookup-gitlab-sync {typed}'\n\
         COMP_POINT=${{#COMP_LINE}}\n\
         read -ra COMP_WORDS <<< \"$COMP_LINE\"\n\
         [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')\n\
         COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))\n\
         function=$(complete -p lookup-gitlab-sync | sed 's/.* -F \\([^ ]*\\) .*/\\1/')\n\
         $function lookup-gitlab-sync \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    words(&folder.said(&script, "bash").await)
}

/// Types the line into an interactive zsh on a terminal of its own and lists what its completion
/// system offers.
async fn zsh(folder: &ShellFolder, typed: &str) -> Vec<String> {
    // `compadd` is what every completion ends in; with -O it tells the matches and offers none.
    let script = format!(
        "zmodload zsh/zpty\n\
         zpty z zsh -f -i\n\
         zpty -w z \"PS1=; fpath=($PWD \\$fpath); autoload -Uz compinit; compinit -u -d $PWD/dump\"\n\
         zpty -w z 'compadd() {{ local -a offered; builtin compadd -O offered \"$@\"; \
         print -rl -- $offered >> {file}; builtin compadd \"$@\" }}'\n\
         zpty -w z 'tell() {{ compstate[insert]=; compstate[list]=; print -r -- END >> {file} }}; \
         comppostfuncs=(tell)'\n\
         zpty -w z \"bindkey '^T' complete-word; print -r -- READY >> {file}\"\n\
         until grep -q READY {file} 2>/dev/null; do sleep 0.05; done\n\
         zpty -n -w z $'lookup-gitlab-sync {typed}\\t'\n\
         until grep -q END {file}; do sleep 0.05; done\n\
         zpty -d z\n\
         cat {file}",
        file = folder.path().join("offered").display()
    );
    let told = folder.said(&script, "zsh").await;
    std::fs::remove_file(folder.path().join("offered")).unwrap();
    words(&told)
}

async fn fish(folder: &ShellFolder, typed: &str) -> Vec<String> {
    let script =
        format!("source lookup-gitlab-sync.fish; complete -C 'lookup-gitlab-sync {typed}'");
    // A description follows each word.
    words(&folder.said(&script, "fish").await)
        .iter()
        .filter_map(|line| line.split('\t').next())
        .map(str::to_owned)
        .collect()
}

fn words(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

fn offers(shell: &str, typed: &str, offered: &[String], wanted: &[&str]) {
    for word in wanted {
        assert!(
            offered.iter().any(|offer| offer == word),
            "{shell}: `{typed}` lacks {word}: {offered:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bash_completes_every_word_of_a_line() {
    let folder = ShellFolder::new().await;
    for (typed, wanted) in TYPED {
        offers("bash", typed, &bash(&folder, typed).await, wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bash_knows_the_flags_of_every_command() {
    let folder = ShellFolder::new().await;
    let mut cli = Cli::command();
    cli.build();
    let mut commands = Vec::new();
    collect(&cli, "", &mut commands);
    assert!(commands.len() > 15, "{commands:?}");
    for (path, flags) in commands {
        let typed = format!("{path} --");
        let wanted: Vec<&str> = flags.iter().map(String::as_str).collect();
        offers("bash", &typed, &bash(&folder, &typed).await, &wanted);
    }
}

fn collect(command: &clap::Command, above: &str, found: &mut Vec<(String, Vec<String>)>) {
    for inner in command.get_subcommands() {
        if inner.get_name() == "help" {
            continue;
        }
        let path = format!("{above} {}", inner.get_name()).trim().to_owned();
        let flag = |arg: &Arg| arg.get_long().map(|long| format!("--{long}"));
        let flags = inner.get_arguments().filter(|arg| !arg.is_hide_set());
        found.push((path.clone(), flags.filter_map(flag).collect()));
        collect(inner, &path, found);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zsh_completes_every_word_of_a_line() {
    if !has("zsh").await {
        return;
    }
    let folder = ShellFolder::new().await;
    for (typed, wanted) in TYPED {
        offers("zsh", typed, &zsh(&folder, typed).await, wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fish_completes_every_word_of_a_line() {
    if !has("fish").await {
        return;
    }
    let folder = ShellFolder::new().await;
    for (typed, wanted) in TYPED {
        offers("fish", typed, &fish(&folder, typed).await, wanted);
    }
}
