//! All of a sensor's identity, loaded and kept.

use std::sync::{Arc, PoisonError, RwLock};

use data_encoding::{BASE64, HEXLOWER};
use jiff::Timestamp;
use portolan_shared::model::{InvitationId, SensorId};

use super::certificate::StoredCertificate;
use super::directory::StateDir;
use super::enrolment::{Enrolled, Enrolment, Pending, Revoked};
use super::error::KeyringError;
use super::key::{IdentityKey, TlsKey};
use super::trust::TrustBundle;

const ENROLMENT: &str = "enrolment";
const IDENTITY_KEY: &str = "identity.key";
const TLS_KEY: &str = "tls.key";
const CERTIFICATE: &str = "certificate";
const TRUST: &str = "trust";
const INCARNATION: &str = "incarnation";

/// Keys of an enrolment that has begun, on disk since before anything was sent.
#[derive(Debug)]
pub struct NewIdentity {
    /// The identity.
    pub identity: IdentityKey,
    /// The key of the first certificate.
    pub tls: TlsKey,
    /// The signing request for it, DER.
    pub signing_request: Vec<u8>,
}

impl NewIdentity {
    /// Makes the keys for an enrolment with this token and stores them before they are used, or takes up those of an earlier try with
    /// the same token.
    ///
    /// # Errors
    /// [`KeyringError::AlreadyEnrolled`] or [`KeyringError::Revoked`] if the directory has been used; its files are left alone.
    pub fn prepare(dir: &StateDir, invitation: InvitationId) -> Result<Self, KeyringError> {
        match enrolment(dir)? {
            Some(Enrolment::Enrolled(enrolled)) => {
                return Err(KeyringError::AlreadyEnrolled {
                    path: dir.path().to_owned(),
                    sensor: enrolled.sensor,
                });
            }
            Some(Enrolment::Revoked(revoked)) => return Err(revoked_error(&revoked)),
            Some(Enrolment::PendingEnrol(pending)) if pending.invitation == invitation => {
                return Self::take_up(dir, &pending);
            }
            // Another token: it never reached an end with the former one, and its keys bind nobody.
            Some(Enrolment::PendingEnrol(_)) | None => {}
        }
        let identity = IdentityKey::generate()?;
        let tls = TlsKey::generate()?;
        let signing_request = tls.signing_request()?;
        dir.write(IDENTITY_KEY, identity.pkcs8().expose())?;
        dir.write(TLS_KEY, tls.pkcs8().expose())?;
        let pending = Enrolment::PendingEnrol(Pending {
            invitation,
            signing_request: BASE64.encode(&signing_request),
        });
        dir.write(ENROLMENT, &pending.to_bytes())?;
        Ok(Self {
            identity,
            tls,
            signing_request,
        })
    }

    fn take_up(dir: &StateDir, pending: &Pending) -> Result<Self, KeyringError> {
        let missing = |name: &str| KeyringError::Damaged {
            path: dir.file(name),
            why: "it is missing".to_owned(),
        };
        let tls = dir.read(TLS_KEY)?.ok_or_else(|| missing(TLS_KEY))?;
        let signing_request =
            BASE64
                .decode(pending.signing_request.as_bytes())
                .map_err(|_| KeyringError::Damaged {
                    path: dir.file(ENROLMENT),
                    why: "its signing request is not base64".to_owned(),
                })?;
        Ok(Self {
            identity: identity_key(dir)?,
            tls: TlsKey::from_pkcs8(&tls)?,
            signing_request,
        })
    }

    /// Stores what the control plane answered. The state says enrolled only after everything else is on disk, so a crash in
    /// between leads to one more try with the same keys.
    pub fn complete(
        self,
        dir: &StateDir,
        enrolled: &Enrolled,
        certificate: &StoredCertificate,
        trust: &TrustBundle,
    ) -> Result<(), KeyringError> {
        dir.write_generation(CERTIFICATE, &certificate.to_bytes())?;
        dir.write_generation(TRUST, &trust.to_bytes())?;
        dir.write(INCARNATION, b"0")?;
        dir.write(ENROLMENT, &Enrolment::Enrolled(enrolled.clone()).to_bytes())?;
        // The certificate's file holds this key too.
        dir.remove(TLS_KEY)
    }
}

