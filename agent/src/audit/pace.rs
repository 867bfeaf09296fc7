//! How often records are written that the control plane can cause at will: so that whatever it says, it does not push out of the files what it
//! would rather not have read there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use portolan_shared::process::Uptime;
use serde_json::{Value, json};

use super::entry::Entry;

/// Kinds that are counted apart: beyond, all of one action together.
pub(super) const KINDS: usize = 256;
/// Objects of withheld records that are named: beyond, the records are only counted.
const NAMED: usize = 8;
/// What was withheld is recorded by itself once nothing more of the kind has come for this long.
const QUIET: Duration = Duration::from_secs(60);

/// So many at once, and from then on one more each time that this long has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub(super) at_once: u32,
    pub(super) every: Duration,
}

impl Rate {
    /// Of what follows from a message alone: whoever sends many gets one record a minute. The first of its kind in a minute is among them.
    pub const SAID: Self = Self::new(64, 60);
    /// Of what follows from work that was done: no sensor works that much for long.
    pub const DONE: Self = Self::new(4_096, 1);
    /// Of probes, which people ask for.
    pub(super) const PROBES: Self = Self::new(256, 10);

    const fn new(at_once: u32, seconds: u64) -> Self {
        Self {
            at_once,
            every: Duration::from_secs(seconds),
        }
    }
}

/// What is left of a rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    rate: Rate,
    /// When all that was taken is made up for.
    settled: Duration,
}

impl Allowance {
    /// All of it.
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            settled: Duration::ZERO,
        }
    }

    /// Whether there is one left.
    pub(super) fn is_open(&self, now: Uptime) -> bool {
        let ahead = self
            .rate
            .every
            .saturating_mul(self.rate.at_once.saturating_sub(1));
        self.settled <= now.0.saturating_add(ahead)
    }

    /// Takes one, if there is one left. Whether there was.
    pub(super) fn take(&mut self, now: Uptime) -> bool {
        let open = self.is_open(now);
        if open {
            self.settled = self.settled.max(now.0).saturating_add(self.rate.every);
        }
        open
    }

    /// Whether nothing is missing.
    fn is_whole(&self, now: Uptime) -> bool {
        self.settled <= now.0
    }
}

