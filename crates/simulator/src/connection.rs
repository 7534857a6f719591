//! Sockets that a fault can cut, so that a client meets a peer that vanished rather than an answer
//! that says so.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use super::control::lock;

/// How long a port that cannot be had again is waited for.
const AGAIN: Duration = Duration::from_millis(50);
/// Connections that wait to be accepted, as many as the standard library has.
const BACKLOG: u32 = 1024;

/// The connection a request came in on, as its handler sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientConnection {
    cut: Arc<AtomicBool>,
    outage: Outage,
    lives_in: u64,
}

impl ClientConnection {
    /// From now on nothing is read from or written to the client; the socket closes.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire) || self.outage.lives() != self.lives_in
    }
}

/// A server that ends and comes back: its connections are reset, and new ones refused for a while.
#[derive(Clone, Debug, Default)]
pub(super) struct Outage {
    inner: Arc<OutageState>,
}

#[derive(Debug, Default)]
struct OutageState {
    lives: AtomicU64,
    until: Mutex<Option<Instant>>,
    begun: Notify,
}

impl Outage {
    /// Ends the server now; it listens again after `time`.
    pub(super) fn begin(&self, time: Duration) {
        *lock(&self.inner.until) = Instant::now().checked_add(time);
        self.inner.lives.fetch_add(1, Ordering::AcqRel);
        self.inner.begun.notify_one();
    }

    fn lives(&self) -> u64 {
        self.inner.lives.load(Ordering::Acquire)
    }

    /// When it ends, if it has not.
    fn until(&self) -> Option<Instant> {
        let mut until = lock(&self.inner.until);
        *until = until.filter(|until| *until > Instant::now());
        *until
    }
}

/// A listener whose connections can be cut, and which can refuse them for a while.
pub(super) struct Sockets {
    listener: Option<TcpListener>,
    address: SocketAddr,
    outage: Outage,
}

impl Sockets {
    pub(super) fn new(listener: TcpListener, address: SocketAddr, outage: Outage) -> Self {
        Self {
            listener: Some(listener),
            address,
            outage,
        }
    }
}

impl Sockets {
    /// Refuses connections, and keeps the port meanwhile: it would be handed out to somebody else,
    /// who would answer in this server's place.
    async fn refuse_until(&mut self, until: Instant) {
        self.listener = None;
        let kept = keep(self.address);
        sleep_until(until).await;
        self.listener = kept.and_then(|kept| kept.listen(BACKLOG)).ok();
    }
}

/// A socket on `address` that refuses connections until it listens.
fn keep(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Former connections may linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    // Nobody else may bind it.
    socket.set_reuseaddr(false)?;
    Ok(socket)
}

impl Listener for Sockets {
    type Io = Socket;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Socket, SocketAddr) {
        loop {
            if let Some(until) = self.outage.until() {
                self.refuse_until(until).await;
            }
            let Some(listener) = &mut self.listener else {
                self.listener = keep(self.address)
                    .and_then(|kept| kept.listen(BACKLOG))
                    .ok();
                if self.listener.is_none() {
                    sleep(AGAIN).await;
                }
                continue;
            };
            let (stream, peer) = tokio::select! {
                accepted = Listener::accept(listener) => accepted,
                () = self.outage.inner.begun.notified() => continue,
            };
            // Small answers over a loopback would otherwise wait for the peer's delayed ack.
            let _ = stream.set_nodelay(true);
            let connection = ClientConnection {
                cut: Arc::default(),
                lives_in: self.outage.lives(),
                outage: self.outage.clone(),
            };
            return (Socket { stream, connection }, peer);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Connected<IncomingStream<'_, Sockets>> for ClientConnection {
    fn connect_info(stream: IncomingStream<'_, Sockets>) -> Self {
        stream.io().connection.clone()
    }
}

/// A stream that fails once its connection is cut.
pub(super) struct Socket {
    stream: TcpStream,
    connection: ClientConnection,
}

impl Socket {
    fn check(&self) -> io::Result<()> {
        if self.connection.is_cut() {
            // A reset, not an orderly end.
            let _ = self.stream.set_zero_linger();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
