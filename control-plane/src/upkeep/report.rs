//! What a restore tells.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use jiff::Timestamp;
use portolan_shared::audit::ChainRecord;
use portolan_shared::model::{TenantId, printable};
use portolan_store::RestoredTenant;

use super::redo::name;

/// Records of one list that are printed; the rest is counted.
pub const LISTED: usize = 200;

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// When the backup was taken; none if the database did not say.
    pub taken_at: Option<Timestamp>,
    /// When an attempt before this one began, which was cut short: what that did is not in `tenants`.
    pub begun_before: Option<Timestamp>,
    /// Where the database that was there is now.
    pub set_aside: Option<PathBuf>,
    /// Until when each sensor may come once with a state that is not known here.
    pub amnesty_until: Timestamp,
    /// Keys that the server needs beside the database, and that are not there.
    pub missing: Vec<PathBuf>,
    /// What was done to each tenant.
    pub tenants: Vec<RestoredLog>,
    /// The pulse from which the database goes on.
    pub(super) pulse: u64,
}

/// What was done to one tenant.
#[derive(Debug)]
pub struct RestoredLog {
    /// Its name.
    pub name: String,
    /// When the last record of its exported audit log was written; none if that was not given.
    pub exported_until: Option<Timestamp>,
    /// Records that were missing and are there again.
    pub records: u64,
    /// What was done again.
    pub redone: RecordList,
    /// What people have to do again.
    pub lost: RecordList,
    /// Numbers.
    pub figures: RestoredTenant,
}

/// Records of an audit log: the first of them, and how many there are.
#[derive(Debug, Default)]
pub struct RecordList {
    /// The first [`LISTED`], a line each.
    pub first: Vec<String>,
    /// All.
    pub all: usize,
}

impl RecordList {
    pub(super) fn push(&mut self, record: &ChainRecord<String>) {
        self.all += 1;
        if self.first.len() < LISTED {
            self.first.push(line(record));
        }
    }
}

impl RestoredLog {
    pub(super) fn new(tenant: TenantId, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            exported_until: None,
            records: 0,
            redone: RecordList::default(),
            lost: RecordList::default(),
            figures: RestoredTenant {
                tenant,
                sensors: 0,
                runs: 0,
            },
        }
    }
}

/// A record in one line, without anything that could control a terminal.
fn line(record: &ChainRecord<String>) -> String {
    let at = Timestamp::from_millisecond(record.at_ms).map_or_else(|_| "?".to_owned(), minute);
    let mut line = format!("{at}  {}  {}", record.action, record.object);
    if let Some(name) = name(record) {
        // Writing to a string cannot fail.
        let _ = write!(line, "  ({name})");
    }
    let _ = write!(line, "  by {}", record.actor);
    printable(&line, 300)
}

pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

pub(super) fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

impl Restored {
    /// Tells people of it.
    pub fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.taken_at {
            Some(at) => writeln!(out, "The database as it was at {} is restored.", minute(at))?,
            None => writeln!(out, "The database is restored.")?,
        }
        if let Some(path) = &self.set_aside {
            writeln!(
                out,
                "What was there is now {}; remove it when nobody needs it.",
                path.display()
            )?;
        }
        for path in &self.missing {
            writeln!(
                out,
                "{} is missing: put it there from where it is kept, before the server is started.",
                path.display()
            )?;
        }
        if let Some(since) = self.begun_before {
            writeln!(
                out,
                "It was begun before, at {}, and cut short then. What that attempt put back, did again and found lost is not counted or listed below: \
                 look for it in the exported log, among what came after the backup.",
                minute(since)
            )?;
        }
        for log in &self.tenants {
            log.tell(self.amnesty_until, out)?;
        }
        writeln!(out, "\nStart the server now. Then, for each tenant:")?;
        writeln!(
            out,
            "- Webhooks are disabled, and who follows the change feed begins anew: positions that were given out are void."
        )?;
        writeln!(
            out,
            "- Logins that were sealed since the backup are entered again: `portolan credential list` says which."
        )?;
        writeln!(
            out,
            "- A sensor that says that the audit log was rewritten: `portolan-agent audit accept-checkpoint` there."
        )
    }
}

impl RestoredLog {
    fn tell(&self, amnesty_until: Timestamp, out: &mut dyn Write) -> io::Result<()> {
        let RestoredTenant { sensors, runs, .. } = self.figures;
        writeln!(out, "\nTenant {}", self.name)?;
        match self.exported_until {
            Some(until) => writeln!(
                out,
                "  {} records of the audit log were missing and are there again. The exported log ends at {}: who was shut out later is let in again.",
                self.records,
                minute(until)
            )?,
            None => writeln!(
                out,
                "  Its audit log was not given: who was shut out since the backup is let in again."
            )?,
        }
        writeln!(
            out,
            "  {sensors} sensors may come once with a state that is not known here, until {}.",
            minute(amnesty_until)
        )?;
        writeln!(out, "  {runs} runs that had not ended are queued.")?;
        list(out, "Done again:", &self.redone)?;
        list(
            out,
            "Lost, and to be done again by you if it still holds:",
            &self.lost,
        )
    }
}

fn list(out: &mut dyn Write, title: &str, records: &RecordList) -> io::Result<()> {
    if records.all == 0 {
        return Ok(());
    }
    writeln!(out, "  {title}")?;
    for line in &records.first {
        writeln!(out, "    {line}")?;
    }
    match records.all - records.first.len() {
        0 => Ok(()),
        more => writeln!(out, "    and {more} more: the audit log has them"),
    }
}
