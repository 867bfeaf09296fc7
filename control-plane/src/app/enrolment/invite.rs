//! Invitations: the control plane's half of an enrolment token.

use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::model::{InvitationId, RegistryName, SensorState};
use portolan_shared::secret::{EnrolmentToken, Secret, SecretBytes};
use portolan_store::{
    AuditSeverity, InvitationState, NewInvitation, PageRequest, Role, StoreError, TokenHash,
};
use serde_json::json;

use crate::app::{App, AppError, Caller};

/// Life of an invitation if nothing else is said.
pub const INVITATION_LIFE: Duration = Duration::from_secs(3_600);
/// Longest life of an invitation: refused above.
const INVITATION_LONGEST: Duration = Duration::from_secs(86_400);
/// Pages of invitations among which the one that has a name is looked for; beyond them it is only told that the name is taken.
const PAGES: usize = 20;
/// Shortest life of an invitation: refused below.
const INVITATION_SHORTEST: Duration = Duration::from_secs(60);

/// An invitation that was made. The token is shown once and not kept.
#[derive(Debug)]
pub struct Invited {
    /// The public part of the token.
    pub id: InvitationId,
    /// The token, for `portolan-agent enroll`.
    pub token: Secret,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl App {
    /// Makes an invitation for a sensor of this name. Takes an admin.
    ///
    /// # Errors
    /// [`AppError::Invalid`] for a name or life out of bounds, [`AppError::Taken`], [`AppError::InvitedAlready`] or
    /// [`AppError::NameOfRevoked`] if the name is in use.
    pub async fn invite_sensor(
        &self,
        caller: &Caller,
        name: &str,
        life: Option<Duration>,
    ) -> Result<Invited, AppError> {
        caller.require(Role::Admin)?;
        if !is_sensor_name(name) {
            let why = "expected at most 63 of lower-case letters, digits, '.', '_' and '-', starting with a letter or digit";
            return Err(AppError::invalid("sensor_name", why));
        }
        let life = life.unwrap_or(INVITATION_LIFE);
        if !(INVITATION_SHORTEST..=INVITATION_LONGEST).contains(&life) {
            return Err(AppError::invalid(
                "ttl_seconds",
                "must be from one minute to 24 hours",
            ));
        }
        let now = self.clock.now();
        let expires_at = now
            .checked_add(life)
            .map_err(|_| AppError::invalid("ttl_seconds", "ends beyond all time"))?;
        let id = InvitationId::random(self.rng.as_ref());
        let mut secret = vec![0; 32];
        self.rng.fill(&mut secret);
        let secret = SecretBytes::new(secret);
        let invitation = NewInvitation {
            id,
            tenant: caller.tenant,
            hash: self.secret_hash(&secret),
            sensor_name: name.to_owned(),
            created_by: caller.token_name.clone(),
            created_at: now,
            expires_at,
        };
        let object = format!("invitation:{id}");
        let details = json!({ "name": name, "expires_at": expires_at });
        let entry = caller.entry(now, "sensor.invite", object, AuditSeverity::Info, details);
        match self.store.add_invitation(&invitation, &entry).await {
            Err(StoreError::Taken { .. }) => return Err(self.by_whom_taken(caller, name).await?),
            added => added?,
        }
        let token = EnrolmentToken {
            url: self.sensor_url.clone(),
            pins: self.server_pins.clone(),
            invitation: id,
            secret,
            expires_at,
        };
        Ok(Invited {
            id,
            token: token.encode(),
            expires_at,
        })
    }

    /// Says what has a sensor's name.
    async fn by_whom_taken(&self, caller: &Caller, name: &str) -> Result<AppError, StoreError> {
        let (tenant, name) = (caller.tenant, name.to_owned());
        let taken = AppError::Taken {
            what: "sensor",
            name: name.clone(),
        };
        if let Some(sensor) = self.store.sensor_by_name(tenant, &name).await? {
            return Ok(match sensor.state {
                SensorState::Revoked => AppError::NameOfRevoked { name },
                SensorState::Provisional
                | SensorState::Active
                | SensorState::Suspended
                | SensorState::Quarantined => taken,
            });
        }
        let mut request = PageRequest::first();
        for _ in 0..PAGES {
            let page = self.store.invitations(tenant, self.clock.now(), &request).await?;
            let open = page
                .items
                .into_iter()
                .find(|found| found.state == InvitationState::Open && found.invitation.sensor_name == name);
            if let Some(open) = open {
                return Ok(AppError::InvitedAlready {
                    name,
                    invitation: open.invitation.id,
                    expires_at: open.invitation.expires_at,
                });
            }
            match page.next {
                Some(next) => request.after = Some(next),
                None => break,
            }
        }
        Ok(taken)
    }

    /// The hash under which the secret part of an enrolment token is stored.
    pub(super) fn secret_hash(&self, secret: &SecretBytes) -> TokenHash {
        self.pepper.hash("enrolment", secret.expose())
    }
}

/// Whether a text can be the name of a sensor.
fn is_sensor_name(text: &str) -> bool {
    text.parse::<RegistryName>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::limits;

    #[test]
    fn sensor_names_stop_at_their_bound() {
        assert!(is_sensor_name(&"a".repeat(limits::REGISTRY_NAME_BYTES)));
        assert!(!is_sensor_name(&"a".repeat(limits::REGISTRY_NAME_BYTES + 1)));
        for bad in ["", "Upper", "a b", "-a", "ä", "a/b"] {
            assert!(!is_sensor_name(bad), "{bad}");
        }
    }
}
