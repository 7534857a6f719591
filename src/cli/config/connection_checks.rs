//! `config check --connect`: asks every system whether the service can work there. Changes nothing.

mod databases;
mod directory;
mod identity;
mod listing;
mod pubsub;
mod tokens;

use serde::Serialize;

use crate::{
    app::clients::UserClients,
    cli::common::{
        failure::{CommandFailure, ExitReason},
        output::{self, OutputFormat, OutputRow},
        progress::WorkProgress,
    },
    config::{ReadingConfig, SweepKind},
    directory::Crsid,
    gitlab::Client,
};

/// Asks all systems that `config` names, prints what each check found, and fails where the service
/// could not work.
pub(super) async fn check(
    config: &ReadingConfig,
    output: OutputFormat,
) -> Result<(), CommandFailure> {
    let mut report = ConnectionReport::start(output);
    let sees_users = tokens::check(&config.gitlab, config.mode, &mut report).await?;
    let clients = UserClients::for_reading(config)?;
    if sees_users {
        version(&clients.reader, &mut report).await;
        let people = listing::check(&clients, &mut report).await;
        if config.sweep.kind == SweepKind::Light {
            listing::check_light(&clients, &mut report).await;
        }
        directory::check(&clients, &config.controls, &people, &mut report).await;
    } else {
        report.skip("gitlab listing", "a token that reads users");
        directory::check(&clients, &config.controls, &[], &mut report).await;
    }
    pubsub::check(config, &mut report).await;
    databases::check(&config.namespaces, &mut report).await;
    identity::check(&config.namespaces, &mut report).await;
    report.finish(output)
}

async fn version(gitlab: &Client, report: &mut ConnectionReport) {
    report.begin("GitLab's version");
    match gitlab.version().await {
        Ok(version) => report.ok("gitlab version", version),
        Err(error) => report.warn("gitlab version", error.what(), error.to_string()),
    }
    if gitlab.is_without_clock() {
        report.warn(
            "gitlab clock",
            "its answers do not say what time it is",
            "put GitLab behind its usual front end; until then the directory's answers are compared, if they say it",
        );
    } else {
        report.ok("gitlab clock", "within five minutes of this machine's");
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum CheckResult {
    /// As the service needs it.
    Ok,
    /// The service works; somebody should look.
    Warning,
    /// The service does not work.
    Failed,
    /// Something that it needs failed already.
    Skipped,
}

impl CheckResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One check, and what it found.
#[derive(Serialize)]
struct CheckLine {
    check: String,
    result: CheckResult,
    finding: String,
    remedy: Option<String>,
}

/// The checks so far.
struct ConnectionReport {
    lines: Vec<CheckLine>,
    exit: Option<ExitReason>,
    progress: WorkProgress,
}

impl ConnectionReport {
    fn start(output: OutputFormat) -> Self {
        Self {
            lines: Vec::new(),
            exit: None,
            progress: WorkProgress::told(output, "checking the connections"),
        }
    }

    /// Shows what is being asked about.
    fn begin(&self, what: &str) {
        self.progress.tell(format_args!("checking {what}"));
    }

    fn add(
        &mut self,
        check: impl Into<String>,
        result: CheckResult,
        finding: impl Into<String>,
        remedy: Option<String>,
    ) {
        self.lines.push(CheckLine {
            check: check.into(),
            result,
            finding: finding.into(),
            remedy,
        });
    }

    fn ok(&mut self, check: impl Into<String>, finding: impl Into<String>) {
        self.add(check, CheckResult::Ok, finding, None);
    }

    fn warn(
        &mut self,
        check: impl Into<String>,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(check, CheckResult::Warning, finding, Some(remedy.into()));
    }

    fn skip(&mut self, check: impl Into<String>, needs: &str) {
        let finding = format!("it needs {needs}");
        self.add(check, CheckResult::Skipped, finding, None);
    }

    /// The exit code is that of the first failure.
    fn fail(
        &mut self,
        exit: ExitReason,
        check: impl Into<String>,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.exit.get_or_insert(exit);
        self.add(check, CheckResult::Failed, finding, Some(remedy.into()));
    }

    /// A call that got no usable answer; its text says what to do.
    fn fail_with(&mut self, check: impl Into<String>, failure: &CommandFailure) {
        let text = failure.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let (what, causes) = text.split_once('\n').unwrap_or((text, ""));
        let causes: Vec<_> = causes.lines().map(str::trim).collect();
        self.exit.get_or_insert(failure.exit());
        let causes = (!causes.is_empty()).then(|| causes.join("; "));
        self.add(check, CheckResult::Failed, what, causes);
    }

    fn finish(self, output: OutputFormat) -> Result<(), CommandFailure> {
        let Self {
            lines,
            exit,
            progress,
        } = self;
        drop(progress);
        output::print(output, &lines)?;
        let count = |result| lines.iter().filter(|line| line.result == result).count();
        let failed = count(CheckResult::Failed);
        output::note(&format!(
            "{} checks: {failed} failed, {} with a warning",
            lines.len(),
            count(CheckResult::Warning)
        ))?;
        match exit {
            None => Ok(()),
            Some(exit) => Err(CommandFailure::new(
                exit,
                anyhow::anyhow!("the service cannot work like this: see what failed above"),
            )),
        }
    }
}

impl OutputRow for CheckLine {
    const COLUMNS: &'static [&'static str] = &["check", "result", "finding", "remedy"];
    const IN_TABLES: usize = 3;
    const SENTENCES: &'static [&'static str] = &["finding"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.check.clone(),
            self.result.as_str().to_owned(),
            self.finding.clone(),
            self.remedy.clone().unwrap_or_default(),
        ]
    }

    fn detail(&self) -> Option<String> {
        self.remedy.clone()
    }
}

/// So many people are enough to see whether the directory knows the members.
const SAMPLE: usize = 100;

/// Some members of GitLab.
type MemberSample = Vec<Crsid>;
