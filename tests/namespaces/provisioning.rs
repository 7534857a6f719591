//! The provisioning service over real HTTP, with a real portal's keys, on a real `PostgreSQL`.

mod add_ons;
mod base_product;
mod checks;
mod compute_minutes;
mod concurrency;
mod connections;
mod duo;
mod failures;
mod fixture;
mod hostile_bodies;
mod kills;
mod openapi;
mod recorded;
mod schemathesis;
mod storage;
mod tokens;
