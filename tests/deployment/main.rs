//! What an operator is given: the Terraform module, the image, and the documents that say how to use them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a panic in a test is a failure with a place"
)]

mod broken;
mod documents;
mod image;
mod logs;
mod module;
mod names;
mod project;
mod tools;
