//! A certificate for a sensor that has no good one, and has proved who it is.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{Reason, SensorState};
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use super::super::{SqliteStore, audit};
use super::record::read;
use super::standing::{LIFTED, deny};
use crate::{
    EntryFor, JudgedRecovery, RECOVERIES_A_DAY, RECOVERIES_A_MONTH, RECOVERY_AWAY_DAYS, RecoveryClaim,
    RecoveryGrounds, RecoveryOutcome, SensorRecord, StoreError,
};

/// How long a reason is not noted again.
const NOTED_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// How long another one is not noted either: whoever can cause two of them could alternate.
const NOTED_ANEW: SignedDuration = SignedDuration::from_mins(1);

const RECOVER: &str = "recover a sensor";

pub(super) async fn recover(
    store: &SqliteStore,
    claim: &RecoveryClaim,
    note: EntryFor<'_, JudgedRecovery>,
) -> Result<RecoveryOutcome, StoreError> {
    let mut tx = store.write().await?;
    let row = sqlx::query("SELECT * FROM sensor WHERE sensor_id = ?1")
        .bind(claim.sensor.as_bytes().as_slice())
        .fetch_optional(&mut *tx)
        .await
        .during(RECOVER)?;
    let Some(row) = row else {
        return Ok(RecoveryOutcome::Refused(Reason::IdentityUnknown));
    };
    let sensor = read(&row)?;
    let outcome = judge(&mut tx, claim, &sensor).await?;
    let unnoted = match outcome {
        RecoveryOutcome::Refused(reason) => count_refusal(&mut tx, claim, &sensor, &row, reason).await?,
        RecoveryOutcome::Recovered { .. } | RecoveryOutcome::Stale { .. } => Some(0),
    };
    let entry = unnoted.and_then(|unnoted| note(&JudgedRecovery { outcome, unnoted }));
    if let Some(entry) = entry {
        audit::append(&mut tx, sensor.tenant, &entry).await?;
    }
    tx.commit().await.during(RECOVER)?;
    Ok(outcome)
}