/// The identity of an enrolled sensor.
#[derive(Debug)]
pub struct Keyring {
    dir: StateDir,
    enrolled: Enrolled,
    identity: IdentityKey,
    certificate: RwLock<Arc<StoredCertificate>>,
    trust: RwLock<Arc<TrustBundle>>,
    warnings: Vec<String>,
}

impl Keyring {
    /// Loads everything.
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
        let mut warnings = Vec::new();
        let certificate = generation(&dir, CERTIFICATE, StoredCertificate::from_bytes, &mut warnings)?;
        let trust = generation(&dir, TRUST, TrustBundle::from_bytes, &mut warnings)?;
        let identity = identity_key(&dir)?;
        if HEXLOWER.encode(identity.public_key()) != enrolled.identity {
            return Err(KeyringError::IdentityLost {
                path: dir.file(IDENTITY_KEY),
                why: "it is another key than the one this sensor was enrolled with".to_owned(),
            });
        }
        Ok(Self {
            identity,
            enrolled,
            certificate: RwLock::new(Arc::new(certificate)),
            trust: RwLock::new(Arc::new(trust)),
            warnings,
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

    /// State files of which the previous generation is in use.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The certificate in use.
    #[must_use]
    pub fn certificate(&self) -> Arc<StoredCertificate> {
        Arc::clone(&self.certificate.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The trust bundle in use.
    #[must_use]
    pub fn trust(&self) -> Arc<TrustBundle> {
        Arc::clone(&self.trust.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stores a new certificate; it is in use only once it is on disk.
    pub fn store_certificate(&self, certificate: StoredCertificate) -> Result<(), KeyringError> {
        self.dir.write_generation(CERTIFICATE, &certificate.to_bytes())?;
        *self.certificate.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certificate);
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

    /// Called after the control plane said, over an authenticated connection, that this sensor is revoked: destroys the private keys and
    /// the certificate; who it was stays readable.
    pub fn revoke(&self, at: Timestamp) -> Result<(), KeyringError> {
        let revoked = Enrolment::Revoked(Revoked {
            was: self.enrolled.clone(),
            at,
        });
        self.dir.write(ENROLMENT, &revoked.to_bytes())?;
        for name in [CERTIFICATE, IDENTITY_KEY, TLS_KEY] {
            self.dir.remove(name)?;
        }
        Ok(())
    }
}

fn revoked_error(revoked: &Revoked) -> KeyringError {
    KeyringError::Revoked {
        sensor: revoked.was.sensor,
        at: revoked.at,
    }
}

fn enrolment(dir: &StateDir) -> Result<Option<Enrolment>, KeyringError> {
    let Some(bytes) = dir.read(ENROLMENT)? else {
        return Ok(None);
    };
    Enrolment::from_bytes(&bytes)
        .map(Some)
        .map_err(|why| KeyringError::Damaged {
            path: dir.file(ENROLMENT),
            why,
        })
}

fn identity_key(dir: &StateDir) -> Result<IdentityKey, KeyringError> {
    let lost = |why: String| KeyringError::IdentityLost {
        path: dir.file(IDENTITY_KEY),
        why,
    };
    match dir.read(IDENTITY_KEY) {
        Ok(Some(pkcs8)) => {
            IdentityKey::from_pkcs8(&pkcs8).map_err(|_| lost("it is not an Ed25519 key".to_owned()))
        }
        Ok(None) => Err(lost("it is missing".to_owned())),
        Err(KeyringError::Damaged { why, .. }) => Err(lost(why)),
        Err(other) => Err(other),
    }
}

fn generation<T>(
    dir: &StateDir,
    name: &str,
    read: fn(&[u8]) -> Result<T, String>,
    warnings: &mut Vec<String>,
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
        warnings.push(format!("{damage}; the previous generation is used"));
    }
    read(&found.payload).map_err(damaged)
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
