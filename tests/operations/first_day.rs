//! What a person meets on the first day: help, mistakes, pipes and narrow terminals, and what the
//! log says.

mod certificates;
mod completions;
mod encodings;
mod examples;
mod mistakes;
mod observability;
mod outputs;
mod pausing;
mod printing;
mod secrets;
mod terminal;
mod words;
