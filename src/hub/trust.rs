//! Whose certificates are believed: the system's store, and the files that `NODE_EXTRA_CA_CERTS`, `SSL_CERT_FILE`,
//! `REQUESTS_CA_BUNDLE` and `CURL_CA_BUNDLE` name, all together.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::settings::Settings;
use crate::error::{Error, Result};

/// TLS for every request.
pub(super) fn client_config(settings: &Settings) -> Result<ClientConfig> {
    let mut extra = Vec::new();
    for file in &settings.authorities {
        extra.extend(named(file)?);
    }
    for folder in &settings.authorities_folders {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        extra.extend(entries.flat_map(|entry| certificates(&entry.path()).unwrap_or_default()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let failed = |error: rustls::Error| Error::Download {
        message: "The certificates of this machine cannot be used for TLS".into(),
        source: Some(error.into()),
    };
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    platform::finish(builder.map_err(failed)?, extra, provider).map_err(failed)
}

/// A file that the user names and that cannot be read would fail later, and as something else.
fn named(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found = certificates(file).map_err(|error| Error::Download {
        message: format!(
            "The certificates in {} cannot be read. An environment variable names this file",
            file.display()
        ),
        source: Some(error.to_string().into()),
    })?;
    let parses = |certificate: &CertificateDer<'static>| RootCertStore::empty().add(certificate.clone()).is_ok();
    if !found.iter().any(parses) {
        return Err(Error::Download {
            message: format!(
                "{} holds no certificate that can be read. An environment variable names this file",
                file.display()
            ),
            source: None,
        });
    }
    Ok(found)
}

fn certificates(file: &Path) -> std::result::Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_file_iter(file)?.collect()
}

/// macOS and Windows verify themselves, with what their administrators have set.
#[cfg(any(target_os = "macos", windows))]
mod platform {
    use super::*;
    use rustls::client::WantsClientCert;
    use rustls::{ConfigBuilder, WantsVerifier};

    pub fn finish(
        builder: ConfigBuilder<ClientConfig, WantsVerifier>,
        extra: Vec<CertificateDer<'static>>,
        provider: Arc<rustls::crypto::CryptoProvider>,
    ) -> std::result::Result<ClientConfig, rustls::Error> {
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(extra, provider)?;
        let builder: ConfigBuilder<ClientConfig, WantsClientCert> =
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        Ok(builder.with_no_client_auth())
    }
}

#[cfg(not(any(target_os = "macos", windows)))]
mod platform {
    use super::*;
    use rustls::{ConfigBuilder, WantsVerifier};

    /// Where distributions keep the system's store; the first that exists (Go's `crypto/x509` looks in the same places).
    const STORES: [&str; 6] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
        "/usr/local/share/certs/ca-root-nss.crt",
    ];

    pub fn finish(
        builder: ConfigBuilder<ClientConfig, WantsVerifier>,
        extra: Vec<CertificateDer<'static>>,
        _provider: Arc<rustls::crypto::CryptoProvider>,
    ) -> std::result::Result<ClientConfig, rustls::Error> {
        let system = STORES.iter().map(Path::new).find(|path| path.is_file());
        let system = system.and_then(|path| certificates(path).ok()).unwrap_or_default();
        let mut roots = RootCertStore::empty();
        // A store may hold certificates of a form that is not known; the others still count. None at all is an error of
        // the first connection that needs one, not of a mirror without TLS.
        roots.add_parsable_certificates(system.into_iter().chain(extra));
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}
