//! The end of the current file: what is written there, and when a new file is begun.

use std::collections::VecDeque;
use std::io;

use portolan_shared::audit::{AuditHead, ChainRecord, LinkedRecord};
use serde_json::json;

use super::entry::{Entry, Outcome, action};
use super::folder::{Folder, Found, Opened, Sink};
use super::read::AuditFile;
use super::recent::{Behind, Recent};

/// Records that wait for the disk: beyond, they are counted and no more.
const WAITING: usize = 1_000;

/// A question of how the log goes on behind a record.
pub(super) struct Asked {
    pub(super) known: AuditHead,
    /// What the files say.
    pub(super) read: Option<Behind>,
}

/// Writes records, one behind the other.
pub(super) struct Writer {
    folder: Folder,
    sink: Box<dyn Sink>,
    pub(super) head: AuditHead,
    /// What a power cut does not take back.
    pub(super) synced: AuditHead,
    /// The current file is new, and its first record must say what it continues.
    link_due: bool,
    waiting: VecDeque<(i64, Entry)>,
    lost: u64,
    /// Records that may be in the system's memory and not on the disk.
    pub(super) unsynced: u32,
    /// Records that no checkpoint covers.
    pub(super) unsigned: u32,
    pub(super) recent: Recent,
    pub(super) asked: Option<Asked>,
}

impl Writer {
    /// Behind what was found.
    pub(super) fn new(folder: Folder, opened: Opened) -> Self {
        let begun = matches!(opened.found, Found::Sound | Found::Torn { .. });
        Self {
            link_due: begun && opened.sink.len() == 0 && opened.head.seq > 0,
            folder,
            sink: opened.sink,
            head: opened.head,
            synced: opened.head,
            waiting: VecDeque::new(),
            lost: 0,
            unsynced: 0,
            unsigned: opened.unsigned,
            recent: opened.recent,
            asked: None,
        }
    }

    /// Takes something to be written next.
    pub(super) fn queue(&mut self, at_ms: i64, entry: Entry) {
        if self.waiting.len() < WAITING {
            self.waiting.push_back((at_ms, entry));
        } else {
            self.lost += 1;
        }
    }

    /// Whether everything was written.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.lost == 0
    }

    /// Writes what waits, oldest first. What could not be written goes on waiting.
    pub(super) fn write_all(&mut self, now_ms: i64) -> io::Result<()> {
        while let Some((at_ms, entry)) = self.waiting.front().cloned() {
            self.write_made(at_ms, |_| entry.clone())?;
            self.waiting.pop_front();
        }
        if self.lost > 0 {
            let details = json!({"records": self.lost});
            let entry = Entry::by_agent("log.lost", "sensor", details).with(Outcome::Failed);
            self.write_made(now_ms, |_| entry.clone())?;
            self.lost = 0;
        }
        Ok(())
    }

    /// Writes a record that is made for its place: `make` is told what it continues, twice if a new file must be begun for it.
    pub(super) fn write_made(&mut self, at_ms: i64, make: impl Fn(&AuditHead) -> Entry) -> io::Result<()> {
        let mut made = line(at_ms, &make(&self.head), &self.head)?;
        if self.sink.len() > 0 && self.sink.len() + made.1.len() as u64 > self.folder.file_bytes {
            let sync = self.sink.syncer();
            sync()?;
            (self.synced, self.unsynced) = (self.head, 0);
            self.sink = self.folder.rotate().map_err(io::Error::other)?;
            self.link_due = true;
        }
        if self.link_due {
            let details = json!({"continues": self.head});
            let link = Entry::by_agent(action::ROTATED, "audit.1.jsonl", details);
            self.put(&line(at_ms, &link, &self.head)?)?;
            self.link_due = false;
            made = line(at_ms, &make(&self.head), &self.head)?;
        }
        self.put(&made)
    }

    fn put(&mut self, (linked, bytes): &(LinkedRecord<String>, Vec<u8>)) -> io::Result<()> {
        self.sink.append(bytes)?;
        self.head = linked.head();
        self.recent.push(linked);
        self.unsynced += 1;
        if linked.record.action == action::CHECKPOINT {
            self.unsigned = 0;
        } else {
            self.unsigned += 1;
        }
        Ok(())
    }

    /// What brings the current file to the disk; may be called elsewhere.
    pub(super) fn syncer(&self) -> Box<dyn FnOnce() -> io::Result<()> + Send> {
        self.sink.syncer()
    }

    /// The files there are, oldest first.
    pub(super) fn files(&self) -> Vec<AuditFile> {
        self.folder.files()
    }

    #[cfg(test)]
    pub(super) fn change_sink(&mut self, change: impl FnOnce(Box<dyn Sink>) -> Box<dyn Sink>) {
        struct None;
        impl Sink for None {
            fn append(&mut self, _: &[u8]) -> io::Result<()> {
                Err(io::ErrorKind::Unsupported.into())
            }
            fn len(&self) -> u64 {
                0
            }
            fn syncer(&self) -> Box<dyn FnOnce() -> io::Result<()> + Send> {
                Box::new(|| Ok(()))
            }
        }
        let sink = std::mem::replace(&mut self.sink, Box::new(None));
        self.sink = change(sink);
    }
}

/// A record behind `head`, and its line.
fn line(at_ms: i64, entry: &Entry, head: &AuditHead) -> io::Result<(LinkedRecord<String>, Vec<u8>)> {
    let record = ChainRecord {
        seq: head.seq + 1,
        at_ms,
        actor: entry.actor.to_owned(),
        action: entry.action.to_owned(),
        object: entry.object.clone(),
        outcome: entry.outcome.as_str().to_owned(),
        details: entry.details.to_string(),
    };
    let linked = record.linked(head);
    let mut bytes = serde_json::to_vec(&linked)?;
    bytes.push(b'\n');
    Ok((linked, bytes))
}
