//! Streaming pull, by Google's client and by hand.

use std::collections::BTreeSet;

use futures::StreamExt;
use google_cloud_googleapis::pubsub::v1::{
    DeleteSubscriptionRequest, ReceivedMessage, StreamingPullRequest, StreamingPullResponse,
    Subscription,
};
use google_cloud_pubsub::model::Message;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::server::{PATIENCE, Server, WATCH, code, data, message};

pub async fn googles_client_publishes_streams_and_acknowledges(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    let client = server.google_publisher(&topic).await;
    let mut published = BTreeSet::new();
    let pending: Vec<_> = (0..100)
        .map(|n| {
            client.publish(
                Message::new()
                    .set_data(format!("{n}"))
                    .set_attributes([("kind", "user")]),
            )
        })
        .collect();
    for id in pending {
        published.insert(id.await.unwrap());
    }
    let mut stream = server
        .google_subscriber()
        .await
        .subscribe(&subscription)
        .build();
    let mut received = BTreeSet::new();
    while received.len() < published.len() {
        let next = timeout(PATIENCE, stream.next())
            .await
            .expect("more messages come");
        let (message, handler) = next.expect("the stream stays open").unwrap();
        assert_eq!(
            message.attributes.get("kind").map(String::as_str),
            Some("user")
        );
        assert!(
            received.insert(message.message_id),
            "no message comes twice"
        );
        handler.ack();
    }
    assert_eq!(received, published);
    let end = stream.shutdown_token();
    drop(stream);
    timeout(PATIENCE, end.shutdown())
        .await
        .expect("the acks go out");
    server.assert_nothing_comes(&subscription).await;
}

pub async fn googles_client_nacks(server: Server) {
    let topic = server.topic().await;
    let dead = server.topic().await;
    let settings = crate::server::dead_letter_to(&dead, 5);
    let subscription = server.subscription(&topic, settings).await;
    server.publish(&topic, vec![message("x")]).await;
    let mut stream = server
        .google_subscriber()
        .await
        .subscribe(&subscription)
        .build();
    for attempt in 1..=3 {
        let next = timeout(PATIENCE, stream.next())
            .await
            .expect("the message comes again");
        let (_, handler) = next.expect("the stream stays open").unwrap();
        assert_eq!(handler.delivery_attempt(), Some(attempt));
        handler.nack();
    }
}

pub async fn a_stream_gets_no_more_than_it_may_hold(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    server
        .publish(&topic, (0..10).map(|n| message(&n.to_string())).collect())
        .await;
    let mut stream = server
        .google_subscriber()
        .await
        .subscribe(&subscription)
        .set_max_outstanding_messages(3)
        .build();
    let mut held = Vec::new();
    for _ in 0..3 {
        let next = timeout(PATIENCE, stream.next())
            .await
            .expect("three messages come");
        held.push(next.expect("the stream stays open").unwrap().1);
    }
    let fourth = timeout(WATCH, stream.next()).await;
    if !server.is_broker() {
        // The emulator does not keep to max_outstanding_messages; the service does.
        assert!(fourth.is_ok());
        return;
    }
    assert!(fourth.is_err(), "a fourth would be one too many");
    for _ in 0..7 {
        held.remove(0).ack();
        let next = timeout(PATIENCE, stream.next())
            .await
            .expect("an ack makes room for one more");
        held.push(next.expect("the stream stays open").unwrap().1);
    }
}

pub async fn a_stream_gets_no_more_bytes_than_it_may_hold(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    for _ in 0..4 {
        server
            .publish(&topic, vec![message(&"x".repeat(1_000))])
            .await;
    }
    let first = StreamingPullRequest {
        max_outstanding_bytes: 1_500,
        ..opening(&subscription)
    };
    let mut stream = Stream::open(&server, first).await.unwrap();
    let held = stream.take(1).await;
    // The message that passes the limit may still come, none after it.
    let mut came = held.len();
    while let Ok(more) = timeout(WATCH, stream.responses.message()).await {
        came += more
            .unwrap()
            .expect("the stream stays open")
            .received_messages
            .len();
    }
    if !server.is_broker() {
        // Nor does the emulator keep to max_outstanding_bytes.
        assert_eq!(came, 4);
        return;
    }
    assert_eq!(came, 2, "of 1,000 bytes each");
    let ack = StreamingPullRequest {
        ack_ids: vec![held[0].ack_id.clone()],
        ..StreamingPullRequest::default()
    };
    stream.requests.send(ack).await.unwrap();
    assert_eq!(stream.take(1).await.len(), 1);
}

