//! Keeps the checkpoints of the tenant's audit log that the control plane sends, and takes none that does not extend the one before it.
//!
//! So a control plane that rewrites what it has recorded must also fool every sensor that saw the old head. A checkpoint that is refused stays
//! on this disk as evidence, and the sensor goes on saying so until its administrator accepts it ([`accept_checkpoint`](super::accept_checkpoint)),
//! as after a control plane that was restored from a backup.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::audit::{AuditHash, AuditHead, ChainOwner, Checkpoint, SignedCheckpoint};
use portolan_shared::model::{TenantId, limits};
use portolan_shared::process::{FileError, create_private_dir, read_bounded, write_atomically};
use serde_json::json;

use super::entry::{Entry, Outcome};
use super::folder::{AuditLogError, FOLDER};
use super::log::AuditLog;
use super::withheld::Rate;

/// A connected sensor that was shown no newer checkpoint for this long says so.
const SILENT_AFTER: Duration = Duration::from_secs(24 * 3_600);
/// A control plane signs every ten minutes; nothing is said of a session that is younger than this.
const SHOWN_WITHIN: Duration = Duration::from_secs(15 * 60);
pub(super) const KEPT: &str = "checkpoints.jsonl";
pub(super) const REFUSED: &str = "refused-checkpoints.jsonl";
/// Largest of the two files, in bytes: refused above. A checkpoint has about 400.
pub(super) const FILE_BYTES: u64 = 2 * 1024 * 1024;

/// Keeps the checkpoints of the tenant's log.
#[derive(Debug)]
pub struct Witness {
    log: Arc<AuditLog>,
    tenant: TenantId,
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<SignedCheckpoint>,
    refused: VecDeque<SignedCheckpoint>,
    /// Where the digests so far lead.
    reached: Option<AuditHead>,
}

/// A checkpoint that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointRefused {
    /// Not signed, or not by whoever signed the ones before.
    #[error("it is not signed by the key that signed the ones before")]
    Signature,
    /// Of another tenant's log.
    #[error("it is of another log")]
    Owner,
    /// Older than the one that is kept.
    #[error("the log is shorter than it was")]
    Backwards,
    /// Another history.
    #[error("the records that were sent do not lead to it from the one before: the log was rewritten")]
    Rewritten,
}

impl Witness {
    /// Opens what is kept in this data directory.
    ///
    /// # Errors
    /// If its files cannot be read.
    pub fn open(data_dir: &Path, tenant: TenantId, log: Arc<AuditLog>) -> Result<Arc<Self>, AuditLogError> {
        let folder = data_dir.join(FOLDER);
        create_private_dir(&folder)?;
        let state = State {
            kept: read(&folder.join(KEPT))?,
            refused: read(&folder.join(REFUSED))?,
            reached: None,
        };
        Ok(Arc::new(Self {
            log,
            tenant,
            folder,
            state: Mutex::new(state),
        }))
    }

    /// Where this sensor's own log stands, as far as no power cut takes it back.
    #[must_use]
    pub fn own_head(&self) -> AuditHead {
        self.log.synced_head()
    }

    /// This sensor's own log.
    pub(crate) fn own_log(&self) -> &AuditLog {
        &self.log
    }

