//! All of a sensor's identity, loaded and kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use portolan_shared::model::{InvitationId, SensorId};
use portolan_shared::process::FileError;

use super::certificate::StoredCertificate;
use super::continuity::ContinuityToken;
use super::directory::StateDir;
use super::enrolment::{Enrolled, Enrolment, Revoked};
use super::error::KeyringError;
use super::files::{
    CERTIFICATE, CONTINUITY, ENROLMENT, IDENTITY_KEY, INCARNATION, SEALING_KEYS, TLS_KEY, TRUST, enrolment,
    identity_key_of, revoked_error,
};
use super::key::IdentityKey;
use super::sealed::SealedState;
use super::trust::TrustBundle;

/// What is wrong, by file, or by what else it is of.
type Warnings = BTreeMap<&'static str, String>;

/// The identity of an enrolled sensor.
#[derive(Debug)]
pub struct Keyring {
    dir: StateDir,
    enrolled: Enrolled,
    identity: IdentityKey,
    certificate: RwLock<Option<Arc<StoredCertificate>>>,
    continuity: RwLock<Option<ContinuityToken>>,
    trust: RwLock<Arc<TrustBundle>>,
    sealed: SealedState,
    warnings: Mutex<Warnings>,
}

impl Keyring {
    /// Loads everything. A certificate or a continuity token that is lost is not in the way: the control plane can be asked for another, and
    /// [`Keyring::warnings`] names the file.
    ///
    /// # Errors
    /// [`KeyringError::NotEnrolled`], [`KeyringError::Revoked`], [`KeyringError::IdentityLost`], or [`KeyringError::Damaged`] naming the file,
    /// where no sound generation of it is left.
    pub fn open(dir: StateDir) -> Result<Self, KeyringError> {
        let enrolled = match enrolment(&dir)? {
            Some(Enrolment::Enrolled(enrolled)) => enrolled,
            Some(Enrolment::Revoked(revoked)) => return Err(revoked_error(&revoked)),
            Some(Enrolment::PendingEnrol(_)) | None => {
                return Err(KeyringError::NotEnrolled {
                    path: dir.path().to_owned(),
                });
            }
        };
        let mut warnings = Warnings::new();
        let certificate = certificate(&dir, &mut warnings)?;
        let trust = generation(&dir, TRUST, TrustBundle::from_bytes, &mut warnings)?;
        let identity = identity_key_of(&dir, &enrolled)?;
        let continuity = continuity(&dir, &enrolled.name, &mut warnings)?;
        let (sealed, lost) = SealedState::load(&dir)?;
        for (file, warning) in lost {
            tracing::error!(warning, "a state file is lost");
            warnings.insert(file, warning);
        }
        Ok(Self {
            identity,
            enrolled,
            sealed,
            certificate: RwLock::new(certificate.map(Arc::new)),
            continuity: RwLock::new(continuity),
            trust: RwLock::new(Arc::new(trust)),
            warnings: Mutex::new(warnings),
            dir,
        })
    }

    /// Where the enrolment of a directory stands, for looking.
    pub fn enrolment_in(dir: &StateDir) -> Result<Option<Enrolment>, KeyringError> {
        enrolment(dir)
    }

    /// Whether a directory may be enrolled with this token: it has not been used, or not to an end, or with this very token.
    ///
    /// # Errors
    /// [`KeyringError::AlreadyEnrolled`] or [`KeyringError::Revoked`] if it has been used.
    pub fn may_enrol(dir: &StateDir, invitation: InvitationId) -> Result<(), KeyringError> {
        match enrolment(dir)? {
            Some(Enrolment::Enrolled(enrolled)) if enrolled.invitation != invitation => {
                Err(KeyringError::AlreadyEnrolled {
                    path: dir.path().to_owned(),
                    sensor: enrolled.sensor,
                })
            }
            Some(Enrolment::Revoked(revoked)) => Err(revoked_error(&revoked)),
            Some(Enrolment::Enrolled(_) | Enrolment::PendingEnrol(_)) | None => Ok(()),
        }
    }

    /// As whom this sensor is enrolled.
    #[must_use]
    pub fn enrolled(&self) -> &Enrolled {
        &self.enrolled
    }

    /// Its id.
    #[must_use]
    pub fn sensor(&self) -> SensorId {
        self.enrolled.sensor
    }

    /// Its identity key.
    #[must_use]
    pub fn identity(&self) -> &IdentityKey {
        &self.identity
    }

    /// The directory all of it lies in.
    #[must_use]
    pub fn dir(&self) -> &StateDir {
        &self.dir
    }

