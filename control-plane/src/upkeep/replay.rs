//! Bringing the audit log of a database up to what was exported of it.

use jiff::Timestamp;
use portolan_shared::audit::{AuditHash, ChainOwner};
use portolan_shared::model::TenantId;
use portolan_store::sqlite::SqliteStore;
use portolan_store::{Audit as _, ReplayOutcome, ReplayStep, Timelines as _};

use super::UpkeepError;
use super::exported::Exported;
use super::redo::{is_lost, redone};
use super::report::RestoredLog;

/// Records that are replayed in one transaction.
const AT_ONCE: usize = 500;

/// One of the two logs continues the other: where the shorter one ends, both have the same record. Changes nothing.
pub(super) async fn must_follow(store: &SqliteStore, exported: &Exported) -> Result<(), UpkeepError> {
    let known = store.audit_head(exported.tenant).await?;
    let (seq, same) = if exported.head.seq <= known.seq {
        let seq = exported.head.seq;
        let here = hash_here(store, exported.tenant, seq).await?;
        (seq, here == Some(exported.head.hash))
    } else {
        (known.seq, exported.hash_at(known.seq)? == Some(known.hash))
    };
    if same {
        Ok(())
    } else {
        Err(diverges(exported, seq))
    }
}

/// The hash of a record of the database's own log.
async fn hash_here(
    store: &SqliteStore,
    tenant: TenantId,
    seq: u64,
) -> Result<Option<AuditHash>, UpkeepError> {
    let Some(before) = seq.checked_sub(1) else {
        return Ok(Some(ChainOwner::Tenant(tenant).genesis().hash));
    };
    let own = store.audit_range(tenant, before, 1).await?;
    let own = own.first().filter(|own| own.record.seq == seq);
    Ok(own.map(|own| own.hash))
}

/// Appends what the database's log lacks, does again what that says, and notes it in `log`.
pub(super) async fn replay(
    store: &SqliteStore,
    exported: &Exported,
    log: &mut RestoredLog,
    now: Timestamp,
) -> Result<(), UpkeepError> {
    let tenant = exported.tenant;
    log.exported_until = Timestamp::from_millisecond(exported.until_ms).ok();
    let known = store.audit_head(tenant).await?;
    if exported.head.seq <= known.seq {
        return Ok(());
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
            ReplayOutcome::Diverges { seq } => return Err(diverges(exported, seq)),
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

fn diverges(exported: &Exported, seq: u64) -> UpkeepError {
    UpkeepError::Diverges {
        path: exported.path().to_owned(),
        seq,
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
