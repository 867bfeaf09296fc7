//! `portolan restore`

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use portolan_shared::process::{Clock, with_suffix};
use portolan_store::sqlite::{self, SqliteStore};
use portolan_store::{
    AuditEntry, AuditSeverity, RestoreEnd, RestoredTenant, Store as _, Tenant, Tenants as _, TimelineMark,
    Timelines as _,
};
use serde_json::json;

pub use super::report::Restored;

use super::exported::Exported;
use super::place::{BESIDE, copy, put_in_place, remove};
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
        // SQLite would follow it, out of the folder: for root, to where the server's user must not write.
        if database.is_symlink() {
            return Err(UpkeepError::Link(database));
        }
        let restored = restore_at(&database, &data_dir, &logs, args, now).await?;
        data_dir.keep_pulse(restored.pulse)?;
        return Ok(restored);
    };
    let wal = with_suffix(backup, BESIDE[0]);
    if fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0) {
        return Err(UpkeepError::NotWhole(wal));
    }
    if data_dir.pulse()? == 0 && !database.exists() {
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
    copy(backup, new, data_dir.owner()?)?;
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
    use std::os::unix::fs::{chown, symlink};

    use super::*;
    use portolan_shared::model::TenantId;
    use portolan_shared::process::{ManualClock, Owner};
    use tempfile::TempDir;

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

    /// A data folder with a database that no pulse is known of, as a release without pulses leaves it, and a backup of it beside the folder.
    async fn without_pulse() -> (TempDir, RestoreArgs) {
        let folder = tempfile::tempdir().unwrap();
        let (data, backup) = (folder.path().join("data"), folder.path().join("backup.db"));
        let dir = DataDir::open(&data).unwrap();
        let store = SqliteStore::open(&dir.database()).await.unwrap();
        store.add_tenant(&tenant(1)).await.unwrap();
        store.close().await;
        sqlite::back_up(&dir.database(), &backup, Timestamp::UNIX_EPOCH)
            .await
            .unwrap();
        let args = RestoreArgs {
            data_dir: data,
            from: Some(backup),
            audit: Vec::new(),
            no_audit: false,
            amnesty: 24,
        };
        (folder, args)
    }

    async fn is_present(args: &RestoreArgs) -> bool {
        let dir = DataDir::open(&args.data_dir).unwrap();
        let store = SqliteStore::open(&dir.database()).await.unwrap();
        let present = dir.must_be_present(&store).await;
        store.close().await;
        present.is_ok()
    }

    #[tokio::test]
    async fn a_restore_that_is_refused_leaves_a_database_without_pulse_the_present_one() {
        let (_folder, args) = without_pulse().await;
        let clock = ManualClock::at_unix_seconds(0);
        let why = restore(&args, &clock).await.unwrap_err();
        assert!(matches!(why, UpkeepError::LogsMissing(_)), "{why:?}");
        assert!(is_present(&args).await);
        let args = RestoreArgs {
            no_audit: true,
            ..args
        };
        let restored = restore(&args, &clock).await.unwrap();
        let dir = DataDir::open(&args.data_dir).unwrap();
        assert_eq!(dir.pulse().unwrap(), restored.pulse);
        drop(dir);
        assert!(is_present(&args).await);
    }

    #[tokio::test]
    async fn what_root_restores_belongs_to_whoever_the_folder_belongs_to() {
        let (_folder, args) = without_pulse().await;
        // Only root can give a file away; for others everything is theirs anyway.
        let _ = chown(&args.data_dir, Some(65_534), Some(65_534));
        let args = RestoreArgs {
            no_audit: true,
            ..args
        };
        restore(&args, &ManualClock::at_unix_seconds(0)).await.unwrap();
        let owner = Owner::of(&args.data_dir).unwrap();
        for file in ["portolan.db", "pulse"] {
            assert_eq!(Owner::of(&args.data_dir.join(file)).unwrap(), owner, "{file}");
        }
    }

    #[tokio::test]
    async fn a_database_that_is_a_link_is_not_restored_where_it_leads() {
        let (folder, args) = without_pulse().await;
        let (database, outside) = (args.data_dir.join("portolan.db"), folder.path().join("outside"));
        fs::rename(&database, &outside).unwrap();
        symlink(&outside, &database).unwrap();
        let before = fs::read(&outside).unwrap();
        let args = RestoreArgs {
            from: None,
            no_audit: true,
            ..args
        };
        let why = restore(&args, &ManualClock::at_unix_seconds(0)).await;
        assert!(matches!(why.unwrap_err(), UpkeepError::Link(_)));
        assert_eq!(fs::read(&outside).unwrap(), before);
    }
}
