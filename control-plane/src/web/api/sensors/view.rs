//! What a sensor looks like.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use portolan_shared::secret::sealed::IdentityPublicKey;
use portolan_store::{HeldRun, SensorRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{App, judge_sensor};
use crate::web::api::SensorFreshnessView;

/// What a sensor's machine tells of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Host {
    /// Host name.
    pub hostname: String,
    /// Operating system.
    pub os: String,
    /// Processor architecture.
    pub architecture: String,
    /// Version of the agent.
    pub agent_version: String,
}

/// A sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sensor {
    /// Its id.
    #[schema(format = "uuid")]
    pub id: String,
    /// Its name, unique within the tenant.
    pub name: String,
    /// `provisional`, `active`, `suspended`, `quarantined` or `revoked`.
    pub state: String,
    /// Whether it was heard of within the last 90 seconds.
    pub online: bool,
    /// When it was last heard of.
    pub last_seen_at: Option<Timestamp>,
    /// Somebody else showed the secret of its enrolment token: look into it.
    pub contested: bool,
    /// When its certificate ends. It renews it long before.
    pub certificate_ends_at: Timestamp,
    /// Its machine.
    pub host: Host,
    /// Its local policy in a few words, as it last said.
    pub policy_summary: String,
    /// SHA-256 of its local policy in hexadecimal, as it last said.
    pub policy_hash: Option<String>,
    /// Its clock minus ours at the last session, in milliseconds.
    pub clock_skew_ms: i64,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// Where its enrolment came from.
    pub enrolled_from: String,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// SHA-256 of its identity key, the first 100 bits: four groups of five characters. The same as on its own machine.
    pub identity_fingerprint: String,
    /// Counts up each time that its state may have existed twice.
    pub generation: u64,
    /// Until when it may recover without questions, until it has opened a session.
    pub approved_until: Option<Timestamp>,
    /// Until when it may recover once with a state that is not known here, because the database was restored from a backup; until it has opened
    /// a session.
    pub amnesty_until: Option<Timestamp>,
    /// The machine that this holds for, in hexadecimal; none: any.
    pub approved_fingerprint: Option<String>,
    /// Where its last session came from.
    pub seen_from: String,
    /// Starts of its agent since enrolment.
    pub starts: u64,
    /// How it is.
    pub freshness: SensorFreshnessView,
}

impl Sensor {
    pub(super) fn of(app: &App, record: SensorRecord, held: &[HeldRun]) -> Self {
        Self {
            freshness: judge_sensor(&record, held, app.clock.now()).into(),
            online: app.is_online(&record),
            id: record.id.to_string(),
            name: record.name,
            state: record.state.to_string(),
            last_seen_at: record.last_seen_at,
            contested: record.contested,
            certificate_ends_at: record.current.not_after,
            host: Host {
                hostname: record.host.hostname,
                os: record.host.os,
                architecture: record.host.architecture,
                agent_version: record.host.agent_version,
            },
            policy_summary: record.policy_summary,
            policy_hash: record.policy_hash.map(|hash| HEXLOWER.encode(&hash)),
            clock_skew_ms: record.clock_skew_ms,
            enrolled_at: record.enrolled_at,
            enrolled_from: record.enrolled_from,
            revoked_at: record.revoked_at,
            identity_fingerprint: IdentityPublicKey(record.identity_public_key)
                .fingerprint()
                .to_string(),
            generation: record.generation,
            approved_until: record.approved_until,
            amnesty_until: record.amnesty_until,
            approved_fingerprint: record.approved_fingerprint.map(|bytes| HEXLOWER.encode(&bytes)),
            seen_from: record.machine.seen_from,
            starts: record.machine.incarnation,
        }
    }
}
