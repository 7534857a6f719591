//! (g) A run under a limit of two requests a second, past which GitLab answers 429.

use crate::{
    calls::number,
    figures::Row,
    servers::{Servers, Settings},
    service::Service,
};

const PER_MINUTE: u32 = 120;

/// With the limit in the configuration, and with the headers of GitLab's answers alone.
pub async fn measure(users: usize) -> Vec<Row> {
    let told = (
        "LOOKUP_GITLAB_SYNC__GITLAB__CALLS__REQUESTS_PER_MINUTE",
        "120",
    );
    vec![
        one_run("configured", users, &[told]).await,
        one_run("learned", users, &[]).await,
    ]
}

async fn one_run(subject: &str, users: usize, extra: &[(&str, &str)]) -> Row {
    let settings = Settings {
        requests_per_minute: Some(PER_MINUTE),
        ..Settings::of(users, 0)
    };
    let servers = Servers::start(settings).await;
    let (service, _) = Service::start(&servers, &[], extra).await;
    servers.forget().await;
    let took = service.run(&servers).await;
    servers.check_end().await;
    let asked = servers.gitlab_asked().await;
    let refused = asked
        .iter()
        .filter(|asked| asked.status == Some(429))
        .count();
    let bound = number(asked.len()) * 60.0 / f64::from(PER_MINUTE);
    println!(
        "  {subject}: {} requests in {took:.1?}, {refused} refused; {bound:.1} s at the limit",
        asked.len()
    );
    Row::of(subject)
        .users(users)
        .with("seconds", took.as_secs_f64())
        .with("requests", number(asked.len()))
        .with("seconds at the limit", bound)
        .with("429s", number(refused))
}
