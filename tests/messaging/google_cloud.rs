//! The connection to Google Cloud itself, as far as it can be shown without one: the real binary
//! with default credentials against a server with TLS, a token endpoint, and what Google answers to
//! the common mistakes.

mod google;
mod mistakes;
mod pausing;
mod runs;
mod service;
