//! The ports that `serve` listens on.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use tokio::net::TcpListener;

use super::error::AppError;
use crate::{
    config::ServeConfig,
    telemetry::{HealthChecks, Metrics, http::HttpServer},
};

/// Of health and metrics beside a stage that is public over HTTP.
const HEALTH: u16 = 8081;

const PORT: &str = "PORT (serve.port)";
const HEALTH_PORT: &str = "HEALTH_PORT (serve.health_port)";

/// The ports, and the setting that each comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListenPorts {
    own: (u16, &'static str),
    public: Option<u16>,
}

impl ListenPorts {
    /// As configured; `is_public` where a stage is called over HTTP, which has the public port for
    /// itself.
    ///
    /// # Errors
    /// Where both are one.
    pub fn of(serve: &ServeConfig, is_public: bool) -> Result<Self, AppError> {
        let own = match (serve.health_port, is_public, serve.port) {
            (Some(port), _, _) => (port, HEALTH_PORT),
            (None, true, 0) => (0, HEALTH_PORT),
            (None, true, _) => (HEALTH, HEALTH_PORT),
            (None, false, port) => (port, PORT),
        };
        let public = is_public.then_some(serve.port);
        if public == Some(own.0) && own.0 > 0 {
            return Err(AppError::SharedPort {
                port: own.0,
                public: PORT,
                health: HEALTH_PORT,
            });
        }
        Ok(Self { own, public })
    }

    /// Takes the port of health and metrics.
    pub async fn server(self, health: &HealthChecks) -> Result<HttpServer, AppError> {
        let (port, setting) = self.own;
        let server = HttpServer::bind(everywhere(port), health.clone(), Metrics::install()?).await;
        server.map_err(taken(port, setting))
    }

    /// Takes the port of the stages that are public, if any is.
    pub async fn listener(self) -> Result<Option<TcpListener>, AppError> {
        let Some(port) = self.public else {
            return Ok(None);
        };
        let listener = TcpListener::bind(everywhere(port)).await;
        Ok(Some(listener.map_err(taken(port, PORT))?))
    }
}

fn everywhere(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))
}

fn taken(port: u16, setting: &'static str) -> impl FnOnce(io::Error) -> AppError {
    move |source| AppError::Listen {
        port,
        setting,
        source,
    }
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
        #[case] is_public: bool,
        #[case] own: u16,
        #[case] public: Option<u16>,
    ) {
        let serve = ServeConfig {
            port,
            health_port,
            ..ServeConfig::default()
        };
        let ports = ListenPorts::of(&serve, is_public).unwrap();
        assert_eq!((ports.own.0, ports.public), (own, public));
    }

    #[test]
    fn one_port_cannot_be_both() {
        let serve = ServeConfig {
            port: 8081,
            ..ServeConfig::default()
        };
        let told = ListenPorts::of(&serve, true).unwrap_err().to_string();
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
        let ports = ListenPorts::of(&serve, true).unwrap();
        let told = ports.listener().await.unwrap_err().to_string();
        let said = format!("cannot listen on port {port}: set PORT (serve.port) to a free one");
        assert!(told.contains(&said), "{told}");
    }
}
