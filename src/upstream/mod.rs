//! One HTTP behaviour for every API: deadline, retry of reads, rate budget, gates, bounded answers, error classes.
//!
//! A client of an API (`gitlab`, `directory`) builds requests and judges answers; [`Upstream`] does everything
//! between: when a call may go, how often, how long, and whose fault its failure is.

mod answer;
mod authorize;
mod budget;
mod call;
mod caller;
mod clock;
mod credential;
mod error;
mod fault;
mod gate;
mod line;
mod name;
mod obstacle;
mod pace;
mod proxy;
mod reservation;
mod retry;
mod scalar;
mod settle;
mod subject;
mod suspect;
mod transport;

pub use answer::Answer;
pub use authorize::{Authorize, SecretHeader};
pub use budget::Budget;
pub use call::Call;
pub use caller::Upstream;
pub use clock::warn_without_clock;
pub use credential::Credential;
pub use error::{Blame, CallError};
pub use fault::{ErrorKind, Fault, Whose};
pub use gate::{Gate, Passage, Said, Shut, Ticket, Verdict};
pub use line::Line;
pub use name::{Name, Settings, Side};
pub(crate) use obstacle::innermost;
pub use scalar::Scalar;
pub use subject::Subject;
pub(crate) use transport::client_builder;
pub use transport::{BuildError, Transport, TransportError, Wire};
