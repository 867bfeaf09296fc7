//! Invitations, and the transaction by which a sensor comes into being.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{InvitationId, SensorId, SensorState, TenantId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

use super::columns::{Columns, millis};
use super::failure::{During as _, is_unknown_tenant};
use super::rows::hex;
use super::{SqliteStore, audit, keyset};
use crate::{
    AuditEntry, Continuity, Enrolment, EnrolmentClaim, EnrolmentOutcome, EntryFor, Invitation,
    InvitationState, NewInvitation, Page, PageRequest, StoreError, TokenHash,
};

/// How long after they were bound the same keys may claim again: the answer to the first claim may have been lost.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);
const ENROL: &str = "enrol a sensor";
/// Finds an invitation, or else one that nobody can use: both are read and compared alike, so that the time this takes does not tell which.
const FIND: &str = "SELECT 1 AS known, tenant_id, invitation_id, secret_hash, sensor_name, created_by, created_at, expires_at,
            revoked_at, bound_sensor, bound_at, bound_source
     FROM invitation WHERE invitation_id = ?1
     UNION ALL SELECT 0, zeroblob(16), zeroblob(16), zeroblob(32), 'a-sensor', 'somebody', 0, 0, NULL, NULL, NULL, NULL
     ORDER BY known DESC LIMIT 1";

