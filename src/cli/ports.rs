//! The ports that `serve` listens on.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::Failure;
use crate::{
    config::ServeConfig,
    telemetry::{Health, Metrics, http::Server},
};

/// Of health and metrics beside a stage that is asked over HTTP.
const HEALTH: u16 = 8081;

const PORT: &str = "PORT (serve.port)";
const HEALTH_PORT: &str = "HEALTH_PORT (serve.health_port)";

/// The ports, and the setting that each comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    own: (u16, &'static str),
    public: Option<u16>,
}

impl Ports {
    /// As configured; `asked` where a stage is asked over HTTP, which has the public port for itself.
    ///
    /// # Errors
    /// Where both are one.
    pub fn of(serve: &ServeConfig, asked: bool) -> Result<Self, Failure> {
        let own = match (serve.health_port, asked, serve.port) {
            (Some(port), _, _) => (port, HEALTH_PORT),
            (None, true, 0) => (0, HEALTH_PORT),
            (None, true, _) => (HEALTH, HEALTH_PORT),
            (None, false, port) => (port, PORT),
        };
        let public = asked.then_some(serve.port);
        if public == Some(own.0) && own.0 > 0 {
            return Err(Failure::usage(format!(
                "port {} is to be public and to say how the process is: set {PORT} and {HEALTH_PORT} to different ports",
                own.0
            )));
        }
        Ok(Self { own, public })
    }

    /// Takes the port of health and metrics.
    pub async fn server(self, health: &Health) -> Result<Server, Failure> {
        let (port, setting) = self.own;
        let server = Server::bind(everywhere(port), health.clone(), Metrics::install()?).await;
        Ok(server.with_context(|| taken(port, setting))?)
    }

    /// Takes the port of the stages that are asked, if any is.
    pub async fn listener(self) -> Result<Option<TcpListener>, Failure> {
        let Some(port) = self.public else {
            return Ok(None);
        };
        let listener = TcpListener::bind(everywhere(port)).await;
        Ok(Some(listener.with_context(|| taken(port, PORT))?))
    }
}

fn everywhere(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))
}

fn taken(port: u16, setting: &str) -> String {
    format!("cannot listen on port {port}: set {setting} to a free one")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::users(8080, None, false, 8080, None)]
    #[case::users_apart(8080, Some(9090), false, 9090, None)]
    #[case::portal(8080, None, true, 8081, Some(8080))]
    #[case::portal_apart(8080, Some(9090), true, 9090, Some(8080))]
    #[case::any(0, None, true, 0, Some(0))]
    #[case::any_twice(0, Some(0), true, 0, Some(0))]
    fn health_is_on_a_port_of_its_own_beside_a_public_one(
        #[case] port: u16,
        #[case] health_port: Option<u16>,
        #[case] asked: bool,
        #[case] own: u16,
        #[case] public: Option<u16>,
    ) {
        let serve = ServeConfig {
            port,
            health_port,
            ..ServeConfig::default()
        };
        let ports = Ports::of(&serve, asked).unwrap();
        assert_eq!((ports.own.0, ports.public), (own, public));
    }

    #[test]
    fn one_port_cannot_be_both() {
        let serve = ServeConfig {
            port: 8081,
            ..ServeConfig::default()
        };
        let told = Ports::of(&serve, true).unwrap_err().to_string();
        assert!(
            told.contains("PORT") && told.contains("HEALTH_PORT"),
            "{told}"
        );
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_told_with_the_setting_it_comes_from() {
        let taken = TcpListener::bind(everywhere(0)).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let serve = ServeConfig {
            port,
            health_port: Some(0),
            ..ServeConfig::default()
        };
        let ports = Ports::of(&serve, true).unwrap();
        let told = ports.listener().await.unwrap_err().to_string();
        let said = format!("cannot listen on port {port}: set PORT (serve.port) to a free one");
        assert!(told.contains(&said), "{told}");
    }
}
