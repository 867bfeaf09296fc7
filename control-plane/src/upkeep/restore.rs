//! `portolan restore`

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use portolan_shared::process::Clock;
use portolan_store::sqlite::{self, SqliteStore};
use portolan_store::{
    AuditEntry, AuditSeverity, RestoreEnd, RestoredTenant, Store as _, Tenant, Tenants as _, TimelineMark,
    Timelines as _,
};
use serde_json::json;

pub use super::report::Restored;

use super::exported::Exported;
use super::place::{BESIDE, copy, put_in_place, remove, with_suffix};
use super::replay::{must_follow, replay};
use super::report::RestoredLog;
use super::{RestoreArgs, UpkeepError};
use crate::wiring::DataDir;

/// Records that an audit entry names of what was done again.
const NOTED: usize = 20;

/// What a database said of itself before it was restored.
#[derive(Clone, Copy)]
struct Before {
    /// When it was taken as a backup.
    taken_at: Option<Timestamp>,
    /// When a restore of it began that was cut short: what that has put back and done again is not put back and done now.
    begun_at: Option<Timestamp>,
}

impl Before {
    fn of(mark: Option<TimelineMark>) -> Self {
        let (taken_at, begun_at) = match mark {
            Some(TimelineMark::Backup { taken_at }) => (Some(taken_at), None),
            Some(TimelineMark::Restoring { since }) => (None, Some(since)),
            None => (None, None),
        };
        Self { taken_at, begun_at }
    }
}

/// Restores the database of a data folder that no server uses. A backup is worked on beside it and takes its place at the very end: until then
/// everything is as it was.
pub async fn restore(args: &RestoreArgs, clock: &dyn Clock) -> Result<Restored, UpkeepError> {
    let data_dir = DataDir::open(&args.data_dir)?;
    let logs = args
        .audit
        .iter()
        .map(|path| Exported::verify(path))
        .collect::<Result<Vec<_>, _>>()?;
    let now = clock.now();
    let database = data_dir.database();
    let Some(backup) = &args.from else {
        if !database.exists() {
            return Err(UpkeepError::NoDatabase(database));
        }
        let restored = restore_at(&database, &data_dir, &logs, args, now).await?;
        data_dir.keep_pulse(restored.pulse)?;
        return Ok(restored);
    };
    let wal = with_suffix(backup, BESIDE[0]);
    if fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0) {
        return Err(UpkeepError::NotWhole(wal));
    }
    if data_dir.pulse()? == 0 {
        // From now on a server that is started meanwhile does not make a database of its own.
        data_dir.keep_pulse(1)?;
    }
    let new = with_suffix(&database, ".restoring");
    let restored = restore_beside(backup, &new, &data_dir, &logs, args, now).await;
    let mut restored = match restored {
        Ok(restored) => restored,
        Err(error) => {
            remove(&new)?;
            return Err(error);
        }
    };
    restored.set_aside = put_in_place(&new, &data_dir, now)?;
    data_dir.keep_pulse(restored.pulse)?;
    Ok(restored)
}

async fn restore_beside(
    backup: &Path,
    new: &Path,
    data_dir: &DataDir,
    logs: &[Exported],
    args: &RestoreArgs,
    now: Timestamp,
) -> Result<Restored, UpkeepError> {
    remove(new)?;
    copy(backup, new)?;
    let restored = restore_at(new, data_dir, logs, args, now).await?;
    // Whoever closes it last moves everything into the one file; if that cannot be, the file alone is not whole.
    let wal = with_suffix(new, BESIDE[0]);
    if wal.exists() {
        return Err(UpkeepError::NotWhole(wal));
    }
    let there = data_dir.database();
    if is_foreign(&there, &restored.tenants).await {
        return Err(UpkeepError::Foreign(there));
    }
    Ok(restored)
}

/// Whether the database that is there is of another control plane, such as one that was started on a new machine before the restore. One that
/// cannot be read does not say: perhaps that is why somebody restores.
async fn is_foreign(there: &Path, restored: &[RestoredLog]) -> bool {
    if !there.exists() || restored.is_empty() {
        return false;
    }
    let Ok(tenants) = sqlite::tenants_in(there).await else {
        return false;
    };
    !restored.iter().any(|log| tenants.contains(&log.figures.tenant))
}

