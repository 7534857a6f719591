//! Stages of the service as children, where nothing but their own settings matters.

use std::path::Path;

use crate::{command::isolated, process::ChildProcess};

/// `serve provisioning-api` on the database and for the portal at these addresses; it, and its own
/// address.
pub async fn provisioning_api(
    binary: &Path,
    database: &str,
    portal: &str,
) -> (ChildProcess, String) {
    let mut command = isolated(binary);
    command
        .args(["serve", "provisioning-api", "--log-format=json"])
        .env("PORT", "0")
        .env("DATABASE_URL", database)
        .env("PORTAL_URL", portal);
    let mut service = ChildProcess::spawn(&mut command);
    let port = service.port().await;
    (service, format!("http://127.0.0.1:{port}"))
}
