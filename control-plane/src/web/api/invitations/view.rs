//! What an invitation looks like, and what one is made from.

use jiff::Timestamp;
use portolan_store::InvitationState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An invitation. Its token is shown once, when it is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// Its id, the public part of the token.
    #[schema(format = "uuid")]
    pub id: String,
    /// The name that the sensor gets.
    pub sensor_name: String,
    /// `open`, `bound` or `expired`.
    pub state: String,
    /// The sensor that used it, if it is bound.
    #[schema(format = "uuid")]
    pub sensor_id: Option<String>,
    /// Who made it: the name of an API token.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl From<portolan_store::Invitation> for Invitation {
    fn from(record: portolan_store::Invitation) -> Self {
        let (state, sensor) = match record.state {
            InvitationState::Open => ("open", None),
            InvitationState::Bound(sensor) => ("bound", Some(sensor)),
            InvitationState::Expired => ("expired", None),
        };
        Self {
            id: record.invitation.id.to_string(),
            sensor_name: record.invitation.sensor_name,
            state: state.to_owned(),
            sensor_id: sensor.map(|id| id.to_string()),
            created_by: record.invitation.created_by,
            created_at: record.invitation.created_at,
            expires_at: record.invitation.expires_at,
        }
    }
}

/// An invitation to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInvitation {
    /// The name that the sensor gets; unique within the tenant.
    #[schema(example = "berlin-1")]
    pub sensor_name: String,
    /// How long the token can be used; an hour if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 86_400)]
    pub ttl_seconds: Option<u64>,
}

/// An invitation that was just made.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedInvitation {
    /// Its id.
    #[schema(format = "uuid")]
    pub id: String,
    /// The name that the sensor gets.
    pub sensor_name: String,
    /// The enrolment token, for `portolan-agent enroll`. It can be used once and is not to be had again.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
}
