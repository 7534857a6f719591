//! Typed client of GitLab's users API.
//!
//! Facts are those of GitLab 18.9, read in its source: `lib/api/users.rb`, `lib/api/entities/`,
//! `lib/api/custom_attributes_endpoints.rb`, `lib/gitlab/pagination/keyset/`.

mod audit;
mod blame;
mod change;
mod change_feed;
mod client;
mod graphql;
mod light_listing;
mod listing;
mod listing_calls;
mod page;
mod pairs;
mod refusal;
mod rotation;
mod row;
mod rows;
mod token_expiry;
mod token_watch;
mod tokens;
mod user;
mod writes;

pub use audit::{AuditAction, AuditAnswer, AuditEvent, AuditPage, AuditScope};
pub use change::Change;
pub use change_feed::{ChangedAccounts, FeedMark};
pub use client::{Client, WritePermit};
pub use graphql::LightUnavailable;
pub use light_listing::{LightPage, LightRow};
pub use listing::{Listing, ListingBatch};
pub use page::{ListingPosition, Page};
pub use rotation::{RotatedToken, RotationError};
pub use token_expiry::TokenExpiry;
pub use token_watch::watch_expiry;
pub use user::{CurrentUser, CustomAttribute, Identity, Timed, TokenDetails, Unreadable, User};
