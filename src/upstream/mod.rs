//! One HTTP behaviour for every API: deadline, retry of reads, rate budget, gates, bounded answers, error classes.
//!
//! A client of an API (`gitlab`, `directory`) builds requests and judges answers; [`Upstream`] does everything
//! between: when a call may go, how often, how long, and whose fault its failure is.

mod answer;
mod authorize;
mod budget;
mod caller;
mod clock;
mod error;
mod fault;
mod gate;
mod line;
mod name;
mod pace;
mod reservation;
mod scalar;
mod transport;

pub use answer::Answer;
pub use authorize::{Authorize, FixedHeader};
pub use budget::Budget;
pub use caller::{Call, Upstream};
pub use clock::warn_without_clock;
pub use error::{Blame, CallError};
pub use fault::{ErrorKind, Fault};
pub use gate::{Gate, Passage, Shut, Ticket};
pub use line::Line;
pub use name::{Name, Settings, Side};
pub use scalar::Scalar;
pub(crate) use transport::client_builder;
pub use transport::{BuildError, Transport, TransportError, Wire};
