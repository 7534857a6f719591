//! Whom the credentials are sent to.

use std::sync::{Arc, Mutex};

use simulator::{
    control::InjectedFault,
    gitlab::{ADMINISTRATORS_TOKEN, SimulatedUser},
    lookup::SimulatedPerson,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::recorded::RecordedEnvironment;

/// Somebody who listens, and what they heard.
struct Stranger {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Stranger {
    async fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let ear = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let ear = Arc::clone(&ear);
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                        ear.lock().unwrap().extend_from_slice(&buffer[..count]);
                        let _ = stream
                            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                            .await;
                    }
                });
            }
        });
        Self { port, heard }
    }

    fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }
}

async fn stage() -> RecordedEnvironment {
    RecordedEnvironment::of(
        vec![SimulatedUser::new(42, "spqr1")],
        vec![SimulatedPerson::current("spqr1", "Somebody")],
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_by_any_call_of_any_upstream() {
    let stage = stage().await;
    let stranger = Stranger::new().await;
    for status in [301, 302, 303, 307, 308] {
        let target = format!("http://127.0.0.1:{}/elsewhere", stranger.port);
        let moved = InjectedFault {
            status: Some(status),
            headers: [("location".to_owned(), target)].into(),
            ..InjectedFault::on("*", "*")
        };
        for upstream in [
            stage.servers.gitlab.control(),
            stage.servers.lookup.control(),
        ] {
            upstream.inject(moved.clone()).unwrap();
            let output = stage.run(&["explain", "spqr1"], &[]).await;
            assert_eq!(output.status.code(), Some(4), "{status}");
            stage.heal();
        }
    }
    assert_eq!(stranger.heard(), b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_prove_to_be_the_host_of_an_https_address_is_told_nothing() {
    let stage = stage().await;
    let stranger = Stranger::new().await;
    let address = format!("https://127.0.0.1:{}", stranger.port);
    let output = stage.run(&["plan"], &[("GITLAB_URL", &address)]).await;
    assert_eq!(output.status.code(), Some(4));
    let heard = stranger.heard();
    assert_eq!(heard.first(), Some(&22), "a TLS handshake");
    assert!(!contains(&heard, ADMINISTRATORS_TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_not_shown_what_goes_to_this_machine_in_the_clear() {
    let stage = stage().await;
    let stranger = Stranger::new().await;
    let proxy = format!("http://127.0.0.1:{}", stranger.port);
    let variables =
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].map(|name| (name, proxy.as_str()));
    let output = stage.run(&["explain", "spqr1"], &variables).await;
    let heard = stranger.heard();
    assert!(
        !contains(&heard, ADMINISTRATORS_TOKEN),
        "{}",
        String::from_utf8_lossy(&heard)
    );
    assert_eq!(output.status.code(), Some(0));
}

fn contains(heard: &[u8], text: &str) -> bool {
    heard
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}