    /// State files that are lost, that cannot be written, or of which the previous generation is in use; and a generation of the sensor that is not
    /// believed.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.values().cloned().collect()
    }

    pub(super) fn sealed(&self) -> &SealedState {
        &self.sealed
    }

    pub(super) fn warn(&self, file: &'static str, warning: Option<String>) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        match warning {
            Some(warning) => warnings.insert(file, warning),
            None => warnings.remove(file),
        };
    }

    /// The certificate in use; none if it is lost.
    #[must_use]
    pub fn certificate(&self) -> Option<Arc<StoredCertificate>> {
        let certificate = self.certificate.read().unwrap_or_else(PoisonError::into_inner);
        certificate.as_ref().map(Arc::clone)
    }

    /// The continuity token that was stored last; none if it is lost.
    #[must_use]
    pub fn continuity(&self) -> Option<ContinuityToken> {
        let continuity = self.continuity.read().unwrap_or_else(PoisonError::into_inner);
        continuity.clone()
    }

    /// The trust bundle in use.
    #[must_use]
    pub fn trust(&self) -> Arc<TrustBundle> {
        Arc::clone(&self.trust.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stores a new certificate; it is in use only once it is on disk.
    pub fn store_certificate(&self, certificate: StoredCertificate) -> Result<(), KeyringError> {
        self.dir.write_generation(CERTIFICATE, &certificate.to_bytes())?;
        self.warn(CERTIFICATE, None);
        *self.certificate.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(certificate));
        Ok(())
    }

    /// Stores a new continuity token; it is in use only once it is on disk, and the one before is gone then. While it cannot be stored,
    /// [`Keyring::warnings`] says so.
    pub fn store_continuity(&self, token: ContinuityToken) -> Result<(), KeyringError> {
        if let Err(error) = self.dir.write(CONTINUITY, token.expose()) {
            let path = self.dir.file(CONTINUITY);
            let warning = format!(
                "state file {} cannot be written: until it can, no job is taken and no session lasts",
                path.display()
            );
            self.warn(CONTINUITY, Some(warning));
            return Err(error);
        }
        self.warn(CONTINUITY, None);
        *self.continuity.write().unwrap_or_else(PoisonError::into_inner) = Some(token);
        Ok(())
    }

    /// Stores a new trust bundle if it is newer than the one in use, and says which version is in use then.
    ///
    /// # Errors
    /// [`KeyringError::TrustUnrelated`] if it shares no root with the one in use: roots are replaced one after another, so that no single
    /// message can hand a sensor over to somebody else, or cut it off.
    pub fn store_trust(&self, trust: TrustBundle) -> Result<u64, KeyringError> {
        let current = self.trust();
        if trust.version <= current.version {
            return Ok(current.version);
        }
        let pins = current.pins();
        if !trust.pins().iter().any(|pin| pins.contains(pin)) {
            return Err(KeyringError::TrustUnrelated {
                version: trust.version,
                current: current.version,
            });
        }
        let version = trust.version;
        self.dir.write_generation(TRUST, &trust.to_bytes())?;
        self.warn(TRUST, None);
        *self.trust.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(trust);
        Ok(version)
    }

    /// Counts one more start and gives its number, from 1. A damaged counter begins again: it tells starts apart, nothing more.
    pub fn count_start(&self) -> Result<u64, KeyringError> {
        let last = match self.dir.read(INCARNATION) {
            Ok(Some(bytes)) => std::str::from_utf8(&bytes)
                .ok()
                .and_then(|text| text.parse().ok()),
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(%error, "the start counter begins again");
                None
            }
        };
        let next = last.unwrap_or(0_u64).saturating_add(1);
        self.dir.write(INCARNATION, next.to_string().as_bytes())?;
        Ok(next)
    }

    /// Called after the control plane said, over an authenticated connection, that this sensor is revoked: destroys the private keys, the
    /// certificate and the continuity token; who it was stays readable.
    pub fn revoke(&self, at: Timestamp) -> Result<(), KeyringError> {
        let revoked = Enrolment::Revoked(Revoked {
            was: self.enrolled.clone(),
            at,
        });
        self.dir.write(ENROLMENT, &revoked.to_bytes())?;
        for name in [CERTIFICATE, CONTINUITY, SEALING_KEYS, IDENTITY_KEY, TLS_KEY] {
            self.dir.remove(name)?;
        }
        Ok(())
    }
}

/// The certificate; none if no generation of it is sound.
fn certificate(dir: &StateDir, warnings: &mut Warnings) -> Result<Option<StoredCertificate>, KeyringError> {
    match generation(dir, CERTIFICATE, StoredCertificate::from_bytes, warnings) {
        Ok(certificate) => Ok(Some(certificate)),
        Err(error @ KeyringError::Damaged { .. }) => {
            tracing::error!(%error, "the certificate is lost; another is asked for");
            warnings.insert(CERTIFICATE, format!("{error}; another certificate is asked for"));
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

/// The continuity token; none if it is lost. One that cannot be read just now is not lost.
fn continuity(
    dir: &StateDir,
    name: &str,
    warnings: &mut Warnings,
) -> Result<Option<ContinuityToken>, KeyringError> {
    let damaged = |why: &str| KeyringError::Damaged {
        path: dir.file(CONTINUITY),
        why: why.to_owned(),
    };
    let lost = match dir.read(CONTINUITY) {
        Ok(Some(bytes)) => match ContinuityToken::new(&bytes) {
            Some(token) => return Ok(Some(token)),
            None => damaged("it holds no token"),
        },
        Ok(None) => damaged("it is missing"),
        Err(error @ (KeyringError::Damaged { .. } | KeyringError::File(FileError::TooLarge { .. }))) => error,
        Err(other) => return Err(other),
    };
    tracing::error!(error = %lost, "no continuity token can be shown");
    let warning = format!(
        "{lost}; without it the control plane takes this sensor for a copy. If it is none, ask an administrator: portolan sensor approve {name}"
    );
    warnings.insert(CONTINUITY, warning);
    Ok(None)
}

fn generation<T>(
    dir: &StateDir,
    name: &'static str,
    read: fn(&[u8]) -> Result<T, String>,
    warnings: &mut Warnings,
) -> Result<T, KeyringError> {
    let damaged = |why: String| KeyringError::Damaged {
        path: dir.file(name),
        why,
    };
    let found = dir
        .read_generation(name)?
        .ok_or_else(|| damaged("it is missing".to_owned()))?;
    if let Some(damage) = found.damaged {
        tracing::warn!(%damage, "the previous generation is used");
        warnings.insert(name, format!("{damage}; the previous generation is used"));
    }
    read(&found.payload).map_err(damaged)
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
