//! The pure core: who is who, whose block it is, what is decided, and how much a run may change.

mod block_record;
mod build;
mod class;
mod decision;
mod guard;
mod names;
mod ownership;
mod properties;
mod schedules;
