//! Kubernetes secrets, mounted as a folder: one file a key.
//!
//! The kubelet writes each version of a secret into a folder of its own and swaps the link `..data` to it, so whoever goes through
//! `..data` once reads keys of one version (Kubernetes, `pkg/volume/util/atomic_writer.go`).

use std::path::{Path, PathBuf};

use portolan_shared::secret::Secret;

use super::file::{FILE_BYTES, Stamp, form, read, refused, stamp};
use crate::auth::credential::{Credential, CredentialError};

/// Keys of the type `kubernetes.io/basic-auth`.
const USERNAME: &str = "username";
const PASSWORD: &str = "password";
/// The key of the type `kubernetes.io/dockerconfigjson`.
const DOCKER_CONFIG: &str = ".dockerconfigjson";
/// The version that was current may be removed while it is read; then the next one is there.
pub(super) const TRIES: usize = 3;

/// A version of a mounted secret, by its type.
#[derive(Debug)]
pub(super) enum Mounted {
    /// With which files.
    Login { username: PathBuf, password: PathBuf },
    /// A docker configuration.
    DockerConfig(PathBuf),
}

/// What a folder holds now, and the stamps of its files.
pub(super) async fn look(folder: &Path) -> Result<(Mounted, Vec<Stamp>), CredentialError> {
    let current = folder.join("..data");
    let version = match tokio::fs::canonicalize(&current).await {
        Ok(version) => version,
        // No mount of Kubernetes', but a folder made like one.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => folder.to_owned(),
        Err(error) => return Err(refused(&current, &error)),
    };
    let (username, password) = (version.join(USERNAME), version.join(PASSWORD));
    match (stamp(&username).await, stamp(&password).await) {
        (Ok(first), Ok(second)) => Ok((Mounted::Login { username, password }, vec![first, second])),
        (Err(CredentialError::NoFile(_)), Err(CredentialError::NoFile(_))) => {
            let config = version.join(DOCKER_CONFIG);
            match stamp(&config).await {
                Ok(stamp) => Ok((Mounted::DockerConfig(config), vec![stamp])),
                Err(CredentialError::NoFile(_)) => Err(form(
                    folder,
                    "holds no mounted secret: expected the keys username and password, or .dockerconfigjson",
                )),
                Err(error) => Err(error),
            }
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// The login of a secret of the type `kubernetes.io/basic-auth`.
pub(super) async fn login(username: &Path, password: &Path) -> Result<Credential, CredentialError> {
    let name = read(username, FILE_BYTES).await?;
    let name = without_end_of_line(&name);
    if name.is_empty() || name.contains([':', '\n']) {
        return Err(form(
            username,
            "is no user name: it is empty, or has a colon or several lines",
        ));
    }
    let secret = read(password, FILE_BYTES).await?;
    let secret = without_end_of_line(&secret);
    if secret.is_empty() || secret.contains('\n') {
        return Err(form(password, "is no password: it is empty or has several lines"));
    }
    Ok(Credential::Login {
        username: name.to_owned(),
        secret: Secret::new(secret.to_owned()),
    })
}

/// Keys hold exactly what they were made of, and many are made by `echo`.
fn without_end_of_line(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}
