//! RSA keys in PEM files.

use std::path::{Path, PathBuf};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use tempfile::TempDir;

/// A new key, as a private and as a public file.
pub struct KeyFiles {
    folder: TempDir,
}

impl KeyFiles {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        write(
            &folder.path().join("private.pem"),
            "PRIVATE KEY",
            private.as_ref(),
        );
        write(
            &folder.path().join("public.pem"),
            "PUBLIC KEY",
            public.as_ref(),
        );
        Self { folder }
    }

    pub fn private(&self) -> PathBuf {
        self.folder.path().join("private.pem")
    }

    pub fn public(&self) -> PathBuf {
        self.folder.path().join("public.pem")
    }

    /// Puts the private key of `next` in the place of this one, in one step.
    pub fn replace_by(&self, next: &Self) {
        replace(&self.private(), std::fs::read(next.private()).unwrap());
    }
}

/// Puts `content` in the place of a file in one step, as platforms that mount secrets do.
pub fn replace(file: &Path, content: impl AsRef<[u8]>) {
    let next = file.with_extension("next");
    std::fs::write(&next, content).unwrap();
    std::fs::rename(next, file).unwrap();
}

fn write(path: &Path, label: &str, der: &[u8]) {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    let pem = format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    );
    std::fs::write(path, pem).unwrap();
}
