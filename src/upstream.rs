//! One HTTP behaviour for every API: deadline, retry of reads, rate budget, gates, bounded answers,
//! error classes.
//!
//! A client of an API (`gitlab`, `directory`) builds requests and judges answers; [`Upstream`] does
//! everything between: when a call may go, how often, how long, and whose fault its failure is.

mod admission;
mod advice;
mod authorize;
mod client;
mod clock;
mod credential;
mod error;
mod exchange;
mod fault;
mod lenient_value;
mod obstacle;
mod proxy;
mod rate_limiter;
mod reloaded;
mod request;
mod reservation;
mod response;
mod retry;
mod retry_after;
mod settings;
mod settle;
mod suspect;
mod transport;

pub use authorize::{Authorize, SecretHeader};
pub use client::Upstream;
pub use clock::warn_without_clock;
pub use credential::{Credential, credential_of};
pub use error::{CallError, FaultScope};
pub use exchange::Exchange;
pub use fault::{ClaimedScope, Fault};
pub use lenient_value::LenientValue;
pub(crate) use obstacle::innermost;
pub use rate_limiter::RateLimiter;
pub use reloaded::Reloaded;
pub use request::UpstreamRequest;
pub use response::UpstreamResponse;
pub use settings::UpstreamSettings;
pub(crate) use transport::client_builder;
pub use transport::{BuildError, HttpTransport, Transport, TransportError};
