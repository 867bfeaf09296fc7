//! Records of one kind: written at a rate, counted beyond.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use portolan_shared::model::truncated;
use portolan_shared::process::{Pace, Uptime};
use serde_json::json;

use super::entry::Entry;

/// Kinds of one rate that are counted apart: beyond, all of one action together.
pub(super) const KINDS: usize = 256;
/// Objects of withheld records that are named: beyond, the records are only counted.
pub(super) const NAMED: usize = 8;
/// Bytes of a kind's name, or an object's, that are kept.
const NAME_BYTES: usize = 280;
/// What was withheld is told when the first of it is this old.
pub(super) const TOLD_AFTER: Duration = Duration::from_secs(60);

/// So many at once, and from then on one more each time that this long has passed; and none while the log's budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    pub(super) at_once: u32,
    pub(super) every: Duration,
}

impl Rate {
    /// Of what follows from a message alone: whoever sends many gets one record a minute.
    pub const SAID: Self = Self {
        at_once: 64,
        every: Duration::from_secs(60),
    };
    /// Of what follows from work that was done: bounded by the budget alone.
    pub const DONE: Self = Self {
        at_once: u32::MAX,
        every: Duration::ZERO,
    };

    fn is_open(self, pace: &Pace, now: Uptime) -> bool {
        let ahead = self.every.saturating_mul(self.at_once.saturating_sub(1));
        pace.is_over(Uptime(now.0.saturating_add(ahead)))
    }
}

/// Of one kind: the same rate, cause and action, and the same rule, registry or whatever else tells them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    rate: Rate,
    actor: &'static str,
    action: &'static str,
    kind: String,
}

/// Everything that is counted by kind.
#[derive(Debug, Default)]
pub(super) struct Kinds(BTreeMap<Key, Kind>);

#[derive(Debug, Default)]
struct Kind {
    pace: Pace,
    withheld: Option<Withheld>,
}

/// Records that were not written.
#[derive(Debug)]
struct Withheld {
    records: u64,
    /// What the first of them were about.
    of: BTreeSet<String>,
    since: Uptime,
}

impl Kinds {
    /// Whether this record may be written by its rate, which is used up by it then. It may not while the budget is not open.
    pub(super) fn take(&mut self, rate: Rate, kind: &str, entry: &Entry, open: bool, now: Uptime) -> bool {
        let kind = self.kind(rate, kind, entry, now);
        let takes = open && rate.is_open(&kind.pace, now);
        if takes {
            kind.pace.take(rate.every, Duration::ZERO, now);
        }
        takes
    }

    /// Counts a record that is not written.
    pub(super) fn withhold(&mut self, rate: Rate, kind: &str, entry: &Entry, now: Uptime) {
        let kind = self.kind(rate, kind, entry, now);
        let withheld = kind.withheld.get_or_insert_with(|| Withheld {
            records: 0,
            of: BTreeSet::new(),
            since: now,
        });
        withheld.records += 1;
        if withheld.of.len() < NAMED {
            withheld
                .of
                .insert(truncated(&entry.object, NAME_BYTES).0.to_owned());
        }
    }

    fn kind(&mut self, rate: Rate, kind: &str, entry: &Entry, now: Uptime) -> &mut Kind {
        let mut key = Key {
            rate,
            actor: entry.actor,
            action: entry.action,
            kind: truncated(kind, NAME_BYTES).0.to_owned(),
        };
        let is_full =
            |kinds: &BTreeMap<Key, Kind>| kinds.keys().filter(|key| key.rate == rate).count() >= KINDS;
        if !self.0.contains_key(&key) && is_full(&self.0) {
            self.0
                .retain(|_, kind| kind.withheld.is_some() || !kind.pace.is_over(now));
            if is_full(&self.0) {
                "further kinds".clone_into(&mut key.kind);
            }
        }
        self.0.entry(key).or_default()
    }

