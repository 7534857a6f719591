//! What an operator is given: the Terraform module, the image, and the documents that say how to use them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic in a test is a failure with a place"
)]

mod broken;
mod documents;
mod image;
mod logs;
mod module;
mod names;
#[cfg(feature = "simulate")]
mod operations;
mod project;
#[cfg(feature = "simulate")]
#[path = "../end_to_end/scene.rs"]
#[expect(
    dead_code,
    reason = "the harness of whole services does more than is needed here"
)]
mod scene;
mod tools;
