//! Docker's folders of certificates for single registries, `certs.d/HOST:PORT/`: `*.crt` are extra authorities, `NAME.cert` with
//! `NAME.key` is a client certificate.

use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::registry::TrustError;
use crate::model::limits;
use crate::process::read_bounded;

/// Files of one folder that are read; more is an error.
const MAX_FILES: usize = 64;

/// What one `certs.d/HOST:PORT` folder holds.
#[derive(Default)]
pub(super) struct HostFolder {
    pub(super) authorities: Vec<CertificateDer<'static>>,
    pub(super) client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl HostFolder {
    /// The folder for a host below `base`, read; empty if there is none.
    pub(super) fn of(base: &Path, host: &str, port: u16, https_default: bool) -> Result<Self, TrustError> {
        match find(base, host, port, https_default) {
            Some(folder) => Self::read(&folder),
            None => Ok(Self::default()),
        }
    }

    fn read(folder: &Path) -> Result<Self, TrustError> {
        let bad = |path: &Path, problem| TrustError::File {
            path: path.to_owned(),
            problem,
        };
        let entries = std::fs::read_dir(folder).map_err(|_| bad(folder, "cannot be read"))?;
        let mut files: Vec<PathBuf> = entries
            .take(MAX_FILES + 1)
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        if files.len() > MAX_FILES {
            return Err(bad(folder, "holds too many files"));
        }
        files.sort();
        let mut found = Self::default();
        for file in &files {
            match file.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => found.authorities.extend(certificates(file)?),
                Some("cert") => {
                    let key_file = file.with_extension("key");
                    let chain = certificates(file)?;
                    let key = content(&key_file)?;
                    let key = PrivateKeyDer::from_pem_slice(&key)
                        .map_err(|_| bad(&key_file, "is missing or holds no private key in PEM"))?;
                    if found.client.replace((chain, key)).is_some() {
                        return Err(bad(file, "is the second client certificate: there may be one"));
                    }
                }
                Some("key") if !file.with_extension("cert").is_file() => {
                    return Err(bad(
                        file,
                        "has no certificate beside it (same name, ending in .cert)",
                    ));
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// `HOST:PORT`, and for the default port also `HOST`, as Docker looks them up.
fn find(base: &Path, host: &str, port: u16, https_default: bool) -> Option<PathBuf> {
    // A host comes from a parsed URL, so it holds no slash; `..` is the one name that would still leave the folder.
    if host.contains(['/', '\0']) || host.starts_with('.') {
        return None;
    }
    let with_port = base.join(format!("{host}:{port}"));
    if with_port.is_dir() {
        return Some(with_port);
    }
    Some(base.join(host)).filter(|folder| https_default && folder.is_dir())
}

fn content(file: &Path) -> Result<Vec<u8>, TrustError> {
    read_bounded(file, limits::CA_BUNDLE_BYTES as u64)
        .map(Option::unwrap_or_default)
        .map_err(|_| TrustError::File {
            path: file.to_owned(),
            problem: "cannot be read, or is too large",
        })
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let pem = content(file)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    all.ok()
        .filter(|all| !all.is_empty())
        .ok_or_else(|| TrustError::File {
            path: file.to_owned(),
            problem: "holds no certificate in PEM",
        })
}
