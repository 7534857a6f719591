//! Serves routes on a listener: so many connections at once, and none that takes for ever to say
//! what it wants.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The headers of a request have to be there in this time, and so has the next request on a
/// connection that is kept.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// A connection is closed after this time, whatever goes on: a client that reads nothing would have
/// its place for ever.
const LONGEST_LIFE: Duration = Duration::from_mins(10);
/// The pause after a connection that could not be accepted, such as for want of file descriptors.
const REFUSED_PAUSE: Duration = Duration::from_millis(200);

/// Answers on `routes` to at most `most` connections at once until `stop`, then lets those that are
/// answered finish. Who comes while there is no place waits in the system's queue.
///
/// # Errors
/// When the listener is gone.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    most: usize,
    stop: CancellationToken,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(most));
    let answered = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let answering = answer(stream, routes.clone(), stop.clone());
                answered.spawn(async move {
                    answering.await;
                    drop(place);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(event = "connection_not_accepted", %error);
                sleep(REFUSED_PAUSE).await;
            }
        }
    }
    drop(listener);
    answered.close();
    answered.wait().await;
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// The client went away again before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// What goes wrong on a connection is its client's business alone.
async fn answer(stream: TcpStream, routes: Router, stop: CancellationToken) {
    // Answers are small, and a client waits for each.
    drop(stream.set_nodelay(true));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut connection = std::pin::pin!(connection);
    let served = async {
        tokio::select! {
            served = &mut connection => return served,
            () = stop.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    drop(timeout(LONGEST_LIFE, served).await);
}
