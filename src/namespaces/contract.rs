//! What the portal side and the provisioning side say to each other: the document, the response,
//! the token's claims.

pub mod claims;
pub mod document;
pub mod response;