async fn restore_at(
    database: &Path,
    data_dir: &DataDir,
    logs: &[Exported],
    args: &RestoreArgs,
    now: Timestamp,
) -> Result<Restored, UpkeepError> {
    let store = SqliteStore::open(database).await?;
    let restored = restore_in(&store, data_dir, logs, args, now).await;
    store.close().await;
    restored
}

async fn restore_in(
    store: &SqliteStore,
    data_dir: &DataDir,
    logs: &[Exported],
    args: &RestoreArgs,
    now: Timestamp,
) -> Result<Restored, UpkeepError> {
    let before = Before::of(store.timeline().await?.mark);
    if let Some(taken_at) = before.taken_at
        && now < taken_at
    {
        return Err(UpkeepError::Clock { now, taken_at });
    }
    let amnesty_until = now + SignedDuration::from_hours(i64::from(args.amnesty));
    let tenants = store.tenants().await?;
    check(&tenants, logs, args.no_audit)?;
    for exported in logs {
        must_follow(store, exported).await?;
    }
    let missing = data_dir.missing_keys(store).await?;
    store.begin_restore(now).await?;
    let mut restored: Vec<_> = tenants
        .iter()
        .map(|tenant| RestoredLog::new(tenant.id, &tenant.name))
        .collect();
    for exported in logs {
        let log = restored
            .iter_mut()
            .find(|log| log.figures.tenant == exported.tenant);
        if let Some(log) = log {
            replay(store, exported, log, now).await?;
        }
    }
    let end = RestoreEnd {
        now,
        amnesty_until,
        pulse: data_dir.pulse()?,
    };
    let note = |tenant: &RestoredTenant| {
        let log = restored.iter().find(|log| log.figures.tenant == tenant.tenant)?;
        Some(entry(tenant, log, before, &end))
    };
    let figures = store.end_restore(&end, &note).await?;
    for log in &mut restored {
        let found = figures
            .iter()
            .find(|figures| figures.tenant == log.figures.tenant);
        log.figures = found.copied().unwrap_or(log.figures);
    }
    Ok(Restored {
        taken_at: before.taken_at,
        begun_before: before.begun_at,
        set_aside: None,
        amnesty_until,
        missing,
        tenants: restored,
        pulse: store.timeline().await?.pulse,
    })
}

/// Every log is of a tenant that the backup knows, and of each there is one.
fn check(tenants: &[Tenant], logs: &[Exported], no_audit: bool) -> Result<(), UpkeepError> {
    let mut without: Vec<&Tenant> = tenants.iter().collect();
    for log in logs {
        let place = without.iter().position(|tenant| tenant.id == log.tenant);
        let place = place.ok_or_else(|| UpkeepError::Tenant {
            path: log.path().to_owned(),
            tenant: log.tenant,
        })?;
        without.remove(place);
    }
    if without.is_empty() || no_audit {
        return Ok(());
    }
    let missing = without.iter().map(|tenant| format!("tenant {}", tenant.name));
    Err(UpkeepError::LogsMissing(missing.collect()))
}

fn entry(tenant: &RestoredTenant, log: &RestoredLog, before: Before, end: &RestoreEnd) -> AuditEntry {
    AuditEntry {
        at: end.now,
        actor: "system".to_owned(),
        action: "database.restore".to_owned(),
        object: format!("tenant:{}", tenant.tenant),
        severity: AuditSeverity::High,
        details: json!({
            "backup_taken_at": before.taken_at,
            "begun_before_at": before.begun_at,
            "amnesty_until": end.amnesty_until,
            "sensors": tenant.sensors,
            "runs": tenant.runs,
            "exported_until": log.exported_until,
            "records_replayed": log.records,
            "redone": log.redone.all,
            "redone_first": log.redone.first.iter().take(NOTED).collect::<Vec<_>>(),
            "lost": log.lost.all,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::TenantId;

    fn tenant(n: u8) -> Tenant {
        Tenant {
            id: TenantId::from_slice(&[n; 16]).unwrap(),
            name: format!("tenant-{n}"),
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_missing_log_is_named_unless_it_is_done_without() {
        let tenants = [tenant(1), tenant(2)];
        let UpkeepError::LogsMissing(missing) = check(&tenants, &[], false).unwrap_err() else {
            panic!("another error");
        };
        assert_eq!(missing, ["tenant tenant-1", "tenant tenant-2"]);
        check(&tenants, &[], true).unwrap();
    }
}
