//! The life of the process: which stages it runs, their clients, their start and their end.
//!
//! The commands of [`crate::cli`] stand on this; its errors are typed, and a command turns them
//! into an exit code.

pub(crate) mod clients;
pub(crate) mod consumers;
pub(crate) mod context;
pub(crate) mod namespace_clients;
pub(crate) mod signals;
pub(crate) mod stages;

mod error;
mod lifecycle;
mod ports;
mod process;
mod startup;
mod token_check;

pub use self::{error::AppError, stages::ServedStage};

pub(crate) use self::process::serve;
