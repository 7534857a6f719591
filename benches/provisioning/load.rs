//! Clients of the service: each on a connection of its own, the next request as soon as the last is
//! answered.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::NAMESPACES;

/// What the clients ask.
pub struct Load {
    host: String,
    token: String,
}

/// What they saw.
pub struct Measured {
    /// Answers a second.
    pub rate: f64,
    /// How long each took.
    pub latencies: Vec<Duration>,
}

impl Load {
    /// Requests to the service at `address`.
    pub fn new(address: &str, token: &str) -> Self {
        Self {
            host: address.trim_start_matches("http://").to_owned(),
            token: token.to_owned(),
        }
    }

    /// Asks for so long, with documents in which every number differs from what is in force.
    pub async fn run(&self, clients: u32, length: Duration) -> Measured {
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let mut client = self.connect().await;
            tasks.spawn(async move {
                let mut latencies = Vec::new();
                while begun.elapsed() < length {
                    let asked = Instant::now();
                    client
                        .post(fastrand::i64(NAMESPACES), fastrand::i32(1..1_000_000))
                        .await;
                    latencies.push(asked.elapsed());
                }
                latencies
            });
        }
        let latencies: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
        #[expect(clippy::cast_precision_loss, reason = "no run has 2^52 answers")]
        let rate = latencies.len() as f64 / begun.elapsed().as_secs_f64();
        Measured { rate, latencies }
    }

    /// One request.
    pub async fn once(&self, id: i64, number: i32) {
        self.connect().await.post(id, number).await;
    }

    async fn connect(&self) -> Client {
        let stream = TcpStream::connect(&self.host).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Client {
            stream,
            head: format!(
                "Host: {}\r\nX-Customers-Dot-Internal-Token: {}\r\nContent-Type: application/json\r\n",
                self.host, self.token
            ),
            answer: Vec::new(),
        }
    }
}

/// HTTP/1.1 and no more of it than is needed: what the clients cost is taken from the service.
struct Client {
    stream: TcpStream,
    head: String,
    answer: Vec<u8>,
}

impl Client {
    async fn post(&mut self, id: i64, number: i32) {
        let body = document(number);
        let request = format!(
            "POST /api/v4/internal/gitlab_subscriptions/namespaces/{id}/provision HTTP/1.1\r\n{}Content-Length: {}\r\n\r\n{body}",
            self.head,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.answer.clear();
        while !self.is_whole() {
            let read = self.stream.read_buf(&mut self.answer).await.unwrap();
            assert!(read > 0, "the service hung up");
        }
        let answer = String::from_utf8_lossy(&self.answer);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    fn is_whole(&self) -> bool {
        let text = std::str::from_utf8(&self.answer).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return false;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        body.len() >= length.expect("a length").parse().unwrap()
    }
}

/// A document with every part, all of whose numbers are `number`.
fn document(number: i32) -> String {
    json!({ "provision": {
        "base_product": { "plan_code": "ultimate", "start_date": "2026-01-01", "end_date": "2027-01-01", "seats": number,
            "max_seats_used": number, "auto_renew": true, "trial": false, "trial_starts_on": null, "trial_ends_on": null },
        "storage": { "additional_purchased_storage_size": number, "additional_purchased_storage_ends_on": "2027-01-01" },
        "compute_minutes": { "shared_runners_minutes_limit": number, "extra_shared_runners_minutes_limit": number },
        "add_on_purchases": { "duo_enterprise": [{ "started_on": "2026-01-01", "expires_on": "2027-01-01",
            "quantity": number, "purchase_xid": "A-S00001", "trial": false }] },
    } })
    .to_string()
}
