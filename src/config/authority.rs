//! Authorities that are trusted beside the system's own.

use std::{fmt, sync::Arc};

/// The certificates of authorities that one upstream's certificate may be signed by, beside those
/// that the system knows.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateAuthority {
    file: Arc<str>,
    pem: Arc<str>,
}

impl CertificateAuthority {
    /// The certificates in `pem`, which stood in `file`.
    pub(super) fn new(file: &str, pem: &str) -> Self {
        Self {
            file: file.into(),
            pem: pem.into(),
        }
    }

    /// The file that it was read from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// One certificate or more, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

/// Where it is, not what it says.
impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authority").field(&self.file).finish()
    }
}
