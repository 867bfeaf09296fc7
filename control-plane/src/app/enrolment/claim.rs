//! The claim: a machine shows a token's secret and becomes a sensor, or not.

use jiff::Timestamp;
use portolan_shared::model::{HostFacts, InvitationId, SensorId, TenantId};
use portolan_shared::secret::SecretBytes;
use portolan_store::{AuditEntry, AuditSeverity, Certificate, EnrolmentClaim, EnrolmentOutcome, StoreError};
use rustls_pki_types::CertificateDer;
use serde_json::json;

use super::entry::entry;
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
    /// The sensor's name.
    pub name: String,
    /// Leaf first, without the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// When it ends.
    pub not_after: Timestamp,
}

/// Why a machine did not become a sensor.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// Unknown, wrong, expired, revoked, used up: always the same to the outside.
    #[error("the enrolment token is not valid")]
    Invalid(Option<LateNote>),
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
    tenant: TenantId,
    entry: Box<AuditEntry>,
}

impl App {
    /// Judges an attempt to enrol, and issues the certificate if it is good. Every attempt takes the same way through hash and store,
    /// whatever is wrong with it, so that its duration tells nothing.
    pub async fn enrol(
        &self,
        authority: &Authority,
        attempt: EnrolmentAttempt,
    ) -> Result<IssuedSensor, EnrolmentError> {
        let now = self.clock.now();
        let planned = authority.plan(now);
        let not_after = planned.not_after();
        let hash = if attempt.proven {
            self.secret_hash(&attempt.secret)
        } else {
            // No invitation can have this one: whoever cannot sign for its key is not told whether the secret was right.
            self.pepper.hash("unproven", attempt.secret.expose())
        };
        let outcome = self
            .store
            .enrol(&EnrolmentClaim {
                invitation: attempt.invitation,
                hash,
                identity_public_key: attempt.identity_public_key,
                new_sensor: SensorId::generate(self.clock.as_ref(), self.rng.as_ref()),
                certificate: Certificate {
                    serial: planned.serial,
                    not_after,
                },
                host: attempt.host,
                source: attempt.source.clone(),
                now,
            })
            .await?;
        let (sensor, tenant, action, name) = match outcome {
            EnrolmentOutcome::Enrolled { sensor, tenant, name } => (sensor, tenant, "sensor.enrol", name),
            EnrolmentOutcome::Again { sensor, tenant, name } => (sensor, tenant, "sensor.enrol_again", name),
            EnrolmentOutcome::AlreadyBound {
                sensor,
                tenant,
                first_source,
                newly_contested,
            } => {
                let severity = if newly_contested {
                    AuditSeverity::High
                } else {
                    AuditSeverity::Notice
                };
                let details = json!({ "first_source": first_source, "second_source": attempt.source });
                let actor = format!("address:{}", attempt.source);
                let object = format!("sensor:{sensor}");
                self.note_machine(
                    tenant,
                    entry(now, actor, "sensor.contested", object, severity, details),
                )
                .await?;
                return Err(EnrolmentError::AlreadyBound);
            }
            EnrolmentOutcome::Invalid { tenant, why } => {
                let why = if attempt.proven {
                    why
                } else {
                    "the request is not signed by its own key"
                };
                tracing::info!(invitation = %attempt.invitation, source = %attempt.source, why, "enrolment refused");
                let note = tenant.map(|tenant| {
                    let actor = format!("address:{}", attempt.source);
                    let object = format!("invitation:{}", attempt.invitation);
                    let severity = AuditSeverity::Notice;
                    let details = json!({ "why": why });
                    let refused = entry(now, actor, "sensor.enrol_refused", object, severity, details);
                    LateNote {
                        tenant,
                        entry: Box::new(refused),
                    }
                });
                return Err(EnrolmentError::Invalid(note));
            }
        };
        let chain = authority.issue_sensor(planned, tenant, sensor, &attempt.key)?;
        let details = json!({ "name": name, "odd_request": attempt.key.odd });
        let actor = format!("address:{}", attempt.source);
        let object = format!("sensor:{sensor}");
        self.note_machine(
            tenant,
            entry(now, actor, action, object, AuditSeverity::Info, details),
        )
        .await?;
        tracing::info!(%sensor, name, source = %attempt.source, action, "enrolled");
        Ok(IssuedSensor {
            sensor,
            tenant,
            name,
            chain,
            not_after,
        })
    }

    /// Writes an entry that was left for after the answer.
    pub async fn write_note(&self, note: LateNote) -> Result<(), StoreError> {
        self.note_machine(note.tenant, *note.entry).await
    }
}
