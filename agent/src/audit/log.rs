//! Appending, and bringing to the disk.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use portolan_shared::audit::{AuditHash, AuditHead, ChainOwner, Checkpoint, SignedCheckpoint};
use portolan_shared::model::{SensorId, limits};
use portolan_shared::process::Clock;
use serde_json::json;
use tokio::sync::{Notify, watch};

use super::caused::Caused;
use super::entry::{Entry, Outcome, action};
#[cfg(test)]
use super::folder::Sink;
use super::folder::{AuditLogError, FOLDER, Folder, Found};
use super::recent::{Behind, behind_in};
use super::tally::Tally;
use super::writer::{Asked, Writer};

/// Records that may be in the system's memory and not on the disk: the keeper is woken at once above.
const UNSYNCED: u32 = 64;
/// Records after which the log is due for a signed checkpoint.
pub(super) const CHECKPOINT_RECORDS: u32 = 100;

/// The sensor's own audit log. Appending writes to the file at once; [`keep`](super::keep) brings it to the disk.
pub struct AuditLog {
    owner: SensorId,
    pub(super) clock: Arc<dyn Clock>,
    state: Mutex<Writer>,
    health: watch::Sender<Health>,
    /// Counts that are recorded as time goes by.
    pub(super) tallies: Mutex<Vec<Weak<Tally>>>,
    /// What the control plane can have recorded at will.
    pub(super) caused: Mutex<Caused>,
    pub(super) wake: Notify,
}

/// Why nothing can be recorded: each of the two heals by itself alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Health {
    written: Option<String>,
    synced: Option<String>,
}

impl Health {
    fn fault(&self) -> Option<&String> {
        self.written.as_ref().or(self.synced.as_ref())
    }
}

/// What is to be brought to the disk.
pub(super) struct Syncing {
    head: AuditHead,
    records: u32,
    pub(super) work: Box<dyn FnOnce() -> io::Result<()> + Send>,
}

/// How the log goes on behind a record that somebody else has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leads {
    /// Number of that record.
    pub(crate) after: u64,
    /// Digests of the records behind it; `None` if the log does not hold it.
    pub(crate) digests: Option<Vec<AuditHash>>,
}

impl Syncing {
    /// What it would bring, for [`AuditLog::synced`].
    pub(super) fn what(&self) -> (AuditHead, u32) {
        (self.head, self.records)
    }
}

impl AuditLog {
    /// Opens the log in this data directory, or begins it; what a crash has torn is mended, and what was found is recorded.
    ///
    /// # Errors
    /// If its files cannot be read or made. A log that is damaged is no error: it is set aside, and a new file says so.
    pub fn open(data_dir: &Path, owner: SensorId, clock: Arc<dyn Clock>) -> Result<Arc<Self>, AuditLogError> {
        Self::open_in(Folder::new(data_dir.join(FOLDER)), owner, clock)
    }

    pub(super) fn open_in(
        folder: Folder,
        owner: SensorId,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, AuditLogError> {
        let opened = folder.open(ChainOwner::Sensor(owner).genesis())?;
        let (found, older_missing) = (opened.found.clone(), opened.older_missing);
        let caused = Caused::new(folder.file_bytes);
        let log = Arc::new(Self {
            owner,
            clock,
            state: Mutex::new(Writer::new(folder, opened)),
            health: watch::Sender::default(),
            tallies: Mutex::default(),
            caused: Mutex::new(caused),
            wake: Notify::new(),
        });
        log.append_found(&found);
        if older_missing {
            tracing::error!("files of the audit log are missing: what they held cannot be verified any more");
            let object = format!("sensor:{owner}");
            let entry = Entry::by_agent(action::OLDER_MISSING, object, json!({"file": "audit.1.jsonl"}));
            log.append(entry.with(Outcome::Failed));
        }
        Ok(log)
    }

    fn append_found(&self, found: &Found) {
        let object = format!("sensor:{}", self.owner);
        match found {
            Found::Sound => {}
            Found::Nothing => self.append(Entry::by_agent(action::BEGIN, object, json!({}))),
            Found::Torn { bytes, sha256 } => {
                tracing::warn!(
                    bytes,
                    "the last line of the audit log was not written to its end; it is removed"
                );
                let details = json!({"bytes": bytes, "sha256": sha256});
                self.append(Entry::by_agent("log.torn", object, details).with(Outcome::Failed));
            }
            Found::Damaged { line, why } => {
                tracing::error!(
                    line,
                    why,
                    "the audit log is damaged; a new file is begun, and the damaged one kept"
                );
                let details = json!({"file": "audit.1.jsonl", "line": line, "why": why});
                self.append(Entry::by_agent(action::DAMAGED, object, details).with(Outcome::Failed));
            }
        }
    }

    /// Appends a record. If the file cannot be written it waits, and [`AuditLog::fault`] says why.
    pub fn append(&self, entry: Entry) {
        let at_ms = self.clock.now().as_millisecond();
        let mut state = self.state();
        state.queue(at_ms, entry.bounded());
        self.write(&mut state);
    }

    /// Tries again to write what waits.
    pub(super) fn retry(&self) {
        let mut state = self.state();
        if !state.is_idle() {
            self.write(&mut state);
        }
    }

    fn write(&self, state: &mut Writer) {
        let written = state.write_all(self.clock.now().as_millisecond());
        self.tell_written(&written);
        // While there is a fault the keeper tries every second, and not more often.
        if (state.unsynced >= UNSYNCED || state.unsigned >= CHECKPOINT_RECORDS) && self.fault().is_none() {
            self.wake.notify_one();
        }
    }

    fn tell_written(&self, written: &io::Result<()>) {
        let fault = written.as_ref().err();
        let fault = fault.map(|error| format!("the audit log cannot be written: {error}"));
        self.tell(|health| health.written = fault);
    }

    fn tell(&self, change: impl FnOnce(&mut Health)) {
        self.health.send_if_modified(|known| {
            let before = known.clone();
            change(known);
            match (before.fault(), known.fault()) {
                (before, Some(fault)) if before != Some(fault) => {
                    tracing::error!(fault, "nothing is done that cannot be recorded: jobs end");
                }
                (Some(_), None) => tracing::info!("the audit log can be written again"),
                _ => {}
            }
            *known != before
        });
    }

    /// Why nothing can be recorded at the moment; `None` while all is well.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.health.borrow().fault().cloned()
    }