async fn judge(
    tx: &mut Transaction<'static, Sqlite>,
    claim: &RecoveryClaim,
    sensor: &SensorRecord,
) -> Result<RecoveryOutcome, StoreError> {
    let past = Past::of(tx, claim, sensor).await?;
    if past.challenge_used {
        return Ok(RecoveryOutcome::Refused(Reason::IdentityUnknown));
    }
    let tenant = sensor.tenant;
    let approved = sensor.approved_until.is_some_and(|until| claim.now < until)
        && sensor
            .approved_fingerprint
            .is_none_or(|machine| claim.fingerprint == Some(machine));
    let quarantined = sensor.state == SensorState::Quarantined;
    if let Some(reason) = sensor.state.shut_out()
        && !(quarantined && approved)
    {
        return Ok(RecoveryOutcome::Refused(reason));
    }
    let mut continuity = sensor.continuity.clone();
    let grounds = if approved {
        RecoveryGrounds::Approval
    } else if sensor.amnesty_until.is_some_and(|until| claim.now < until)
        && !continuity.clone().shown(claim.shown)
    {
        RecoveryGrounds::Amnesty
    } else {
        RecoveryGrounds::Token
    };
    let heard_of = sensor.last_seen_at.unwrap_or(sensor.enrolled_at);
    if !continuity.recovered(grounds != RecoveryGrounds::Token, claim.shown, claim.sent) {
        // A claim that was under way while its sensor got on by another one is late, and nobody waits for the answer: no conflict.
        let late = claim.challenged_at < heard_of || past.latest.is_some_and(|at| claim.challenged_at < at);
        return Ok(if late {
            RecoveryOutcome::Refused(Reason::StaleSession)
        } else {
            RecoveryOutcome::Stale { tenant }
        });
    }
    let away = claim.now.duration_since(heard_of) > SignedDuration::from_hours(RECOVERY_AWAY_DAYS * 24);
    let often = past.day >= RECOVERIES_A_DAY || past.month >= RECOVERIES_A_MONTH;
    // What is known of a sensor with an amnesty ends with the backup.
    if !approved && (often || (away && grounds == RecoveryGrounds::Token)) {
        return Ok(RecoveryOutcome::Refused(Reason::NeedsApproval));
    }
    let (current, outstanding) = continuity.to_parts();
    sqlx::query(
        "UPDATE sensor SET new_serial = ?3, new_not_after = ?4, continuity = ?5, outstanding = ?6,
                state = iif(state = 'quarantined', iif(session_epoch > 0, 'active', 'provisional'), state),
                last_refusal = NULL, refused_at = NULL, refusals = 0
         WHERE tenant_id = ?1 AND sensor_id = ?2",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.id.as_bytes().as_slice())
    .bind(claim.certificate.serial.as_slice())
    .bind(millis(claim.certificate.not_after))
    .bind(current.as_ref().map(<[u8; 32]>::as_slice))
    .bind(outstanding)
    .execute(&mut **tx)
    .await
    .during(RECOVER)?;
    sqlx::query("INSERT INTO sensor_recovery (tenant_id, sensor_id, at, challenge) VALUES (?1, ?2, ?3, ?4)")
        .bind(tenant.as_bytes().as_slice())
        .bind(sensor.id.as_bytes().as_slice())
        .bind(millis(claim.now))
        .bind(claim.challenge.as_slice())
        .execute(&mut **tx)
        .await
        .during(RECOVER)?;
    if quarantined {
        deny(tx, tenant, sensor.id, LIFTED, claim.now).await?;
    }
    Ok(RecoveryOutcome::Recovered { tenant, grounds })
}

/// Counts a refusal. Gives how many were counted since the last that was noted, if this one is to be noted: whoever is refused asks again
/// and again, and what led to it must not be pushed out of sight.
async fn count_refusal(
    tx: &mut Transaction<'static, Sqlite>,
    claim: &RecoveryClaim,
    sensor: &SensorRecord,
    row: &SqliteRow,
    reason: Reason,
) -> Result<Option<u64>, StoreError> {
    let columns = Columns::of("sensor", row);
    let last: Option<String> = columns.get("last_refusal")?;
    let quiet = if last.as_deref() == Some(reason.as_str()) {
        NOTED_AGAIN
    } else {
        NOTED_ANEW
    };
    let noted = columns
        .opt_time("refused_at")?
        .is_none_or(|at| claim.now.duration_since(at) >= quiet);
    sqlx::query(
        "UPDATE sensor SET last_refusal = iif(?4, ?3, last_refusal), refused_at = iif(?4, ?5, refused_at), refusals = iif(?4, 0, refusals + 1)
         WHERE tenant_id = ?1 AND sensor_id = ?2",
    )
    .bind(sensor.tenant.as_bytes().as_slice())
    .bind(sensor.id.as_bytes().as_slice())
    .bind(reason.as_str())
    .bind(noted)
    .bind(millis(claim.now))
    .execute(&mut **tx)
    .await
    .during(RECOVER)?;
    Ok(noted.then_some(columns.number("refusals")?))
}

/// What is known of a sensor's earlier recoveries.
struct Past {
    challenge_used: bool,
    day: u64,
    month: u64,
    latest: Option<Timestamp>,
}

impl Past {
    async fn of(
        tx: &mut Transaction<'static, Sqlite>,
        claim: &RecoveryClaim,
        sensor: &SensorRecord,
    ) -> Result<Self, StoreError> {
        let row: SqliteRow = sqlx::query(
            "SELECT coalesce(max(challenge = ?3), 0) AS used, count(*) FILTER (WHERE at > ?4 - 86400000) AS day, max(at) AS latest,
                    count(*) FILTER (WHERE at > ?4 - 2592000000) AS month
             FROM sensor_recovery WHERE tenant_id = ?1 AND sensor_id = ?2",
        )
        .bind(sensor.tenant.as_bytes().as_slice())
        .bind(sensor.id.as_bytes().as_slice())
        .bind(claim.challenge.as_slice())
        .bind(millis(claim.now))
        .fetch_one(&mut **tx)
        .await
        .during(RECOVER)?;
        let row = Columns::of("sensor_recovery", &row);
        Ok(Self {
            challenge_used: row.get("used")?,
            day: row.number("day")?,
            month: row.number("month")?,
            latest: row.opt_time("latest")?,
        })
    }
}
