//! A sensor's row.

use portolan_shared::model::{HostFacts, SensorId, TenantId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

use super::super::columns::Columns;
use super::super::failure::During as _;
use crate::{Certificate, Continuity, MachineFacts, SensorRecord, StoreError};

/// A sensor as it is while nothing else writes.
pub(super) async fn locked(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    sensor: SensorId,
    action: &'static str,
) -> Result<Option<SensorRecord>, StoreError> {
    let row = sqlx::query("SELECT * FROM sensor WHERE tenant_id = ?1 AND sensor_id = ?2")
        .bind(tenant.as_bytes().as_slice())
        .bind(sensor.as_bytes().as_slice())
        .fetch_optional(&mut **tx)
        .await
        .during(action)?;
    row.as_ref().map(read).transpose()
}

pub(super) fn read(row: &SqliteRow) -> Result<SensorRecord, StoreError> {
    let row = Columns::of("sensor", row);
    let new = match row.opt_array("new_serial")? {
        Some(serial) => Some(Certificate {
            serial,
            not_after: row.time("new_not_after")?,
        }),
        None => None,
    };
    Ok(SensorRecord {
        id: row.bytes("sensor_id", SensorId::from_slice)?,
        tenant: row.bytes("tenant_id", TenantId::from_slice)?,
        name: row.get("name")?,
        state: row.text("state")?,
        contested: row.get("contested")?,
        identity_public_key: row.array("identity_public_key")?,
        current: Certificate {
            serial: row.array("current_serial")?,
            not_after: row.time("current_not_after")?,
        },
        new,
        session_epoch: row.number("session_epoch")?,
        host: HostFacts {
            hostname: row.get("hostname")?,
            os: row.get("os")?,
            architecture: row.get("architecture")?,
            agent_version: row.get("agent_version")?,
        },
        policy_hash: row.opt_array("policy_hash")?,
        policy_summary: row.get("policy_summary")?,
        notify_url: row.get("notify_url")?,
        clock_skew_ms: row.get("clock_skew_ms")?,
        enrolled_at: row.time("enrolled_at")?,
        enrolled_from: row.get("enrolled_from")?,
        last_seen_at: row.opt_time("last_seen_at")?,
        revoked_at: row.opt_time("revoked_at")?,
        continuity: Continuity::from_parts(row.opt_array("continuity")?, row.get("outstanding")?)
            .ok_or_else(|| row.corrupt("outstanding"))?,
        generation: row.number("generation")?,
        approved_until: row.opt_time("approved_until")?,
        approved_fingerprint: row.opt_array("approved_fingerprint")?,
        amnesty_until: row.opt_time("amnesty_until")?,
        machine: MachineFacts {
            fingerprint: row.opt_array("fingerprint")?,
            boot_id: row.get("boot_id")?,
            incarnation: row.number("incarnation")?,
            seen_from: row.get("seen_from")?,
        },
        deleted_at: row.opt_time("deleted_at")?,
    })
}
