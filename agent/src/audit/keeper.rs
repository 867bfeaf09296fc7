//! Brings the log to the disk, signs it, and records what it can see by looking.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use portolan_shared::audit::SignedCheckpoint;
use portolan_shared::process::{Clock, Shutdown};
use serde_json::json;
use tokio::sync::watch;

use super::entry::Entry;
use super::log::{AuditLog, CHECKPOINT_RECORDS};
use super::withheld::Rate;
use crate::keyring::Keyring;
use crate::uplink::UplinkView;

/// A record is on the disk after this time at the latest.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// A log that has grown is signed after this time at the latest.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(600);

/// Keeps the log until the shutdown's cut: what was appended is synced every second, or after 64 records; a checkpoint is signed after 100
/// records or ten minutes; a trust bundle that has changed is recorded, and so are counts that have grown. At the end everything is signed and
/// synced.
pub async fn keep(log: Arc<AuditLog>, keyring: Arc<Keyring>, clock: Arc<dyn Clock>, shutdown: Shutdown) {
    let mut signed_at = clock.uptime();
    let mut trust = keyring.trust().version;
    loop {
        let over = tokio::select! {
            () = tokio::time::sleep(SYNC_EVERY) => false,
            () = log.wake.notified() => false,
            () = shutdown.cutting() => true,
        };
        log.retry();
        // At the end everything that was counted so far.
        if over {
            log.drain();
        } else {
            log.record_due(clock.uptime());
        }
        let now = keyring.trust().version;
        if now != trust {
            trust = now;
            let object = format!("trust:{now}");
            let details = json!({"roots": keyring.trust().roots.len()});
            log.append_paced(
                Rate::SAID,
                "",
                Entry::by_control_plane("trust.changed", object, details),
            );
        }
        let unsigned = log.unsigned();
        let due =
            over || unsigned >= CHECKPOINT_RECORDS || clock.uptime().since(signed_at) >= CHECKPOINT_EVERY;
        if unsigned > 0 && due {
            signed_at = clock.uptime();
            log.sign(|checkpoint| SignedCheckpoint {
                signature: keyring.identity().sign(&checkpoint.signing_bytes()),
                key: keyring.identity().public_key().to_vec(),
                checkpoint,
            });
        }
        sync(&log).await;
        if over {
            return;
        }
        if let Some(reading) = log.reading() {
            match tokio::task::spawn_blocking(reading).await {
                Ok(read) => log.was_read(read),
                Err(error) => tracing::error!(%error, "the audit log was not read"),
            }
        }
    }
}

/// Brings what was appended to the disk.
pub(super) async fn sync(log: &AuditLog) {
    let Some(syncing) = log.sync() else {
        return;
    };
    let what = syncing.what();
    let result = tokio::task::spawn_blocking(syncing.work).await;
    log.synced(what, &result.unwrap_or_else(|error| Err(io::Error::other(error))));
}

/// Records sessions as they come and go, until the uplink is gone.
pub async fn note_sessions(log: Arc<AuditLog>, mut view: watch::Receiver<UplinkView>) {
    let mut open: Option<u64> = None;
    loop {
        let (epoch, endpoint, failure) = {
            let view = view.borrow_and_update();
            (view.epoch, view.endpoint.clone(), view.last_failure.clone())
        };
        if epoch != open {
            if let Some(ended) = open {
                let details = json!({"endpoint": endpoint, "why": failure});
                let object = format!("session:{ended}");
                log.append_paced(Rate::SAID, "", Entry::by_agent("session.end", object, details));
            }
            if let Some(begun) = epoch {
                let details = json!({"endpoint": endpoint});
                let object = format!("session:{begun}");
                log.append_paced(Rate::SAID, "", Entry::by_agent("session.begin", object, details));
            }
            open = epoch;
        }
        if view.changed().await.is_err() {
            return;
        }
    }
}