    /// What was withheld of the kind of which it is longest ago, as a record, if that is long enough: from now on it counts as told.
    pub(super) fn tell(&mut self, before: Option<Uptime>) -> Option<Entry> {
        let since = |kind: &Kind| kind.withheld.as_ref().map(|withheld| withheld.since);
        let due = self.0.iter_mut().filter(|(_, kind)| {
            since(kind).is_some_and(|since| before.is_none_or(|now| now.since(since) >= TOLD_AFTER))
        });
        let (key, kind) = due.min_by_key(|(_, kind)| since(kind))?;
        let Withheld { records, of, .. } = kind.withheld.take()?;
        let details = json!({"kind": key.kind, "by": key.actor, "withheld": {"records": records, "of": of}});
        Some(Entry::by_agent("records.withheld", key.action, details))
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

    impl Kinds {
        fn admit(&mut self, kind: &str, object: usize, second: u64) -> bool {
            let entry = record(object);
            let taken = self.take(Rate::SAID, kind, &entry, true, at(second));
            if !taken {
                self.withhold(Rate::SAID, kind, &entry, at(second));
            }
            taken
        }
    }

    #[test]
    fn so_many_at_once_and_then_one_a_minute_and_all_are_counted() {
        let mut kinds = Kinds::default();
        let at_once = Rate::SAID.at_once as usize;
        assert!((0..at_once).all(|object| kinds.admit("a", object, 0)));
        assert!((0..100).all(|object| !kinds.admit("a", object, 1)));
        assert!(kinds.admit("b", 0, 1), "another kind has its own");
        let (mut written, mut told) = (0, Vec::new());
        // Flooded for a day: one record a minute, and in none of the minutes none; and each minute how many there were.
        for second in 2..86_400 {
            written += u64::from(kinds.admit("a", 0, second));
            told.extend(kinds.tell(Some(at(second))));
        }
        assert_eq!(written, 86_400 / 60 - 1);
        assert!((1_400..1_441).contains(&told.len()), "{}", told.len());
        assert_eq!(told[0].details["withheld"]["of"].as_array().unwrap().len(), NAMED);
        told.extend(kinds.tell(None));
        let records: u64 = told
            .iter()
            .map(|entry| entry.details["withheld"]["records"].as_u64().unwrap())
            .sum();
        assert_eq!(records + written, 100 + 86_398, "all are counted");
        assert_eq!(kinds.tell(None), None, "once");
    }

    #[test]
    fn what_was_withheld_is_told_after_a_minute_oldest_first() {
        let mut kinds = Kinds::default();
        let entry = record(7);
        kinds.withhold(Rate::DONE, "b", &entry, at(10));
        kinds.withhold(Rate::DONE, "a", &entry, at(11));
        assert_eq!(kinds.tell(Some(at(69))), None);
        let told = kinds.tell(Some(at(70))).unwrap();
        assert_eq!((told.action, &*told.object), ("records.withheld", "said"));
        assert_eq!(
            told.details,
            json!({"kind": "b", "by": "control-plane", "withheld": {"records": 1, "of": ["object:7"]}})
        );
        assert_eq!(kinds.tell(Some(at(70))), None);
        assert_eq!(kinds.tell(Some(at(71))).unwrap().details["kind"], "a");
    }

    #[test]
    fn two_rates_of_one_action_and_kind_share_nothing() {
        for (first, second) in [(Rate::SAID, Rate::DONE), (Rate::DONE, Rate::SAID)] {
            let mut kinds = Kinds::default();
            let entry = record(0);
            for _ in 0..1_000 {
                kinds.take(first, "a", &entry, true, at(0));
            }
            assert!(kinds.take(second, "a", &entry, true, at(0)));
        }
    }

    #[test]
    fn kinds_beyond_the_bound_count_as_one_and_silent_ones_make_room() {
        let mut kinds = Kinds::default();
        assert!((0..KINDS).all(|kind| kinds.admit(&kind.to_string(), 0, 0)));
        let at_once = Rate::SAID.at_once as usize;
        let beyond = (0..at_once * 2).filter(|kind| kinds.admit(&format!("beyond {kind}"), 0, 0));
        assert_eq!(beyond.count(), at_once);
        assert_eq!(kinds.0.len(), KINDS + 1);
        assert!(kinds.admit("late", 0, 60));
        assert_eq!(
            kinds.0.len(),
            2,
            "the one with something to tell, and the late one"
        );
    }
}
