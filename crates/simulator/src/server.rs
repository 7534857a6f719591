//! One HTTP server on a loopback port, from bind to graceful stop.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::Router;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::connection::{ClientConnection, Outage, Sockets};

/// A port that is bound but not yet served, so that the handlers can know their own address.
pub(super) struct BoundListener {
    listener: TcpListener,
    address: SocketAddr,
    outage: Outage,
}

impl BoundListener {
    /// Binds `port` of `bind`, or of 127.0.0.1; port 0 takes a free one.
    pub(super) async fn new(bind: Option<IpAddr>, port: u16) -> io::Result<Self> {
        let bind = bind.unwrap_or(Ipv4Addr::LOCALHOST.into());
        let listener = TcpListener::bind((bind, port)).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            outage: Outage::default(),
        })
    }

    /// What ends the server for a while.
    pub(super) fn outage(&self) -> Outage {
        self.outage.clone()
    }

    /// `http://127.0.0.1:port`, without a slash at the end.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves until `stopping` is cancelled or the answer is dropped.
    pub(super) fn serve(self, router: Router, stopping: CancellationToken) -> ServerTask {
        let service = router.into_make_service_with_connect_info::<ClientConnection>();
        let sockets = Sockets::new(self.listener, self.address, self.outage);
        let stopped = stopping.clone().cancelled_owned();
        let served = axum::serve(sockets, service).with_graceful_shutdown(stopped);
        let task = tokio::spawn(async move { served.await });
        ServerTask {
            address: self.address,
            task,
            stopping: stopping.drop_guard(),
        }
    }
}

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct ServerTask {
    address: SocketAddr,
    task: JoinHandle<io::Result<()>>,
    stopping: DropGuard,
}

impl ServerTask {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new connection, lets the requests under way end, and returns when the last is
    /// answered.
    ///
    /// # Errors
    ///
    /// When the server's task failed or panicked.
    pub async fn stop(self) -> io::Result<()> {
        drop(self.stopping);
        self.task.await.map_err(io::Error::other)?
    }
}
