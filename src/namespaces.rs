//! What a namespace has bought: one document, one provisioning call, one record of it.
//!
//! [`contract`] is what both sides share. The portal side records what is to be sent ([`portal`],
//! [`ledger`]) and sends it ([`worker`]); [`provisioning`] is the GitLab side.

pub mod contract;
pub mod database;
pub mod ledger;
pub mod pooler;
pub mod portal;
pub mod provisioning;
pub mod worker;

mod request_body;
mod session;
mod sql_time;
