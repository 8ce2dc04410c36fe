//! Whom an encrypted connection trusts: the authorities that are built in, or those of a file.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::FetchError;

/// Names a file of certificates, as for OpenSSL and what is built on it: where a proxy looks into connections, its
/// authority is known to the machine alone.
pub(super) const VARIABLE: &str = "SSL_CERT_FILE";

/// The authorities to trust.
///
/// # Errors
/// [`FetchError::Roots`] if the environment names a file without certificates.
pub(super) fn roots() -> Result<RootCerts, FetchError> {
    match env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        Some(path) => Ok(RootCerts::from(read(Path::new(&path))?)),
        None => Ok(RootCerts::WebPki),
    }
}

fn read(path: &Path) -> Result<Vec<Certificate<'static>>, FetchError> {
    let failed = |reason: String| FetchError::Roots {
        path: PathBuf::from(path),
        reason,
    };
    let text = fs::read(path).map_err(|e| failed(e.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) = item.map_err(|e| failed(e.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(failed("it holds no certificate in PEM form".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One byte is enough here: what it means is looked at when a connection is made.
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

    #[test]
    fn all_certificates_of_a_file_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots.pem");
        fs::write(&path, format!("# Two.\n{CERTIFICATE}\n{CERTIFICATE}")).unwrap();
        assert_eq!(read(&path).unwrap().len(), 2);
    }

    #[test]
    fn a_file_without_certificates_is_told_with_its_variable() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let empty = folder.path().join("empty");
        fs::write(&empty, "nothing").unwrap();
        for path in [missing, empty] {
            let error = read(&path).unwrap_err().to_string();
            assert!(
                error.contains(VARIABLE) && error.contains(path.to_str().unwrap()),
                "{error}"
            );
        }
    }
}
