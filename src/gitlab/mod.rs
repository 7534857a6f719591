//! Typed client of GitLab's users API.
//!
//! Facts are those of GitLab 18.9, read in its source: `lib/api/users.rb`, `lib/api/entities/`,
//! `lib/api/custom_attributes_endpoints.rb`, `lib/gitlab/pagination/keyset/`.

mod change;
mod client;
mod page;
mod refusal;
mod row;
mod tokens;
mod user;

pub use change::Change;
pub use client::{Client, WritePermit};
pub use page::Page;
pub use user::{CurrentUser, CustomAttribute, Identity, Timed, TokenDetails, User};
