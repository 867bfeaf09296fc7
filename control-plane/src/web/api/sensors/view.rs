//! What a sensor looks like.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use portolan_store::SensorRecord;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;

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
    /// `provisional`, `active` or `revoked`.
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
}

impl Sensor {
    pub(super) fn of(app: &App, record: SensorRecord) -> Self {
        Self {
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
        }
    }
}
