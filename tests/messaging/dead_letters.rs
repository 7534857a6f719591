//! The operator's dead-letter tool, over real gRPC against the embedded broker and Google's
//! emulator.

mod commands;
mod discarding;
mod fixture;
mod listing;
mod on_emulator;
mod replaying;
mod surviving;
