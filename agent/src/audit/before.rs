//! The account from before there is a log: a machine that enrols contacts the control plane, and is nobody's sensor yet.
//!
//! It is kept in a file of its own beside the log, and goes into the log when the sensor starts for the first time.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use portolan_shared::audit::ChainRecord;
use portolan_shared::process::{Clock, FileError, create_private_dir, read_bounded, write_atomically};
use serde_json::Value;

use super::counts::{HostCount, SentCount, host_entries, sent_entries};
use super::entry::{Entry, Outcome, action};
use super::folder::FOLDER;
use super::log::AuditLog;
use super::outgoing::Outgoing;
use super::tally::Book;

const FILE: &str = "before-enrolment.jsonl";
/// Records that are kept: the oldest go beyond. An enrolment makes a handful.
pub(super) const KEPT: usize = 256;
/// Largest file, in bytes: refused above.
const FILE_BYTES: u64 = 1024 * 1024;
/// What stands in front of the object of such a record once it is in the log.
pub(super) const OBJECT: &str = "before enrolment: ";

type Records = VecDeque<ChainRecord<String>>;

/// The account of an enrolment in this data directory.
///
/// # Errors
/// If there is no folder for it, or what lies there cannot be read.
pub fn account_of_enrolment(data_dir: &Path, clock: Arc<dyn Clock>) -> Result<Arc<Outgoing>, FileError> {
    let folder = data_dir.join(FOLDER);
    create_private_dir(&folder)?;
    let path = folder.join(FILE);
    let book = Before {
        records: Mutex::new(read(&path)?),
        path,
        clock: Arc::clone(&clock),
    };
    Ok(Outgoing::in_book(Arc::new(book), clock))
}

/// Moves that account into the log. Where it cannot be read the log says so.
pub fn take_account_of_enrolment(data_dir: &Path, log: &AuditLog) {
    let path = data_dir.join(FOLDER).join(FILE);
    if !path.exists() {
        return;
    }
    let file = path.display().to_string();
    match read(&path) {
        Ok(records) => records
            .into_iter()
            .filter_map(entry)
            .for_each(|entry| log.append(entry)),
        Err(error) => {
            tracing::error!(%error, "the account of the enrolment cannot be read");
            let details = serde_json::json!({"why": error.to_string()});
            log.append(Entry::by_agent("log.lost", file.clone(), details).with(Outcome::Failed));
        }
    }
    // Whoever sums the log counts a record that was taken twice once.
    if let Err(error) = std::fs::remove_file(&path) {
        tracing::warn!(%error, file, "the account of the enrolment is in the log, and its file still there");
    }
}

/// The records of that account, if it is not in the log yet.
pub(super) fn records_before(folder: &Path) -> Result<Records, FileError> {
    read(&folder.join(FILE))
}

fn entry(record: ChainRecord<String>) -> Option<Entry> {
    let action = [action::HOSTS, action::SENT]
        .into_iter()
        .find(|action| *action == record.action)?;
    let details: Value = serde_json::from_str(&record.details).ok()?;
    Some(Entry::by_agent(action, record.object, details))
}

fn read(path: &Path) -> Result<Records, FileError> {
    let bytes = read_bounded(path, FILE_BYTES)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let records = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    Ok(records.collect())
}

struct Before {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    records: Mutex<Records>,
}

impl Book for Before {
    fn record_hosts(&self, object: &str, hosts: &[HostCount], refusals: u64) {
        host_entries(object, hosts, refusals)
            .into_iter()
            .for_each(|entry| self.record(&entry));
    }

    fn name_host(&self, _: &str, _: &HostCount) {
        // An enrolment contacts the hosts of its token: not as many.
    }

    fn record_sent(&self, object: &str, sent: &[SentCount]) {
        sent_entries(object, sent)
            .into_iter()
            .for_each(|entry| self.record(&entry));
    }
}

impl Before {
    fn record(&self, entry: &Entry) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let at_ms = self.clock.now().as_millisecond();
        let seq = records.back().map_or(0, |last| last.seq) + 1;
        records.push_back(ChainRecord {
            seq,
            at_ms,
            actor: entry.actor.to_owned(),
            action: entry.action.to_owned(),
            object: format!("{OBJECT}{} at {at_ms}", entry.object),
            outcome: entry.outcome.as_str().to_owned(),
            details: entry.details.to_string(),
        });
        while records.len() > KEPT {
            records.pop_front();
        }
        let lines: Result<Vec<String>, _> = records.iter().map(serde_json::to_string).collect();
        let stored = lines.map_err(|error| error.to_string()).and_then(|lines| {
            let text = lines.join("\n") + "\n";
            write_atomically(&self.path, text.as_bytes()).map_err(|error| error.to_string())
        });
        if let Err(error) = stored {
            tracing::error!(error, "the account of the enrolment was not stored");
        }
    }
}
