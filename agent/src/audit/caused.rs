//! What the control plane can have recorded: one budget of bytes, and what is told beyond it.

use std::collections::{BTreeMap, BTreeSet};

use portolan_shared::model::truncated;
use portolan_shared::process::{Clock, Uptime};

use super::budget::Budget;
use super::counts::{HostCount, SentCount, host_entries, sent_entries};
use super::entry::Entry;
use super::sums::Sums;
use super::withheld::{Kinds, Rate};

/// Hosts, kinds and rules that are named on one day whatever was written before, of each cause: further ones as far as there is room.
pub(super) const NAMED_A_DAY: usize = 4_096;
/// Bytes of a name by which it is known again.
const NAME_BYTES: usize = 512;
const DAY_MS: i64 = 86_400_000;

/// A moment, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) uptime: Uptime,
    day: i64,
}

impl Moment {
    pub(super) fn of(clock: &dyn Clock) -> Self {
        Self {
            uptime: clock.uptime(),
            day: clock.now().as_millisecond().div_euclid(DAY_MS),
        }
    }
}

/// Decides what is written of it now, and what is summed up.
#[derive(Debug)]
pub(super) struct Caused {
    budget: Budget,
    sums_budget: Budget,
    kinds: Kinds,
    sums: Sums,
    /// What was named on this day, by cause.
    named: BTreeMap<&'static str, BTreeSet<String>>,
    day: i64,
}

impl Caused {
    /// For files of this size.
    pub(super) fn new(file_bytes: u64) -> Self {
        Self {
            budget: Budget::of_records(file_bytes),
            sums_budget: Budget::of_sums(),
            kinds: Kinds::default(),
            sums: Sums::default(),
            named: BTreeMap::new(),
            day: i64::MIN,
        }
    }

    /// Whether this is to be named today although there is no room for it: the first time.
    fn is_new(&mut self, cause: &'static str, name: &str, moment: Moment) -> bool {
        if self.day != moment.day {
            self.named.clear();
            self.day = moment.day;
        }
        let named = self.named.entry(cause).or_default();
        let name = truncated(name, NAME_BYTES).0;
        named.len() < NAMED_A_DAY && !named.contains(name) && named.insert(name.to_owned())
    }

    fn written(&mut self, entry: Entry, moment: Moment) -> Entry {
        self.budget.charge(entry.line_bytes(), moment.uptime);
        entry
    }

    /// The record as it is to be written now; `None` if it is counted only. What is first of its kind today, or about something whose name is
    /// told and was not today, is written in any case, cut short if there is no room.
    pub(super) fn admit(
        &mut self,
        (rate, kind): (Rate, &str),
        entry: Entry,
        tells_object: bool,
        moment: Moment,
    ) -> Option<Entry> {
        let now = moment.uptime;
        let mut is_new = self.is_new(entry.actor, &format!("{} {kind}", entry.action), moment);
        if tells_object {
            is_new |= self.is_new(entry.actor, &format!("{} {}", entry.action, entry.object), moment);
        }
        let open = self.budget.is_open(now);
        if self.kinds.take(rate, kind, &entry, open, now) {
            return Some(self.written(entry, moment));
        }
        if is_new {
            return Some(self.written(entry.short(), moment));
        }
        self.kinds.withhold(rate, kind, &entry, now);
        None
    }

    /// Counts of hosts, as they are to be written now: all of them, or those that were not named today.
    pub(super) fn hosts(
        &mut self,
        object: &str,
        rows: &[HostCount],
        refusals: u64,
        moment: Moment,
    ) -> Vec<Entry> {
        let now = moment.uptime;
        let open = self.budget.is_open(now);
        let mut rows_now = Vec::new();
        for row in rows {
            let is_new = self.is_new_host(object, row, moment);
            if open || is_new {
                rows_now.push(row.clone());
            } else {
                self.sums.add_host(object, row, now);
            }
        }
        if !open && refusals > 0 {
            self.sums.add_refusals(object, refusals, now);
        }
        let refusals = if open { refusals } else { 0 };
        let entries = host_entries(object, &rows_now, refusals).into_iter();
        entries.map(|entry| self.written(entry, moment)).collect()
    }

    /// The name of a host, with no count, if it was not named today.
    pub(super) fn name_host(&mut self, object: &str, row: &HostCount, moment: Moment) -> Option<Entry> {
        let is_new = self.is_new_host(object, row, moment);
        let entry = is_new.then(|| host_entries(object, std::slice::from_ref(row), 0).pop());
        entry.flatten().map(|entry| self.written(entry, moment))
    }

    fn is_new_host(&mut self, object: &str, row: &HostCount, moment: Moment) -> bool {
        self.is_new("hosts", &format!("{} {} {object}", row.host, row.purpose), moment)
    }

    /// Counts of what was sent, likewise.
    pub(super) fn sent(&mut self, object: &str, rows: &[SentCount], moment: Moment) -> Vec<Entry> {
        let now = moment.uptime;
        let open = self.budget.is_open(now);
        let mut rows_now = Vec::new();
        for row in rows {
            let is_new = self.is_new("sent", &format!("{} {}", row.kind, row.to), moment);
            if open || is_new {
                rows_now.push(row.clone());
            } else {
                self.sums.add_sent(row, now);
            }
        }
        let entries = sent_entries(object, &rows_now).into_iter();
        entries.map(|entry| self.written(entry, moment)).collect()
    }

    /// Sums that it is time to tell, as far as there is room for sums.
    pub(super) fn due(&mut self, now: Uptime) -> Vec<Entry> {
        let mut due = Vec::new();
        while self.sums_budget.is_open(now) {
            // In turn: neither keeps the other waiting.
            let told = [self.kinds.tell(Some(now)), self.sums.tell(Some(now))];
            let told: Vec<Entry> = told.into_iter().flatten().collect();
            if told.is_empty() {
                break;
            }
            let bytes = told.iter().map(Entry::line_bytes).sum();
            self.sums_budget.charge(bytes, now);
            due.extend(told);
        }
        due
    }

    /// Everything that was not told yet: at the end.
    pub(super) fn drain(&mut self) -> Vec<Entry> {
        let next = || self.kinds.tell(None).or_else(|| self.sums.tell(None));
        std::iter::from_fn(next).collect()
    }
}
