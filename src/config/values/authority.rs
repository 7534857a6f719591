//! Files of certificates.

use std::path::Path;

use super::{ParseError, RawValue, TextValue, ValueType};
use crate::config::{authority::CertificateAuthority, source::read_bounded};

/// The name of a file with certificates of authorities. The file is read and tried at once, so that
/// an error shows at the start and not at the first call.
pub(in crate::config) struct CertificateAuthorityFile;

impl ValueType for CertificateAuthorityFile {
    type Value = CertificateAuthority;

    fn allowed(&self) -> String {
        "the name of a file with the certificates of authorities, PEM".to_owned()
    }

    fn read(&self, given: &RawValue<'_>) -> Result<CertificateAuthority, Vec<ParseError>> {
        let path = TextValue::ANY.read(given)?;
        let pem = read_bounded(Path::new(&path))
            .map_err(|problem| ParseError::because(format!("names a file that {problem}")))?;
        if are_certificates(&pem) {
            Ok(CertificateAuthority::new(&path, &pem))
        } else {
            Err(ParseError::because(
                "names a file without valid certificates",
            ))
        }
    }

    fn show(&self, value: &CertificateAuthority) -> serde_json::Value {
        value.file().into()
    }
}

/// Builds a client that trusts only them and drops it: there is no other way to validate them.
fn are_certificates(pem: &str) -> bool {
    match reqwest::Certificate::from_pem_bundle(pem.as_bytes()) {
        Ok(certificates) if !certificates.is_empty() => reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only(certificates)
            .build()
            .is_ok(),
        Ok(_) | Err(_) => false,
    }
}
