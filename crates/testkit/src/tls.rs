//! Servers with TLS, whose certificates come from authorities that only those trust who are told
//! to.

use std::{path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// An authority.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a server's certificate is like.
#[derive(Clone, Copy, Debug)]
pub enum Certificate {
    /// For `localhost`, for ever.
    Good,
    /// For `localhost`, until a day that is long gone.
    Expired,
    /// For another host.
    Elsewhere,
}

impl Authority {
    /// `name` tells it from others.
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// Writes its own certificate to `file`, and gives the file's name.
    pub fn publish(&self, file: &Path) -> String {
        std::fs::write(file, &self.pem).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// The settings of a server with such a certificate.
    pub fn certify(&self, certificate: Certificate) -> ServerConfig {
        let host = match certificate {
            Certificate::Good | Certificate::Expired => "localhost",
            Certificate::Elsewhere => "elsewhere.example.ac.uk",
        };
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        if matches!(certificate, Certificate::Expired) {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], secret)
            .unwrap()
    }

    /// Speaks TLS with such a certificate before the plain server at `address`, on a port of its
    /// own. It ends with the test.
    pub async fn stand_before(&self, address: &str, certificate: Certificate) -> u16 {
        let acceptor = TlsAcceptor::from(Arc::new(self.certify(certificate)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let behind = address.trim_start_matches("http://").to_owned();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                tokio::spawn(async move {
                    let mut plain = TcpStream::connect(behind).await.unwrap();
                    // A client that does not trust it goes away.
                    if let Ok(mut secured) = acceptor.accept(stream).await {
                        let _ = tokio::io::copy_bidirectional(&mut secured, &mut plain).await;
                    }
                });
            }
        });
        port
    }
}
