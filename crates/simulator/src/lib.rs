//! The servers that `demo`, `simulate` and the tests run against: a GitLab and a Lookup that speak
//! real HTTP on real ports, with their traps, and the population they show; and a `PostgreSQL` to
//! throw away.
//!
//! They have their own structs for what goes over the wire and share none with the clients, so that
//! a mistake in a client is not answered by the same mistake here.

pub mod control;
pub mod gitlab;
pub mod lookup;
pub mod population;
pub mod postgres;
pub mod servers;

mod connection;
mod server;

pub use server::ServerTask;
