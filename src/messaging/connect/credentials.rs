//! The credentials of Google Cloud.

use google_cloud_auth::{
    credentials::{self, CacheableResource, Credentials},
    errors::CredentialsError,
};
use tonic::metadata::MetadataMap;

use super::clients::CONNECT_TIMEOUT;
use crate::{
    messaging::{PubSubError, line::one_line},
    telemetry::causes,
};

/// The default credentials, once they have given a first token.
pub(super) async fn default_credentials() -> Result<Credentials, PubSubError> {
    let credentials = credentials::Builder::default()
        .build()
        .map_err(|error| PubSubError::Credentials(file_problem(&error)))?;
    // Without a key the library asks the metadata server, and for long where there is none.
    tokio::time::timeout(CONNECT_TIMEOUT, authorization(&credentials))
        .await
        .map_err(|_| {
            PubSubError::NoToken(format!(
                "no token came within {} s, as the key file says or by Google Cloud's metadata server",
                CONNECT_TIMEOUT.as_secs()
            ))
        })??;
    Ok(credentials)
}

/// What authorizes a call: a token and, if there is one, the quota project.
pub(super) async fn authorization(credentials: &Credentials) -> Result<MetadataMap, PubSubError> {
    let headers = credentials
        .headers(tonic::Extensions::new())
        .await
        .map_err(|error| no_token(&error))?;
    match headers {
        CacheableResource::New { data, .. } => Ok(MetadataMap::from_headers(data)),
        // Answered only to a caller that names what it has, which this one never does.
        CacheableResource::NotModified => Err(PubSubError::Credentials(
            "the credentials gave no headers".to_owned(),
        )),
    }
}

/// The library's own text names the file and whence its name came, where there is none.
fn file_problem(error: &google_cloud_auth::build_errors::Error) -> String {
    let text = if error.is_parsing() {
        format!(
            "the credentials file is not a key file: {}",
            causes::innermost(error)
        )
    } else {
        error.to_string()
    };
    one_line(text.trim_end_matches('.'), 300)
}

/// The outermost texts speak of retries and of the library; what happened is said by the innermost
/// cause.
fn no_token(error: &CredentialsError) -> PubSubError {
    let said = one_line(&causes::innermost(error).to_string(), 300);
    let why = format!(
        "no token was given, as the key file says or by Google Cloud's metadata server: {said}"
    );
    if error.is_transient() {
        PubSubError::NoToken(why)
    } else {
        PubSubError::Credentials(why)
    }
}
