//! The binary `lookup-gitlab-sync`.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use lookup_gitlab_sync::{
    cli::{self, Cli, CommandFailure},
    telemetry::panics,
};

fn main() -> ExitCode {
    panics::log_without_what_they_met();
    let cli = cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where standard error is gone too, the exit code is all that is left to say.
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::from(&failure)
        }
    }
}

fn run(cli: Cli) -> Result<(), CommandFailure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = cli.threads() {
        builder.worker_threads(threads);
    }
    let runtime = builder.enable_all().build()?;
    let result = runtime.block_on(cli::run(cli));
    // A blocking read that nobody waits for any more must not keep the process alive.
    runtime.shutdown_background();
    result
}
