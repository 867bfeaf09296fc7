//! `portolan restore`

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use portolan_shared::process::{Clock, FileError};
use portolan_store::sqlite::SqliteStore;
use portolan_store::{
    Audit as _, AuditEntry, AuditSeverity, ReplayOutcome, ReplayStep, RestoreEnd, RestoredTenant, Store as _,
    Tenant, Tenants as _, TimelineMark, Timelines as _,
};
use serde_json::json;

pub use super::report::Restored;

use super::exported::Exported;
use super::redo::{is_lost, redone};
use super::report::RestoredLog;
use super::{RestoreArgs, UpkeepError};
use crate::wiring::DataDir;

/// Records that are replayed in one transaction.
const AT_ONCE: usize = 500;
/// Lines that an audit entry has of what was done again.
const NOTED: usize = 20;
/// What SQLite keeps beside a database.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

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
    Ok(restored)
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
    let taken_at = match store.timeline().await?.mark {
        Some(TimelineMark::Backup { taken_at }) => Some(taken_at),
        Some(TimelineMark::Restoring { .. }) | None => None,
    };
    if let Some(taken_at) = taken_at
        && now < taken_at
    {
        return Err(UpkeepError::Clock { now, taken_at });
    }
    let amnesty_until = now + SignedDuration::from_hours(i64::from(args.amnesty));
    let tenants = store.tenants().await?;
    check(&tenants, logs, args.no_audit)?;
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
        Some(entry(tenant, log, taken_at, &end))
    };
    let figures = store.end_restore(&end, &note).await?;
    for log in &mut restored {
        let found = figures
            .iter()
            .find(|figures| figures.tenant == log.figures.tenant);
        log.figures = found.copied().unwrap_or(log.figures);
    }
    Ok(Restored {
        taken_at,
        set_aside: None,
        amnesty_until,
        missing: data_dir.missing_keys(),
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

async fn replay(
    store: &SqliteStore,
    exported: &Exported,
    log: &mut RestoredLog,
    now: Timestamp,
) -> Result<(), UpkeepError> {
    let tenant = exported.tenant;
    let diverges = |seq| UpkeepError::Diverges {
        path: exported.path().to_owned(),
        seq,
    };
    let known = store.audit_head(tenant).await?;
    log.exported_until = Timestamp::from_millisecond(exported.until_ms).ok();
    if exported.head.seq <= known.seq {
        // There is nothing in it that the backup does not have, unless it is another log.
        let at = exported.head.seq.saturating_sub(1);
        let same = store.audit_range(tenant, at, 1).await?;
        let same = same.first().is_none_or(|own| own.hash == exported.head.hash);
        return if same {
            Ok(())
        } else {
            Err(diverges(exported.head.seq))
        };
    }
    let mut records = exported.records()?;
    let mut steps = Vec::with_capacity(AT_ONCE);
    loop {
        let next = records.next()?;
        let ended = next.is_none();
        if let Some(record) = next
            && record.record.seq >= known.seq
        {
            let redo = (record.record.seq > known.seq).then(|| redone(&record.record));
            steps.push(ReplayStep {
                redo: redo.flatten(),
                record,
            });
        }
        if steps.len() < AT_ONCE && !ended {
            continue;
        }
        match store.replay(tenant, &steps, now).await? {
            ReplayOutcome::Diverges { seq } => return Err(diverges(seq)),
            ReplayOutcome::Appended { records, redone } => {
                log.records += records;
                note_steps(log, &steps, &redone, known.seq);
            }
        }
        if ended {
            return Ok(());
        }
        steps.clear();
    }
}

fn note_steps(log: &mut RestoredLog, steps: &[ReplayStep], redone: &[usize], known: u64) {
    for (place, step) in steps.iter().enumerate() {
        let record = &step.record.record;
        if record.seq <= known {
            continue;
        }
        if redone.contains(&place) {
            log.redone.push(record);
        }
        if is_lost(record) {
            log.lost.push(record);
        }
    }
}

fn entry(
    tenant: &RestoredTenant,
    log: &RestoredLog,
    taken_at: Option<Timestamp>,
    end: &RestoreEnd,
) -> AuditEntry {
    AuditEntry {
        at: end.now,
        actor: "system".to_owned(),
        action: "database.restore".to_owned(),
        object: format!("tenant:{}", tenant.tenant),
        severity: AuditSeverity::High,
        details: json!({
            "backup_taken_at": taken_at,
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

/// Puts the restored database where it belongs, and sets aside what is there. In between there is none, and then the server does not start.
fn put_in_place(new: &Path, data_dir: &DataDir, now: Timestamp) -> Result<Option<PathBuf>, UpkeepError> {
    let database = data_dir.database();
    let old = with_suffix(&database, &format!(".before-{}", now.strftime("%Y%m%dT%H%M%SZ")));
    let there = database.exists();
    if there {
        // The old database keeps what belongs to it, whenever this is cut short.
        for suffix in BESIDE {
            let beside = with_suffix(&database, suffix);
            if beside.exists() {
                link(&beside, &with_suffix(&old, suffix))?;
            }
        }
        rename(&database, &old)?;
    }
    // None of this must ever be found beside the new one.
    for suffix in BESIDE {
        remove_file(with_suffix(&database, suffix))?;
    }
    data_dir.give(new)?;
    rename(new, &database)?;
    data_dir.sync()?;
    Ok(there.then_some(old))
}

/// Removes a database that was worked on, if there is one.
fn remove(database: &Path) -> Result<(), FileError> {
    for suffix in ["", BESIDE[0], BESIDE[1]] {
        remove_file(with_suffix(database, suffix))?;
    }
    Ok(())
}

/// Removes a file, if it is there.
fn remove_file(path: PathBuf) -> Result<(), FileError> {
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            let action = "remove";
            Err(FileError::Io { action, path, source })
        }
        _ => Ok(()),
    }
}

/// Gives a file a second name.
fn link(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::hard_link(from, to).map_err(|source| FileError::Io {
        action: "keep",
        path: from.to_owned(),
        source,
    })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn copy(from: &Path, to: &Path) -> Result<(), FileError> {
    let failed = |action: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| FileError::Io { action, path, source }
    };
    let mut source = File::open(from).map_err(failed("open", from))?;
    let mut copy = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(to)
        .map_err(failed("create", to))?;
    io::copy(&mut source, &mut copy)
        .and_then(|_| copy.sync_all())
        .map_err(failed("write", to))
}

fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(|source| FileError::Io {
        action: "set aside",
        path: from.to_owned(),
        source,
    })
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
