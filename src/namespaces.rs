//! What a namespace has bought: one document, one provisioning call, one record of it.
//!
//! [`document`] and [`answer`] are what the portal side and the GitLab side say to each other. The portal side records
//! what is to be sent ([`ledger`], [`record`], [`portal`]) and sends it ([`worker`]); [`provisioning`] is the GitLab side.

pub mod answer;
pub mod attempt;
pub mod call;
pub mod database;
pub mod document;
pub mod history;
pub mod keys;
pub mod ledger;
pub mod pooler;
pub mod portal;
pub mod provisioning;
pub mod record;
pub mod worker;

mod body;
mod session;
mod sql_time;
mod turns;

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
