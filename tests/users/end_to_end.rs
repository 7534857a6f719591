//! The whole service: the real binary as child processes, over real HTTP and gRPC, against the
//! simulated GitLab, Lookup and Pub/Sub.

mod adopting;
mod bad_input;
mod change_feeds;
mod commands;
mod controls;
mod dry_run;
mod held;
mod history;
mod light_sweeps;
mod metrics;
mod on_their_way;
mod paused;
mod plans;
mod recording;
mod resyncs;
mod rotating;
mod rotation_cuts;
mod runs;
mod scale;
mod sweep;
mod tokens;
mod traps;
mod unread;
mod whose;