pub async fn a_stream_acknowledges_and_nacks_in_itself(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    server
        .publish(&topic, vec![message("done"), message("again")])
        .await;
    let mut stream = Stream::open(&server, opening(&subscription)).await.unwrap();
    let received = stream.take(2).await;
    let id = |wanted: &str| {
        received
            .iter()
            .find(|r| data(r) == wanted)
            .unwrap()
            .ack_id
            .clone()
    };
    // A client's sign of life is an empty request.
    stream
        .requests
        .send(StreamingPullRequest::default())
        .await
        .unwrap();
    let answer = StreamingPullRequest {
        ack_ids: vec![id("done")],
        modify_deadline_ack_ids: vec![id("again")],
        modify_deadline_seconds: vec![0],
        ..StreamingPullRequest::default()
    };
    stream.requests.send(answer).await.unwrap();
    let again = stream.take(1).await;
    assert_eq!(data(&again[0]), "again");
    let ack = StreamingPullRequest {
        ack_ids: vec![again[0].ack_id.clone()],
        ..Default::default()
    };
    stream.requests.send(ack).await.unwrap();
    drop(stream.requests);
    assert_eq!(
        timeout(PATIENCE, stream.responses.message())
            .await
            .unwrap()
            .unwrap(),
        None
    );
    server.assert_nothing_comes(&subscription).await;
}

pub async fn a_stream_must_begin_properly(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    for stream_ack_deadline_seconds in [0, 9, 601] {
        let first = StreamingPullRequest {
            stream_ack_deadline_seconds,
            ..opening(&subscription)
        };
        assert_eq!(
            code(first_response(&server, &[first]).await),
            Code::InvalidArgument
        );
    }
    assert_eq!(
        code(first_response(&server, &[opening("")]).await),
        Code::InvalidArgument
    );
    let missing = opening(&server.fresh("subscriptions"));
    assert_eq!(
        code(first_response(&server, &[missing]).await),
        Code::NotFound
    );
    let twice = [opening(&subscription), opening(&subscription)];
    assert_eq!(
        code(first_response(&server, &twice).await),
        Code::InvalidArgument
    );
    let lopsided = StreamingPullRequest {
        modify_deadline_seconds: vec![1],
        ..Default::default()
    };
    let refusal = first_response(&server, &[opening(&subscription), lopsided]).await;
    assert_eq!(code(refusal), Code::InvalidArgument);
}

pub async fn a_stream_ends_when_its_subscription_is_deleted(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    let mut stream = server
        .google_subscriber()
        .await
        .subscribe(&subscription)
        .build();
    server.publish(&topic, vec![message("x")]).await;
    let next = timeout(PATIENCE, stream.next())
        .await
        .expect("the message comes");
    next.expect("the stream is open").unwrap().1.ack();
    let request = DeleteSubscriptionRequest { subscription };
    server
        .subscriber()
        .delete_subscription(request)
        .await
        .unwrap();
    let end = timeout(PATIENCE, stream.next())
        .await
        .expect("the stream ends")
        .expect("with an error");
    let status = end
        .expect_err("not with a message")
        .status()
        .cloned()
        .expect("from the server");
    assert_eq!(status.code.name(), "NOT_FOUND");
}

pub async fn a_stream_ends_well_when_the_client_is_done(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    // The emulator answers nothing at all, no headers either, before the first message.
    server.publish(&topic, vec![message("x")]).await;
    let mut stream = Stream::open(&server, opening(&subscription)).await.unwrap();
    stream.take(1).await;
    drop(stream.requests);
    let end = timeout(PATIENCE, stream.responses.message())
        .await
        .expect("the stream ends");
    assert_eq!(end.unwrap(), None);
}

/// A stream held by hand.
struct Stream {
    requests: mpsc::Sender<StreamingPullRequest>,
    responses: Streaming<StreamingPullResponse>,
}

impl Stream {
    async fn open(server: &Server, first: StreamingPullRequest) -> Result<Self, Status> {
        Self::open_with(server, &[first]).await
    }

    /// Sends these requests before it waits: the emulator sends no headers before it has
    /// something to say.
    async fn open_with(server: &Server, first: &[StreamingPullRequest]) -> Result<Self, Status> {
        let (requests, outgoing) = mpsc::channel(8);
        for request in first {
            requests.send(request.clone()).await.unwrap();
        }
        let responses = server
            .subscriber()
            .streaming_pull(ReceiverStream::new(outgoing))
            .await?;
        Ok(Self {
            requests,
            responses: responses.into_inner(),
        })
    }

    async fn take(&mut self, count: usize) -> Vec<ReceivedMessage> {
        let mut out = Vec::new();
        while out.len() < count {
            let next = timeout(PATIENCE, self.responses.next())
                .await
                .expect("messages come");
            out.extend(
                next.expect("the stream stays open")
                    .unwrap()
                    .received_messages,
            );
        }
        out
    }
}

/// What a stream of these requests answers first.
async fn first_response(
    server: &Server,
    requests: &[StreamingPullRequest],
) -> Result<Option<StreamingPullResponse>, Status> {
    let mut stream = Stream::open_with(server, requests).await?;
    timeout(PATIENCE, stream.responses.message())
        .await
        .expect("the stream answers")
}

fn opening(subscription: &str) -> StreamingPullRequest {
    StreamingPullRequest {
        subscription: subscription.to_owned(),
        stream_ack_deadline_seconds: 10,
        ..StreamingPullRequest::default()
    }
}
