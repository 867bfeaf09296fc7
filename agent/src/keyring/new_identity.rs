//! The keys of an enrolment that has begun.

use data_encoding::BASE64;
use portolan_shared::model::InvitationId;

use super::certificate::StoredCertificate;
use super::continuity::ContinuityToken;
use super::directory::StateDir;
use super::enrolment::{Enrolled, Enrolment, Pending};
use super::error::KeyringError;
use super::files::{
    CERTIFICATE, CONTINUITY, ENROLMENT, IDENTITY_KEY, INCARNATION, TLS_KEY, TRUST, enrolment, identity_key,
    revoked_error,
};
use super::key::{IdentityKey, TlsKey};
use super::trust::TrustBundle;

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
        continuity: &ContinuityToken,
    ) -> Result<(), KeyringError> {
        dir.write_generation(CERTIFICATE, &certificate.to_bytes())?;
        dir.write_generation(TRUST, &trust.to_bytes())?;
        dir.write(CONTINUITY, continuity.expose())?;
        dir.write(INCARNATION, b"0")?;
        dir.write(ENROLMENT, &Enrolment::Enrolled(enrolled.clone()).to_bytes())?;
        // The certificate's file holds this key too.
        dir.remove(TLS_KEY)
    }
}