#[async_trait]
impl Enrolment for SqliteStore {
    async fn add_invitation(&self, invitation: &NewInvitation, entry: &AuditEntry) -> Result<(), StoreError> {
        const ACTION: &str = "add an invitation";
        let mut tx = self.write().await?;
        let taken: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM sensor WHERE tenant_id = ?1 AND name = ?2 AND deleted_at IS NULL)
                 OR EXISTS (SELECT 1 FROM invitation WHERE tenant_id = ?1 AND sensor_name = ?2
                               AND bound_sensor IS NULL AND revoked_at IS NULL AND expires_at > ?3)",
        )
        .bind(invitation.tenant.as_bytes().as_slice())
        .bind(&invitation.sensor_name)
        .bind(millis(invitation.created_at))
        .fetch_one(&mut *tx)
        .await
        .during(ACTION)?;
        if taken {
            return Err(StoreError::Taken {
                what: "sensor",
                name: invitation.sensor_name.clone(),
            });
        }
        let inserted = sqlx::query(
            "INSERT INTO invitation (tenant_id, invitation_id, secret_hash, sensor_name, created_by, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .bind(invitation.tenant.as_bytes().as_slice())
        .bind(invitation.id.as_bytes().as_slice())
        .bind(invitation.hash.0.as_slice())
        .bind(&invitation.sensor_name)
        .bind(&invitation.created_by)
        .bind(millis(invitation.created_at))
        .bind(millis(invitation.expires_at))
        .execute(&mut *tx)
        .await;
        match inserted {
            Err(error) if is_unknown_tenant(&error) => Err(StoreError::Unknown {
                what: "tenant",
                name: invitation.tenant.to_string(),
            }),
            other => {
                other.during(ACTION)?;
                audit::append(&mut tx, invitation.tenant, entry).await?;
                tx.commit().await.during(ACTION)
            }
        }
    }

    async fn invitations(
        &self,
        tenant: TenantId,
        now: Timestamp,
        page: &PageRequest,
    ) -> Result<Page<Invitation>, StoreError> {
        let (at, id) = match keyset::after::<(i64, String)>(page)? {
            Some((at, id)) => (at, Some(id)),
            None => (i64::MAX, None),
        };
        let rows = sqlx::query(
            "SELECT * FROM invitation
             WHERE tenant_id = ?1 AND created_at <= ?2 AND (?3 IS NULL OR (created_at, invitation_id) < (?2, unhex(?3)))
             ORDER BY created_at DESC, invitation_id DESC LIMIT ?4",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(at)
        .bind(id)
        .bind(keyset::rows_wanted(page))
        .fetch_all(self.reader())
        .await
        .during("list invitations")?;
        let invitations = rows
            .iter()
            .map(|row| {
                let stored = StoredInvitation::read(row)?;
                let state = stored.state(now);
                Ok(Invitation {
                    invitation: stored.invitation,
                    state,
                })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        keyset::page(page, invitations, |last| {
            let last = &last.invitation;
            (millis(last.created_at), hex(last.id.as_bytes()))
        })
    }

    async fn invitation_of(
        &self,
        tenant: TenantId,
        sensor: SensorId,
    ) -> Result<Option<InvitationId>, StoreError> {
        let row =
            sqlx::query("SELECT invitation_id FROM invitation WHERE tenant_id = ?1 AND bound_sensor = ?2")
                .bind(tenant.as_bytes().as_slice())
                .bind(sensor.as_bytes().as_slice())
                .fetch_optional(self.reader())
                .await
                .during("find a sensor's invitation")?;
        row.map(|row| Columns::of("invitation", &row).bytes("invitation_id", InvitationId::from_slice))
            .transpose()
    }

    async fn revoke_invitation(
        &self,
        tenant: TenantId,
        id: InvitationId,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let statement = sqlx::query(
            "UPDATE invitation SET revoked_at = ?3
             WHERE tenant_id = ?1 AND invitation_id = ?2 AND revoked_at IS NULL AND bound_sensor IS NULL AND expires_at > ?3",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(millis(now));
        audit::with_entry(self, "withdraw an invitation", statement, tenant, entry).await
    }

    async fn enrol(
        &self,
        claim: &EnrolmentClaim,
        note: EntryFor<'_, EnrolmentOutcome>,
    ) -> Result<EnrolmentOutcome, StoreError> {
        let mut tx = self.write().await?;
        let row = sqlx::query(FIND)
            .bind(claim.invitation.as_bytes().as_slice())
            .fetch_one(&mut *tx)
            .await
            .during(ENROL)?;
        let known = Columns::of("invitation", &row).get("known")?;
        let stored = StoredInvitation::read(&row)?;
        let outcome = judge(&mut tx, claim, stored, known).await?;
        if let (Some(tenant), Some(entry)) = (outcome.tenant(), note(&outcome)) {
            audit::append(&mut tx, tenant, &entry).await?;
        }
        tx.commit().await.during(ENROL)?;
        Ok(outcome)
    }
}

async fn judge(
    tx: &mut Transaction<'static, Sqlite>,
    claim: &EnrolmentClaim,
    stored: StoredInvitation,
    known: bool,
) -> Result<EnrolmentOutcome, StoreError> {
    let invalid = |tenant, why| Ok(EnrolmentOutcome::Invalid { tenant, why });
    let right = same(&stored.invitation.hash.0, &claim.hash.0);
    if !known {
        return invalid(None, "there is no such invitation");
    }
    let tenant = stored.invitation.tenant;
    if !right {
        return invalid(Some(tenant), "the secret is wrong");
    }
    if let Some(bound) = &stored.bound {
        return claimed_before(tx, claim, &stored, bound).await;
    }
    if stored.revoked {
        return invalid(Some(tenant), "the invitation was withdrawn");
    }
    if stored.invitation.expires_at <= claim.now {
        return invalid(Some(tenant), "the invitation has expired");
    }
    let identity_taken: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sensor WHERE identity_public_key = ?1)")
            .bind(claim.identity_public_key.as_slice())
            .fetch_one(&mut **tx)
            .await
            .during(ENROL)?;
    if identity_taken {
        return invalid(Some(tenant), "the identity key belongs to another sensor");
    }
    insert_sensor(tx, claim, &stored).await?;
    let bound = sqlx::query(
        "UPDATE invitation SET bound_sensor = ?3, bound_at = ?4, bound_source = ?5
         WHERE tenant_id = ?1 AND invitation_id = ?2 AND bound_sensor IS NULL AND revoked_at IS NULL AND expires_at > ?4",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(claim.invitation.as_bytes().as_slice())
    .bind(claim.new_sensor.as_bytes().as_slice())
    .bind(millis(claim.now))
    .bind(&claim.source)
    .execute(&mut **tx)
    .await
    .during(ENROL)?;
    if bound.rows_affected() != 1 {
        return Err(StoreError::Corrupt {
            table: "invitation",
            column: "bound_sensor",
        });
    }
    Ok(EnrolmentOutcome::Enrolled {
        sensor: claim.new_sensor,
        tenant,
        name: stored.invitation.sensor_name,
        invited_by: stored.invitation.created_by,
    })
}

/// The secret is right, and somebody has used it before: the same machine once more, or another one.
async fn claimed_before(
    tx: &mut Transaction<'static, Sqlite>,
    claim: &EnrolmentClaim,
    stored: &StoredInvitation,
    bound: &Bound,
) -> Result<EnrolmentOutcome, StoreError> {
    let tenant = stored.invitation.tenant;
    let row = sqlx::query(
        "SELECT identity_public_key, state, contested, continuity, outstanding FROM sensor WHERE tenant_id = ?1 AND sensor_id = ?2",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(bound.sensor.as_bytes().as_slice())
    .fetch_optional(&mut **tx)
    .await
    .during(ENROL)?;
    let invalid = |why| {
        Ok(EnrolmentOutcome::Invalid {
            tenant: Some(tenant),
            why,
        })
    };
    let Some(row) = row else {
        return invalid("the sensor was never used and is gone");
    };
    let row = Columns::of("sensor", &row);
    if row.array::<32>("identity_public_key")? != claim.identity_public_key {
        sqlx::query("UPDATE sensor SET contested = 1 WHERE tenant_id = ?1 AND sensor_id = ?2")
            .bind(tenant.as_bytes().as_slice())
            .bind(bound.sensor.as_bytes().as_slice())
            .execute(&mut **tx)
            .await
            .during(ENROL)?;
        return Ok(EnrolmentOutcome::AlreadyBound {
            sensor: bound.sensor,
            tenant,
            first_source: bound.source.clone(),
            newly_contested: !row.get::<bool>("contested")?,
        });
    }
    match row.text::<SensorState>("state")? {
        SensorState::Provisional | SensorState::Active => {}
        SensorState::Suspended | SensorState::Quarantined | SensorState::Revoked => {
            return invalid("the sensor is shut out");
        }
    }
    if claim.now.duration_since(bound.at) > AGAIN {
        return invalid("the time for trying again is over");
    }
    let mut continuity = Continuity::from_parts(row.opt_array("continuity")?, row.get("outstanding")?)
        .ok_or_else(|| row.corrupt("outstanding"))?;
    continuity.sent(claim.sent);
    let (current, outstanding) = continuity.to_parts();
    sqlx::query(
        "UPDATE sensor SET new_serial = ?3, new_not_after = ?4, continuity = ?5, outstanding = ?6
         WHERE tenant_id = ?1 AND sensor_id = ?2",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(bound.sensor.as_bytes().as_slice())
    .bind(claim.certificate.serial.as_slice())
    .bind(millis(claim.certificate.not_after))
    .bind(current.as_ref().map(<[u8; 32]>::as_slice))
    .bind(outstanding)
    .execute(&mut **tx)
    .await
    .during(ENROL)?;
    Ok(EnrolmentOutcome::Again {
        sensor: bound.sensor,
        tenant,
        name: stored.invitation.sensor_name.clone(),
        invited_by: stored.invitation.created_by.clone(),
    })
}

async fn insert_sensor(
    tx: &mut Transaction<'static, Sqlite>,
    claim: &EnrolmentClaim,
    stored: &StoredInvitation,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sensor (tenant_id, sensor_id, name, state, identity_public_key, current_serial, current_not_after,
                             hostname, os, architecture, agent_version, enrolled_at, enrolled_from, continuity)
         VALUES (?1, ?2, ?3, 'provisional', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )
    .bind(stored.invitation.tenant.as_bytes().as_slice())
    .bind(claim.new_sensor.as_bytes().as_slice())
    .bind(&stored.invitation.sensor_name)
    .bind(claim.identity_public_key.as_slice())
    .bind(claim.certificate.serial.as_slice())
    .bind(millis(claim.certificate.not_after))
    .bind(&claim.host.hostname)
    .bind(&claim.host.os)
    .bind(&claim.host.architecture)
    .bind(&claim.host.agent_version)
    .bind(millis(claim.now))
    .bind(&claim.source)
    .bind(claim.sent.0.as_slice())
    .execute(&mut **tx)
    .await
    .during(ENROL)?;
    Ok(())
}

/// Whether two hashes are equal, in a time that does not tell where they differ.
fn same(left: &[u8; 32], right: &[u8; 32]) -> bool {
    let difference = left.iter().zip(right).fold(0, |sum, (l, r)| sum | (l ^ r));
    std::hint::black_box(difference) == 0
}

struct Bound {
    sensor: SensorId,
    at: Timestamp,
    source: String,
}

struct StoredInvitation {
    invitation: NewInvitation,
    revoked: bool,
    bound: Option<Bound>,
}

impl StoredInvitation {
    fn read(row: &SqliteRow) -> Result<Self, StoreError> {
        let row = Columns::of("invitation", row);
        let bound = match row.opt_bytes("bound_sensor", SensorId::from_slice)? {
            Some(sensor) => Some(Bound {
                sensor,
                at: row.time("bound_at")?,
                source: row.get("bound_source")?,
            }),
            None => None,
        };
        Ok(Self {
            invitation: NewInvitation {
                id: row.bytes("invitation_id", InvitationId::from_slice)?,
                tenant: row.bytes("tenant_id", TenantId::from_slice)?,
                hash: TokenHash(row.array("secret_hash")?),
                sensor_name: row.get("sensor_name")?,
                created_by: row.get("created_by")?,
                created_at: row.time("created_at")?,
                expires_at: row.time("expires_at")?,
            },
            revoked: row.opt_time("revoked_at")?.is_some(),
            bound,
        })
    }

    fn state(&self, now: Timestamp) -> InvitationState {
        match &self.bound {
            Some(bound) => InvitationState::Bound(bound.sensor),
            None if self.revoked || self.invitation.expires_at <= now => InvitationState::Expired,
            None => InvitationState::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_same_only_if_every_byte_is() {
        assert!(same(&[7; 32], &[7; 32]));
        for i in 0..32 {
            let mut other = [7; 32];
            other[i] ^= 0x80;
            assert!(!same(&[7; 32], &other), "byte {i}");
        }
    }
}
