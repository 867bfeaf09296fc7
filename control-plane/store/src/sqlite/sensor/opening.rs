//! Opening a session, and what a sensor has stored since.

use portolan_shared::model::{Reason, SensorId, SensorState, TenantId};

use super::super::SqliteStore;
use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::record::locked;
use crate::{ContinuityHash, OpenedSession, SessionOpening, SessionOutcome, StoreError};

const OPEN: &str = "open a session";
const STORED: &str = "note a stored continuity token";

pub(super) async fn open(
    store: &SqliteStore,
    opening: &SessionOpening,
) -> Result<SessionOutcome, StoreError> {
    let mut tx = store.write().await?;
    let Some(sensor) = locked(&mut tx, opening.tenant, opening.sensor, OPEN).await? else {
        return Ok(SessionOutcome::Refused(Reason::IdentityUnknown));
    };
    if let Some(reason) = sensor.state.shut_out() {
        return Ok(SessionOutcome::Refused(reason));
    }
    let certificate = if sensor.current.serial == opening.serial {
        &sensor.current
    } else {
        match &sensor.new {
            Some(new) if new.serial == opening.serial => new,
            Some(_) | None => return Ok(SessionOutcome::Refused(Reason::CertificateNotCurrent)),
        }
    };
    let promoted = *certificate != sensor.current;
    let mut continuity = sensor.continuity.clone();
    if !continuity.opened(opening.shown, opening.sent) {
        let amnesty = sensor.amnesty_until.is_some_and(|until| opening.now < until);
        return Ok(if amnesty {
            // Perhaps a token that was given to it after the backup was taken: the proof of its identity key decides.
            SessionOutcome::Refused(Reason::CertificateNotCurrent)
        } else {
            SessionOutcome::Stale
        });
    }
    let (current, outstanding) = continuity.to_parts();
    let row = sqlx::query(
        "UPDATE sensor SET
             state = 'active', session_epoch = session_epoch + 1, last_seen_at = ?3,
             current_serial = ?4, current_not_after = ?5,
             new_serial = iif(?6, NULL, new_serial), new_not_after = iif(?6, NULL, new_not_after),
             approved_until = iif(?6, NULL, approved_until), amnesty_until = NULL,
             approved_fingerprint = iif(?6, NULL, approved_fingerprint),
             hostname = ?7, os = ?8, architecture = ?9, agent_version = ?10,
             policy_hash = ?11, policy_summary = ?12, clock_skew_ms = ?13, told_at = ?3 + ?13, continuity = ?14, outstanding = ?15,
             fingerprint = ?16, boot_id = ?17, incarnation = ?18, seen_from = ?19, notify_url = ?20, looks_beside = ?21
         WHERE tenant_id = ?1 AND sensor_id = ?2 AND state IN ('provisional', 'active')
         RETURNING session_epoch",
    )
    .bind(opening.tenant.as_bytes().as_slice())
    .bind(opening.sensor.as_bytes().as_slice())
    .bind(millis(opening.now))
    .bind(certificate.serial.as_slice())
    .bind(millis(certificate.not_after))
    .bind(promoted)
    .bind(&opening.host.hostname)
    .bind(&opening.host.os)
    .bind(&opening.host.architecture)
    .bind(&opening.host.agent_version)
    .bind(opening.policy_hash.as_ref().map(<[u8; 32]>::as_slice))
    .bind(&opening.policy_summary)
    .bind(opening.clock_skew_ms)
    .bind(current.as_ref().map(<[u8; 32]>::as_slice))
    .bind(outstanding)
    .bind(opening.machine.fingerprint.as_ref().map(<[u8; 16]>::as_slice))
    .bind(&opening.machine.boot_id)
    .bind(integer(opening.machine.incarnation))
    .bind(&opening.machine.seen_from)
    .bind(&opening.notify_url)
    .bind(opening.looks_beside)
    .fetch_one(&mut *tx)
    .await
    .during(OPEN)?;
    tx.commit().await.during(OPEN)?;
    Ok(SessionOutcome::Opened(OpenedSession {
        epoch: Columns::of("sensor", &row).number("session_epoch")?,
        name: sensor.name,
        first: sensor.state == SensorState::Provisional,
        generation: sensor.generation,
    }))
}

pub(super) async fn stored(
    store: &SqliteStore,
    tenant: TenantId,
    sensor: SensorId,
    session_epoch: u64,
    token: ContinuityHash,
) -> Result<bool, StoreError> {
    let mut tx = store.write().await?;
    let Some(found) = locked(&mut tx, tenant, sensor, STORED).await? else {
        return Ok(false);
    };
    let mut continuity = found.continuity;
    if found.session_epoch != session_epoch || !continuity.stored(token) {
        return Ok(false);
    }
    let (current, outstanding) = continuity.to_parts();
    sqlx::query(
        "UPDATE sensor SET continuity = ?3, outstanding = ?4 WHERE tenant_id = ?1 AND sensor_id = ?2",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .bind(current.as_ref().map(<[u8; 32]>::as_slice))
    .bind(outstanding)
    .execute(&mut *tx)
    .await
    .during(STORED)?;
    tx.commit().await.during(STORED)?;
    Ok(true)
}