/// Records by kind: written while their rate lasts, counted beyond.
#[derive(Debug, Default)]
pub(super) struct Pace(BTreeMap<(&'static str, String), Kind>);

#[derive(Debug)]
struct Kind {
    allowance: Allowance,
    withheld: Withheld,
}

/// Records that were not written.
#[derive(Debug)]
struct Withheld {
    records: u64,
    /// What the first of them were about.
    of: BTreeSet<String>,
    last: Uptime,
}

impl Withheld {
    fn none() -> Self {
        Self {
            records: 0,
            of: BTreeSet::new(),
            last: Uptime(Duration::ZERO),
        }
    }

    fn add(&mut self, object: String, now: Uptime) {
        self.records += 1;
        self.last = now;
        if self.of.len() < NAMED {
            self.of.insert(object);
        }
    }

    /// What is said of them; from now on they count as told.
    fn tell(&mut self) -> Option<Value> {
        let Self { records, of, .. } = std::mem::replace(self, Self::none());
        (records > 0).then(|| json!({"records": records, "of": of}))
    }
}

impl Pace {
    /// The record as it is to be written now, with what was withheld of its kind before; `None` if it is withheld itself.
    pub(super) fn admit(&mut self, rate: Rate, kind: &str, mut entry: Entry, now: Uptime) -> Option<Entry> {
        let kind = self.kind(rate, (entry.action, kind.to_owned()), now);
        if !kind.allowance.take(now) {
            kind.withheld.add(entry.object, now);
            return None;
        }
        if let Some(withheld) = kind.withheld.tell()
            && let Value::Object(details) = &mut entry.details
        {
            details.insert("withheld".to_owned(), withheld);
        }
        Some(entry)
    }

    fn kind(&mut self, rate: Rate, mut key: (&'static str, String), now: Uptime) -> &mut Kind {
        if self.0.len() >= KINDS && !self.0.contains_key(&key) {
            self.0
                .retain(|_, kind| kind.withheld.records > 0 || !kind.allowance.is_whole(now));
            if self.0.len() >= KINDS {
                key.1 = "further kinds".to_owned();
            }
        }
        self.0.entry(key).or_insert_with(|| Kind {
            allowance: Allowance::new(rate),
            withheld: Withheld::none(),
        })
    }

    /// What was withheld and will be told by no further record, it seems: one for each kind that has fallen silent. All of it at the end, which
    /// is the end of time.
    pub(super) fn due(&mut self, now: Uptime) -> Vec<Entry> {
        let told = self.0.iter_mut().filter_map(|((action, name), kind)| {
            let silent = now.since(kind.withheld.last) >= QUIET;
            if kind.withheld.records == 0 || !silent || !kind.allowance.take(now) {
                return None;
            }
            let details = json!({"kind": name, "withheld": kind.withheld.tell()});
            Some(Entry::by_agent("records.withheld", *action, details))
        });
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Uptime {
        Uptime(Duration::from_secs(seconds))
    }

    fn record(object: usize) -> Entry {
        Entry::by_control_plane("said", format!("object:{object}"), json!({"why": "so"}))
    }

    #[test]
    fn so_many_at_once_and_then_one_a_minute_that_tells_what_was_withheld() {
        let mut pace = Pace::default();
        let at_once = Rate::SAID.at_once as usize;
        for object in 0..at_once {
            let written = pace.admit(Rate::SAID, "a", record(object), at(0));
            assert_eq!(written, Some(record(object)));
        }
        for object in 0..100 {
            assert_eq!(pace.admit(Rate::SAID, "a", record(object), at(1)), None);
        }
        assert_eq!(
            pace.admit(Rate::SAID, "b", record(0), at(1)),
            Some(record(0)),
            "another kind has its own"
        );
        // Flooded for a day: one record a minute, and in none of the minutes none.
        let mut written = Vec::new();
        for second in 2..86_400 {
            written.extend(pace.admit(Rate::SAID, "a", record(0), at(second)));
        }
        assert_eq!(written.len(), 86_400 / 60 - 1);
        let withheld = &written[0].details["withheld"];
        assert_eq!(withheld["records"], 100 + 58);
        assert_eq!(withheld["of"].as_array().unwrap().len(), NAMED);
        assert_eq!(written[0].details["why"], "so");
        let told: u64 = written
            .iter()
            .map(|entry| entry.details["withheld"]["records"].as_u64().unwrap())
            .sum();
        let last = pace.due(Uptime(Duration::MAX));
        let rest = last[0].details["withheld"]["records"].as_u64().unwrap();
        assert_eq!(
            told + rest + written.len() as u64,
            100 + 86_398,
            "all are counted"
        );
    }

    #[test]
    fn what_was_withheld_of_a_kind_that_fell_silent_is_told_by_itself_and_once() {
        let mut pace = Pace::default();
        for object in 0..=Rate::SAID.at_once as usize {
            pace.admit(Rate::SAID, "a", record(object), at(10));
        }
        assert!(pace.due(at(69)).is_empty(), "another may come and tell it");
        let told = pace.due(at(70));
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].action, &*told[0].object), ("records.withheld", "said"));
        assert_eq!(
            told[0].details,
            json!({"kind": "a", "withheld": {"records": 1, "of": ["object:64"]}})
        );
        assert!(pace.due(at(1_000)).is_empty());
    }

    #[test]
    fn kinds_beyond_the_bound_count_as_one_and_silent_ones_make_room() {
        let mut pace = Pace::default();
        for kind in 0..KINDS {
            assert!(
                pace.admit(Rate::SAID, &kind.to_string(), record(0), at(0))
                    .is_some()
            );
        }
        let at_once = Rate::SAID.at_once as usize;
        let beyond = (0..at_once * 2).filter_map(|kind| {
            let kind = format!("beyond {kind}");
            pace.admit(Rate::SAID, &kind, record(0), at(0))
        });
        assert_eq!(beyond.count(), at_once);
        assert_eq!(pace.0.len(), KINDS + 1);
        assert!(pace.admit(Rate::SAID, "late", record(0), at(60)).is_some());
        assert_eq!(
            pace.0.len(),
            2,
            "the one with something to tell, and the late one"
        );
    }
}
