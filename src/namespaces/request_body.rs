//! Reads the body of a request: bounded in size and in time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::StreamExt;

use crate::namespaces::contract::document::MAX_BYTES;

/// Of a body that is too large, this much is read and discarded before the response, since a client
/// that is still sending would see a cut connection and no answer.
const DRAINED_BYTES: usize = 32 * MAX_BYTES;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It did not come in time, or broke off.
    Timeout,
    /// It is larger than a document may be.
    TooLarge,
}

/// The whole body.
///
/// # Errors
/// [`BodyError`].
pub async fn read(body: Body, deadline: Duration) -> Result<Vec<u8>, BodyError> {
    tokio::time::timeout(deadline, collect(body))
        .await
        .unwrap_or(Err(BodyError::Timeout))
}

async fn collect(body: Body) -> Result<Vec<u8>, BodyError> {
    let mut stream = body.into_data_stream();
    let mut collected = Vec::new();
    let mut length = 0;
    while let Some(chunk) = stream.next().await {
        // A client that broke off does not see this answer.
        let chunk: Bytes = chunk.map_err(|_| BodyError::Timeout)?;
        length += chunk.len();
        if length > DRAINED_BYTES {
            break;
        }
        if length <= MAX_BYTES {
            collected.extend_from_slice(&chunk);
        }
    }
    if length > MAX_BYTES {
        return Err(BodyError::TooLarge);
    }
    Ok(collected)
}