    /// Whose log it is that is watched.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The record of the newest checkpoint that is kept; 0 if none is.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.state().kept.back().map_or(0, |kept| kept.checkpoint.seq)
    }

    /// The record of the last checkpoint that was refused and whose evidence lies here.
    #[must_use]
    pub fn refused(&self) -> Option<u64> {
        self.state().refused.back().map(|refused| refused.checkpoint.seq)
    }

    /// The newest checkpoint that is kept.
    #[must_use]
    pub fn newest(&self) -> Option<Checkpoint> {
        self.state().kept.back().map(|kept| kept.checkpoint)
    }

    /// What the administrator should know, and do.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let state = self.state();
        let Checkpoint { seq, hash, .. } = state.refused.back()?.checkpoint;
        Some(format!(
            "the control plane's audit log is not what it was: its checkpoint at record {seq} with hash {hash} was refused; the evidence is {}. \
             If the control plane was restored from a backup, and `portolan audit verify` there names that hash, stop this agent and run \
             `portolan-agent audit accept-checkpoint {hash}`; if it was cleared up otherwise, remove that file",
            self.folder.join(REFUSED).display()
        ))
    }

    /// What the administrator should know of a control plane that shows no checkpoints any more, to a sensor that is connected for so long and
    /// runs for so long: one that hides its log from this sensor, or keeps none. There is something to sign each day, if it is only that this
    /// sensor got its next certificate.
    #[must_use]
    pub fn silence(&self, now: Timestamp, connected: Duration, runs: Duration) -> Option<String> {
        if connected < SHOWN_WITHIN {
            return None;
        }
        match self.newest() {
            Some(newest) => {
                let at = Timestamp::from_millisecond(newest.at_ms).ok()?;
                let age = Duration::try_from(now.duration_since(at)).unwrap_or_default();
                (age > SILENT_AFTER).then(|| {
                    format!(
                        "the newest checkpoint of the control plane's audit log that is kept here is of {}, more than a day ago, although this \
                         sensor is connected: whether that log was changed since, nobody but the control plane can tell",
                        at.strftime("%Y-%m-%dT%H:%M:%SZ")
                    )
                })
            }
            None => (runs > SILENT_AFTER).then(|| {
                "the control plane has shown no checkpoint of its audit log in more than a day: whether that log is changed, nobody but the \
                 control plane can tell"
                    .to_owned()
            }),
        }
    }

    /// Takes digests of the records behind `after`, and the checkpoint that they lead to once it comes.
    ///
    /// # Errors
    /// If the checkpoint does not extend the one that is kept. That is recorded, and the evidence kept.
    pub fn take(
        &self,
        after: u64,
        digests: &[AuditHash],
        signed: Option<SignedCheckpoint>,
    ) -> Result<(), CheckpointRefused> {
        let mut state = self.state();
        // What a session that broke off had brought counts only for what continues it: the next one begins at what is kept.
        let kept = state.kept.back().map(|kept| kept.checkpoint.head());
        let mut starts = [state.reached.take(), kept].into_iter().flatten();
        let start = starts.find(|start| start.seq == after);
        let reached = start.map(|start| start.after(digests));
        let Some(signed) = signed else {
            state.reached = reached;
            return Ok(());
        };
        match self.judge(state.kept.back(), reached, &signed) {
            Ok(true) => {
                state.kept.push_back(signed);
                while state.kept.len() > limits::AUDIT_CHECKPOINTS {
                    state.kept.pop_front();
                }
                self.store(KEPT, &state.kept);
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(refused) => {
                self.refuse(&mut state, signed, refused);
                Err(refused)
            }
        }
    }

    /// Whether it is to be kept; not if it is the one that is.
    fn judge(
        &self,
        kept: Option<&SignedCheckpoint>,
        reached: Option<AuditHead>,
        signed: &SignedCheckpoint,
    ) -> Result<bool, CheckpointRefused> {
        if signed.checkpoint.owner != ChainOwner::Tenant(self.tenant) {
            return Err(CheckpointRefused::Owner);
        }
        let by_whom = kept.is_none_or(|kept| kept.key == signed.key);
        if !by_whom || signed.verify().is_err() {
            return Err(CheckpointRefused::Signature);
        }
        // The first one is taken at its word: there is nothing to compare it with.
        let Some(kept) = kept else {
            return Ok(true);
        };
        let (before, now) = (kept.checkpoint.head(), signed.checkpoint.head());
        if now.seq < before.seq {
            return Err(CheckpointRefused::Backwards);
        }
        if now == before {
            return Ok(false);
        }
        if reached == Some(now) {
            Ok(true)
        } else {
            Err(CheckpointRefused::Rewritten)
        }
    }

    fn refuse(&self, state: &mut State, signed: SignedCheckpoint, why: CheckpointRefused) {
        let known = state.refused.iter().any(|refused| {
            refused.checkpoint.head() == signed.checkpoint.head() && refused.key == signed.key
        });
        tracing::error!(
            seq = signed.checkpoint.seq,
            hash = %signed.checkpoint.hash,
            %why,
            "REFUSED A CHECKPOINT OF THE CONTROL PLANE'S AUDIT LOG"
        );
        if known {
            return;
        }
        let details = json!({
            "why": why.to_string(),
            "kept": state.kept.back().map(|kept| kept.checkpoint.head()),
            "refused": signed,
        });
        let object = format!("checkpoint:{}", signed.checkpoint.seq);
        let entry = Entry::by_control_plane("checkpoint.refused", object, details).with(Outcome::Refused);
        self.log.append_paced(Rate::SAID, &why.to_string(), entry);
        if state.refused.len() < limits::AUDIT_EVIDENCE {
            state.refused.push_back(signed);
            self.store(REFUSED, &state.refused);
        }
    }

    fn store(&self, name: &str, checkpoints: &VecDeque<SignedCheckpoint>) {
        if let Err(error) = write(&self.folder.join(name), checkpoints) {
            tracing::error!(%error, file = name, "a checkpoint was not stored");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One checkpoint a line.
pub(super) fn write(path: &Path, checkpoints: &VecDeque<SignedCheckpoint>) -> Result<(), FileError> {
    let failed = |source| FileError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    };
    let mut text = Vec::new();
    for checkpoint in checkpoints {
        serde_json::to_writer(&mut text, checkpoint).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
    }
    write_atomically(path, &text)
}

/// Lines that cannot be read are left out: the ones around them still hold.
pub(super) fn read(path: &Path) -> Result<VecDeque<SignedCheckpoint>, FileError> {
    let bytes = read_bounded(path, FILE_BYTES)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    Ok(lines
        .filter_map(|line| match serde_json::from_str(line) {
            Ok(checkpoint) => Some(checkpoint),
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "a line is no checkpoint");
                None
            }
        })
        .collect())
}
