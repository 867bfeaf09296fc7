//! The claim: a machine shows a token's secret and becomes a sensor, or not.

use jiff::Timestamp;
use portolan_shared::model::{HostFacts, InvitationId, SensorId, TenantId};
use portolan_shared::secret::SecretBytes;
use portolan_store::{
    AuditEntry, AuditSeverity, Certificate, ContinuityHash, EnrolmentClaim, EnrolmentOutcome, StoreError,
};
use rustls_pki_types::CertificateDer;
use serde_json::json;

use super::entry::{entry, issued};
use crate::app::App;
use crate::ca::{Authority, CaError, RequestedKey};

/// What a machine shows to become a sensor.
#[derive(Debug)]
pub struct EnrolmentAttempt {
    /// The public part of its token.
    pub invitation: InvitationId,
    /// The secret part of its token.
    pub secret: SecretBytes,
    /// Its identity key.
    pub identity_public_key: [u8; 32],
    /// Whether the request was signed with that key, over a root of ours.
    pub proven: bool,
    /// The key that it wants a certificate for.
    pub key: RequestedKey,
    /// What it tells of itself.
    pub host: HostFacts,
    /// The address that it came from.
    pub source: String,
}

/// A certificate for a sensor.
#[derive(Debug)]
pub struct IssuedSensor {
    /// Which sensor.
    pub sensor: SensorId,
    /// Of which tenant.
    pub tenant: TenantId,
    /// Leaf first, without the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// When it ends.
    pub not_after: Timestamp,
}

/// A sensor that was let in, with a certificate and the token that it shows with its next session.
#[derive(Debug)]
pub struct AdmittedSensor {
    /// The certificate.
    pub issued: IssuedSensor,
    /// 32 bytes. Only its hash is kept.
    pub continuity_token: SecretBytes,
}

/// A machine that became a sensor.
#[derive(Debug)]
pub struct EnrolledSensor {
    /// The name that its invitation promised.
    pub name: String,
    /// Its first certificate and token.
    pub admitted: AdmittedSensor,
}

