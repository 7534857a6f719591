//! Between the service and its Pub/Sub: cuts every connection, or is away for a while, as a broker
//! is that is started again. What was leased stays leased, and nothing that was confirmed is lost.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// Forwards to one address; it ends when it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    host: String,
    state: Arc<Mutex<ProxyState>>,
    accepting: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct ProxyState {
    /// Cancelled, it ends the connections there are; those to come have another.
    connections: CancellationToken,
    away: bool,
    /// Connections that are taken and never answered, while it is silent.
    silent: Option<Vec<TcpStream>>,
}

impl FaultProxy {
    /// On a port of its own, to that address.
    pub async fn to(broker: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(ProxyState::default()));
        let accepting = tokio::spawn(accept(listener, broker, Arc::clone(&state)));
        Self {
            host,
            state,
            accepting,
        }
    }

    /// Its own address, the form of `PUBSUB_EMULATOR_HOST`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// From now on takes every connection and answers nothing, as the way out of a network does that
    /// is still being made.
    pub fn hush(&self) {
        self.state.lock().unwrap().silent = Some(Vec::new());
        self.cut();
    }

    /// Ends that, and resets what was taken meanwhile.
    pub fn speak(&self) {
        self.state.lock().unwrap().silent = None;
    }

    /// Resets every connection there is.
    pub fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        std::mem::take(&mut state.connections).cancel();
    }

    /// Resets every connection, and each that is tried, for so long.
    pub async fn away(&self, pause: Duration) {
        self.state.lock().unwrap().away = true;
        self.cut();
        sleep(pause).await;
        self.state.lock().unwrap().away = false;
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, broker: String, state: Arc<Mutex<ProxyState>>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        // So that closing is a reset, and what is on its way is lost.
        client.set_zero_linger().unwrap();
        let (connections, away) = {
            let mut state = state.lock().unwrap();
            if let Some(taken) = &mut state.silent {
                taken.push(client);
                continue;
            }
            (state.connections.clone(), state.away)
        };
        if !away {
            tokio::spawn(connections.run_until_cancelled_owned(forward(client, broker.clone())));
        }
    }
}

async fn forward(mut client: TcpStream, broker: String) {
    let mut server = TcpStream::connect(broker).await.unwrap();
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    server.set_zero_linger().unwrap();
    // An error is a connection that somebody closed.
    drop(copy_bidirectional(&mut client, &mut server).await);
}