    /// Returns once nothing can be recorded, with the reason.
    pub async fn broken(&self) -> String {
        let mut health = self.health.subscribe();
        loop {
            let fault = health.borrow_and_update().fault().cloned();
            if let Some(fault) = fault {
                return fault;
            }
            if health.changed().await.is_err() {
                // The sender is this log's own.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Where the log stands.
    #[must_use]
    pub fn head(&self) -> AuditHead {
        self.state().head
    }

    /// Where the log stands on the disk: what a power cut does not take back, and so what others may be told.
    #[must_use]
    pub fn synced_head(&self) -> AuditHead {
        self.state().synced
    }

    /// Somebody who has seen the log at `known` asks how it went on: for [`AuditLog::leads`].
    pub(crate) fn ask(&self, known: AuditHead) {
        let mut state = self.state();
        if state.asked.as_ref().is_none_or(|asked| asked.known != known) {
            let read = None;
            state.asked = Some(Asked { known, read });
        }
    }

    /// The answer to what was asked last, once there is one: how the log goes on behind that record, as far as it is on the disk.
    pub(crate) fn leads(&self) -> Option<Leads> {
        let mut state = self.state();
        let asked = state.asked.take()?;
        let (known, until) = (asked.known, state.synced);
        let behind = match state.recent.behind(&known, &until, limits::AUDIT_LEADING) {
            // The keeper reads the files; until then there is no answer.
            Behind::Forgotten => match asked.read {
                Some(read) => read,
                None => {
                    state.asked = Some(asked);
                    return None;
                }
            },
            found => found,
        };
        let digests = match behind {
            Behind::Digests(digests) => Some(digests),
            Behind::Nowhere | Behind::Forgotten => None,
        };
        Some(Leads {
            after: known.seq,
            digests,
        })
    }

    /// What must be read from the files to answer, if something must.
    pub(super) fn reading(&self) -> Option<impl FnOnce() -> (AuditHead, Behind) + Send + use<>> {
        let state = self.state();
        let asked = state.asked.as_ref().filter(|asked| asked.read.is_none())?;
        let (known, until) = (asked.known, state.synced);
        let forgotten = state.recent.behind(&known, &until, 0) == Behind::Forgotten;
        let files = state.files();
        forgotten.then_some(move || {
            let behind = behind_in(&files, &known, &until, limits::AUDIT_LEADING);
            (known, behind)
        })
    }

    /// What was read.
    pub(super) fn was_read(&self, (known, behind): (AuditHead, Behind)) {
        if let Some(asked) = &mut self.state().asked
            && asked.known == known
        {
            asked.read = Some(behind);
        }
    }

    /// Records that no checkpoint covers.
    pub(super) fn unsigned(&self) -> u32 {
        self.state().unsigned
    }

    /// Appends a checkpoint of everything before it, signed by `sign`, if there is anything that no checkpoint covers. Not while records wait:
    /// they would come between the two.
    pub(super) fn sign(&self, sign: impl Fn(Checkpoint) -> SignedCheckpoint) {
        let mut state = self.state();
        if state.unsigned == 0 || !state.is_idle() {
            return;
        }
        let (now, owner) = (self.clock.now(), ChainOwner::Sensor(self.owner));
        let written = state.write_made(now.as_millisecond(), |head| {
            let signed = sign(Checkpoint::of(owner, head, now));
            Entry::by_agent(
                action::CHECKPOINT,
                format!("sensor:{}", self.owner),
                json!(signed),
            )
        });
        self.tell_written(&written);
    }

    /// What brings everything so far to the disk, if there is something. [`AuditLog::synced`] must be told how it went.
    pub(super) fn sync(&self) -> Option<Syncing> {
        let mut state = self.state();
        let records = std::mem::take(&mut state.unsynced);
        (records > 0).then(|| Syncing {
            head: state.head,
            records,
            work: state.syncer(),
        })
    }

    /// Brings everything so far to the disk, and waits for it: for a process that does one thing.
    pub(super) fn sync_now(&self) {
        if let Some(syncing) = self.sync() {
            let what = syncing.what();
            self.synced(what, &(syncing.work)());
        }
    }

    /// How it went. After a failure everything is to be synced again, and until that has worked nothing counts as recorded.
    pub(super) fn synced(&self, (head, records): (AuditHead, u32), result: &io::Result<()>) {
        let mut state = self.state();
        match result {
            Ok(()) if head.seq > state.synced.seq => state.synced = head,
            Ok(()) => {}
            Err(_) => state.unsynced = state.unsynced.saturating_add(records),
        }
        let fault = result.as_ref().err();
        let fault = fault.map(|error| format!("the audit log cannot be brought to the disk: {error}"));
        self.tell(|health| health.synced = fault);
    }

    fn state(&self) -> MutexGuard<'_, Writer> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn change_sink(&self, change: impl FnOnce(Box<dyn Sink>) -> Box<dyn Sink>) {
        self.state().change_sink(change);
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog")
            .field("head", &self.head())
            .finish_non_exhaustive()
    }
}
