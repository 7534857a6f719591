//! What a person meets on the first day: help, mistakes, pipes and narrow terminals, and what the log says.

mod certificates;
mod completions;
mod encodings;
mod examples;
mod mistakes;
mod observability;
mod outputs;
mod printing;
mod running;
#[expect(dead_code, reason = "the whole-service tests use more of it")]
#[path = "../users/end_to_end/scene.rs"]
mod scene;
mod secrets;
