//! What a namespace has bought: one document, one provisioning call, one record of it.
//!
//! [`contract`] is what both sides share. The portal side records what is to be sent ([`portal`], [`ledger`]) and sends
//! it ([`worker`]); [`provisioning`] is the GitLab side.

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

/// An error with its causes, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
