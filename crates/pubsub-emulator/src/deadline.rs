//! Ends a call whose deadline passes as gRPC says: with `DEADLINE_EXCEEDED`.
//!
//! tonic ends it with `CANCELLED`, on both sides of the wire, and the client gets whichever comes
//! first.

use std::{
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};

use tonic::{
    Status,
    body::Body,
    codegen::{BoxFuture, Service, http},
    server::NamedService,
};

/// Before the caller's own clock has run out, so that it gets this answer. At most this much.
const MARGIN: Duration = Duration::from_millis(100);

/// A gRPC service whose calls end in time.
#[derive(Clone, Debug)]
pub(super) struct DeadlineService<S>(pub(super) S);

impl<S: NamedService> NamedService for DeadlineService<S> {
    const NAME: &'static str = S::NAME;
}

type HttpRequest = http::Request<Body>;
type HttpResponse = http::Response<Body>;

impl<S> Service<HttpRequest> for DeadlineService<S>
where
    S: Service<HttpRequest, Response = HttpResponse, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = BoxFuture<HttpResponse, Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let allowed = request
            .headers()
            .get("grpc-timeout")
            .and_then(|timeout| read(timeout.to_str().ok()?));
        let answer = self.0.call(request);
        let Some(allowed) = allowed else {
            return Box::pin(answer);
        };
        let allowed = allowed.saturating_sub(MARGIN.min(allowed / 10));
        let timed = tokio::time::timeout(allowed, answer);
        Box::pin(async move {
            timed.await.unwrap_or_else(|_| {
                Ok(Status::deadline_exceeded("the call's deadline has passed").into_http())
            })
        })
    }
}

/// A timeout as gRPC writes it, such as `5000m`, see
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>.
fn read(timeout: &str) -> Option<Duration> {
    let (number, unit) = timeout.split_at_checked(timeout.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number.checked_mul(3_600)?)),
        "M" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use rstest::rstest;
    use tokio::time::Instant;

    use super::*;

    /// Answers no call.
    struct Silent;

    impl Service<HttpRequest> for Silent {
        type Response = HttpResponse;
        type Error = Infallible;
        type Future = BoxFuture<HttpResponse, Infallible>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: HttpRequest) -> Self::Future {
            Box::pin(pending())
        }
    }

    #[rstest]
    #[case("10S", 9_900)]
    #[case("500m", 450)]
    #[tokio::test(start_paused = true)]
    async fn a_call_ends_before_the_callers_own_clock_runs_out(
        #[case] allowed: &str,
        #[case] milliseconds: u128,
    ) {
        let request = http::Request::builder()
            .header("grpc-timeout", allowed)
            .body(Body::empty())
            .expect("a request");
        let began = Instant::now();
        let answer = DeadlineService(Silent).call(request).await;
        assert_eq!(began.elapsed().as_millis(), milliseconds);
        let status = answer.expect("infallible").headers()["grpc-status"].clone();
        assert_eq!(status, "4", "DEADLINE_EXCEEDED");
    }

    #[rstest]
    #[case("2H", Some(Duration::from_hours(2)))]
    #[case("3M", Some(Duration::from_mins(3)))]
    #[case("5S", Some(Duration::from_secs(5)))]
    #[case("1500m", Some(Duration::from_millis(1_500)))]
    #[case("7u", Some(Duration::from_micros(7)))]
    #[case("9n", Some(Duration::from_nanos(9)))]
    #[case("", None)]
    #[case("S", None)]
    #[case("5", None)]
    #[case("5é", None)]
    #[case("-5S", None)]
    fn a_timeout_is_a_number_and_a_unit(#[case] text: &str, #[case] expected: Option<Duration>) {
        assert_eq!(read(text), expected);
    }
}
