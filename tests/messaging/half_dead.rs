//! A proxy that can be made half-dead: it goes on to accept connections and to acknowledge what is
//! sent over them, and forwards nothing of it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
    task::JoinSet,
};

/// Stands between a client and a server.
pub struct Proxy {
    address: SocketAddr,
    /// Connections up to this one are dead.
    dead: watch::Sender<usize>,
    /// Connections up to this one are cut off.
    cut: watch::Sender<usize>,
    accepted: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Proxy {
    /// Before the server at `host`.
    pub async fn before(host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (dead, _) = watch::channel(0);
        let (cut, _) = watch::channel(0);
        let accepted = Arc::new(AtomicUsize::new(0));
        let mut serving = JoinSet::new();
        serving.spawn(serve(
            listener,
            host.to_owned(),
            Arc::clone(&accepted),
            dead.clone(),
            cut.clone(),
        ));
        Self {
            address,
            dead,
            cut,
            accepted,
            _serving: serving,
        }
    }

    /// `127.0.0.1:port`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// How many connections there have been.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Forwards nothing more over the connections there have been so far. They stay open.
    pub fn kill_all(&self) {
        self.dead.send_replace(self.accepted());
    }

    /// Forwards nothing more over any connection, new ones included.
    pub fn kill_all_to_come(&self) {
        self.dead.send_replace(usize::MAX);
    }

    /// Ends the dead connections, which the server notices then.
    pub fn cut_dead(&self) {
        self.cut.send_replace(*self.dead.borrow());
    }
}

async fn serve(
    listener: TcpListener,
    host: String,
    accepted: Arc<AtomicUsize>,
    dead: watch::Sender<usize>,
    cut: watch::Sender<usize>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let number = accepted.fetch_add(1, Ordering::SeqCst) + 1;
        let (host, dead, mut cut) = (host.clone(), dead.subscribe(), cut.subscribe());
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(host).await else {
                return;
            };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let forwarding = async {
                tokio::join!(
                    forward(from_client, to_server, number, dead.clone()),
                    forward(from_server, to_client, number, dead),
                )
            };
            tokio::select! {
                _ = forwarding => {}
                _ = cut.wait_for(|cut| *cut >= number) => {}
            }
        });
    }
}

/// Reads to the end, and writes as long as the connection lives. A half that was written to stays
/// open when it is dead.
async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    number: usize,
    dead: watch::Receiver<usize>,
) {
    let mut buffer = Vec::with_capacity(64 * 1024);
    loop {
        buffer.clear();
        let read = from.read_buf(&mut buffer).await;
        let is_dead = *dead.borrow() >= number;
        match read {
            // The other side is told nothing.
            Ok(0) | Err(_) if is_dead => std::future::pending().await,
            Ok(0) | Err(_) => return,
            Ok(_) if is_dead => {}
            Ok(_) => {
                if to.write_all(&buffer).await.is_err() {
                    return;
                }
            }
        }
    }
}