/// Why a machine did not become a sensor.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// Unknown, wrong, expired, revoked, used up: always the same to the outside.
    #[error("the enrolment token is not valid")]
    Invalid(LateNote),
    /// The token is genuine, but other keys came first.
    #[error("the enrolment token was used by another machine first")]
    AlreadyBound,
    /// The database failed.
    #[error("the enrolment could not be stored")]
    Store(#[from] StoreError),
    /// No certificate could be made.
    #[error("no certificate could be issued")]
    Ca(#[from] CaError),
}

/// An entry of the audit log that is written once the answer is under way ([`App::write_note`]): otherwise the time that the answer takes
/// would tell whether the invitation exists.
#[derive(Debug)]
pub struct LateNote {
    /// None if there is no such invitation: then nobody's log gets it. It is made all the same.
    tenant: Option<TenantId>,
    entry: Box<AuditEntry>,
}

impl App {
    /// Judges an attempt to enrol, and issues the certificate if it is good. Every attempt takes the same way through hash and store,
    /// whatever is wrong with it, so that its duration tells nothing.
    pub async fn enrol(
        &self,
        authority: &Authority,
        attempt: EnrolmentAttempt,
    ) -> Result<EnrolledSensor, EnrolmentError> {
        let now = self.clock.now();
        let planned = authority.plan(now);
        let not_after = planned.not_after();
        let hash = if attempt.proven {
            self.secret_hash(&attempt.secret)
        } else {
            // No invitation can have this one: whoever cannot sign for its key is not told whether the secret was right.
            self.pepper.hash("unproven", attempt.secret.expose())
        };
        let continuity_token = self.continuity_token();
        let claim = EnrolmentClaim {
            invitation: attempt.invitation,
            hash,
            identity_public_key: attempt.identity_public_key,
            new_sensor: SensorId::generate(self.clock.as_ref(), self.rng.as_ref()),
            certificate: Certificate {
                serial: planned.serial,
                not_after,
            },
            host: attempt.host,
            sent: ContinuityHash::of(continuity_token.expose()),
            source: attempt.source.clone(),
            now,
        };
        let (source, odd) = (&attempt.source, attempt.key.odd);
        let note = |outcome: &EnrolmentOutcome| note(outcome, &claim, source, odd);
        let (sensor, tenant, name) = match self.store.enrol(&claim, &note).await? {
            EnrolmentOutcome::Enrolled {
                sensor, tenant, name, ..
            }
            | EnrolmentOutcome::Again {
                sensor, tenant, name, ..
            } => (sensor, tenant, name),
            EnrolmentOutcome::AlreadyBound { sensor, .. } => {
                tracing::warn!(%sensor, %source, "another machine showed the secret of this sensor's invitation");
                return Err(EnrolmentError::AlreadyBound);
            }
            EnrolmentOutcome::Invalid { tenant, why } => {
                let why = if attempt.proven {
                    why
                } else {
                    "the request is not signed by its own key"
                };
                tracing::info!(invitation = %attempt.invitation, %source, why, "enrolment refused");
                let actor = format!("address:{source}");
                let object = format!("invitation:{}", attempt.invitation);
                let severity = AuditSeverity::Notice;
                let details = json!({ "why": why });
                let refused = entry(now, actor, "sensor.enrol_refused", object, severity, details);
                return Err(EnrolmentError::Invalid(LateNote {
                    tenant,
                    entry: Box::new(refused),
                }));
            }
        };
        let chain = authority.issue_sensor(planned, tenant, sensor, &attempt.key)?;
        tracing::info!(%sensor, name, %source, "enrolled");
        Ok(EnrolledSensor {
            name,
            admitted: AdmittedSensor {
                issued: IssuedSensor {
                    sensor,
                    tenant,
                    chain,
                    not_after,
                },
                continuity_token,
            },
        })
    }

    /// A token for a sensor to show with its next session.
    pub(crate) fn continuity_token(&self) -> SecretBytes {
        let mut token = vec![0; 32];
        self.rng.fill(&mut token);
        SecretBytes::new(token)
    }

    /// Writes an entry that was left for after the answer.
    pub async fn write_note(&self, note: LateNote) -> Result<(), StoreError> {
        match note.tenant {
            Some(tenant) => self.store.append_audit(tenant, &note.entry).await.map(drop),
            None => Ok(()),
        }
    }
}

/// The entry that is written together with the outcome. Refusals get theirs later, see [`LateNote`].
fn note(outcome: &EnrolmentOutcome, claim: &EnrolmentClaim, source: &str, odd: bool) -> Option<AuditEntry> {
    let admitted = |name: &str, invited_by: &str| {
        let details = json!({
            "name": name, "odd_request": odd, "invitation": claim.invitation, "invited_by": invited_by,
        });
        issued(&claim.certificate, details)
    };
    let (action, sensor, severity, details) = match outcome {
        EnrolmentOutcome::Enrolled {
            sensor,
            name,
            invited_by,
            ..
        } => {
            let details = admitted(name, invited_by);
            ("sensor.enrol", sensor, AuditSeverity::Info, details)
        }
        EnrolmentOutcome::Again {
            sensor,
            name,
            invited_by,
            ..
        } => {
            let details = admitted(name, invited_by);
            ("sensor.enrol_again", sensor, AuditSeverity::Info, details)
        }
        EnrolmentOutcome::AlreadyBound {
            sensor,
            first_source,
            newly_contested,
            ..
        } => {
            let severity = if *newly_contested {
                AuditSeverity::High
            } else {
                AuditSeverity::Notice
            };
            let details = json!({ "first_source": first_source, "second_source": source });
            ("sensor.contested", sensor, severity, details)
        }
        EnrolmentOutcome::Invalid { .. } => return None,
    };
    let (actor, object) = (format!("address:{source}"), format!("sensor:{sensor}"));
    Some(entry(claim.now, actor, action, object, severity, details))
}
