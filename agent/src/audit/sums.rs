//! Counts of hosts and of what was sent that were not recorded one by one, summed up until they are.

use portolan_shared::process::Uptime;

use super::counts::{HostCount, SentCount, host_entries, sent_entries};
use super::entry::Entry;
use super::withheld::TOLD_AFTER;

/// Rows of either kind: beyond, hosts of one purpose, and all that was sent, are summed up together.
pub(super) const ROWS: usize = 256;
/// Stands for what has no row of its own.
const OTHERS: &str = "others";
/// What sums of data are about.
const ALL: &str = "all";

/// What is summed up.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Since when, of what (a registry, or the way to the control plane), and the sum. Oldest first, as the others are.
    hosts: Vec<(Uptime, String, HostCount)>,
    refusals: Vec<(Uptime, String, u64)>,
    sent: Vec<(Uptime, SentCount)>,
}

impl Sums {
    pub(super) fn add_host(&mut self, object: &str, row: &HostCount, now: Uptime) {
        let same = |known: &HostCount, row: &HostCount| {
            (&known.host, &known.purpose, &known.by) == (&row.host, &row.purpose, &row.by)
        };
        let known = |(_, of, known): &(Uptime, String, HostCount), object: &str, row: &HostCount| {
            of == object && same(known, row)
        };
        let mut at = self.hosts.iter().position(|each| known(each, object, row));
        let (mut object, mut row) = (object, row.clone());
        if at.is_none() && self.hosts.len() >= ROWS {
            (object, row.by) = (OTHERS, None);
            OTHERS.clone_into(&mut row.host);
            at = self.hosts.iter().position(|each| known(each, object, &row));
        }
        match at.and_then(|at| self.hosts.get_mut(at)) {
            Some((_, _, sum)) => sum.add(&row),
            None => self.hosts.push((now, object.to_owned(), row)),
        }
    }

    pub(super) fn add_refusals(&mut self, object: &str, count: u64, now: Uptime) {
        let known = |object: &str| self.refusals.iter().position(|(_, of, _)| of == object);
        let (mut object, mut at) = (object, known(object));
        if at.is_none() && self.refusals.len() >= ROWS {
            (object, at) = (OTHERS, known(OTHERS));
        }
        match at.and_then(|at| self.refusals.get_mut(at)) {
            Some((_, _, sum)) => *sum += count,
            None => self.refusals.push((now, object.to_owned(), count)),
        }
    }

    pub(super) fn add_sent(&mut self, row: &SentCount, now: Uptime) {
        let full = self.sent.len() >= ROWS;
        let known = |kind: &str, to: &str| {
            let same = |(_, known): &(Uptime, SentCount)| (&*known.kind, &*known.to) == (kind, to);
            self.sent.iter().position(same)
        };
        let mut row = row.clone();
        let mut at = known(&row.kind, &row.to);
        if at.is_none() && full {
            OTHERS.clone_into(&mut row.to);
            at = known(&row.kind, OTHERS);
        }
        match at.and_then(|at| self.sent.get_mut(at)) {
            Some((_, sum)) => sum.add(&row),
            None => self.sent.push((now, row)),
        }
    }

    /// The oldest sums, as one record, if they are old enough: from now on they count as told. There are several until there is none.
    pub(super) fn tell(&mut self, before: Option<Uptime>) -> Option<Entry> {
        let is_due = |since: Uptime| before.is_none_or(|now| now.since(since) >= TOLD_AFTER);
        let sent = self.sent.first().map(|row| (row.0, None));
        let hosts = self.hosts.first().map(|row| (row.0, Some(&row.1)));
        let refusals = self.refusals.first().map(|row| (row.0, Some(&row.1)));
        let oldest = [sent, hosts, refusals].into_iter().flatten();
        let (_, object) = oldest.filter(|row| is_due(row.0)).min_by_key(|row| row.0)?;
        let entry = match object.cloned() {
            Some(object) => {
                let mut left = HostCount::IN_A_RECORD;
                let mine = |row: &mut (Uptime, String, HostCount)| {
                    let mine = row.1 == object && left > 0;
                    left -= usize::from(mine);
                    mine
                };
                let hosts: Vec<HostCount> = self.hosts.extract_if(.., mine).map(|row| row.2).collect();
                let refusals = self
                    .refusals
                    .extract_if(.., |row| row.1 == object)
                    .map(|row| row.2)
                    .sum();
                host_entries(&object, &hosts, refusals).pop()
            }
            None => {
                let count = self.sent.len().min(HostCount::IN_A_RECORD);
                let sent: Vec<SentCount> = self.sent.drain(..count).map(|row| row.1).collect();
                sent_entries(ALL, &sent).pop()
            }
        };
        entry.map(Entry::summed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::audit::{Entry, Outcome};

    fn at(seconds: u64) -> Uptime {
        Uptime(Duration::from_secs(seconds))
    }

    fn host(name: &str) -> HostCount {
        HostCount {
            host: name.to_owned(),
            purpose: "storage".to_owned(),
            requests: 1,
            first_ms: 5,
            last_ms: 5,
            ..HostCount::default()
        }
    }

    fn sent(to: &str) -> SentCount {
        SentCount {
            kind: "tags".to_owned(),
            to: to.to_owned(),
            count: 2,
            bytes: 20,
            first_ms: 5,
            last_ms: 5,
        }
    }

    fn all(sums: &mut Sums) -> Vec<Entry> {
        std::iter::from_fn(|| sums.tell(None)).collect()
    }

    #[test]
    fn sums_are_told_by_registry_after_a_minute_and_once() {
        let mut sums = Sums::default();
        for second in 0..30 {
            sums.add_host("registry:a", &host("s3:443"), at(second));
            sums.add_host("registry:b", &host("s3:443"), at(second + 1));
            sums.add_refusals("registry:a", 2, at(second));
            sums.add_sent(&sent("cp:443"), at(second + 2));
        }
        assert_eq!(sums.tell(Some(at(59))), None);
        let told = sums.tell(Some(at(60))).unwrap();
        assert_eq!(
            (told.action, &*told.object, told.outcome),
            ("hosts.contacted", "registry:a", Outcome::Refused)
        );
        assert_eq!(told.details["hosts"][0]["requests"], 30);
        assert_eq!(
            (&told.details["refusals"], &told.details["summed"]),
            (&60.into(), &true.into())
        );
        assert_eq!(sums.tell(Some(at(60))), None);
        assert_eq!(sums.tell(Some(at(61))).unwrap().object, "registry:b");
        let told = sums.tell(Some(at(62))).unwrap();
        assert_eq!(
            (told.action, &told.details["sent"][0]["bytes"]),
            ("data.sent", &600.into())
        );
        assert_eq!(all(&mut sums), []);
    }

    #[test]
    fn rows_beyond_the_bound_are_summed_up_together() {
        let mut sums = Sums::default();
        for _ in 0..2 {
            for n in 0..ROWS + 10 {
                let name = format!("h{n}:443");
                sums.add_host("registry:a", &host(&name), at(0));
                sums.add_refusals(&name, 1, at(0));
                sums.add_sent(&sent(&name), at(0));
            }
        }
        assert_eq!((sums.hosts.len(), sums.sent.len()), (ROWS + 1, ROWS + 1));
        assert_eq!(sums.refusals.len(), ROWS + 1);
        let told = all(&mut sums);
        let rows = |of: &'static str| {
            told.iter()
                .filter_map(move |entry| entry.details[of].as_array())
                .flatten()
        };
        let requests: u64 = rows("hosts").map(|row| row["requests"].as_u64().unwrap()).sum();
        assert_eq!(requests, 2 * (ROWS as u64 + 10), "none is lost");
        let others: Vec<_> = rows("hosts").filter(|row| row["host"] == OTHERS).collect();
        assert_eq!((others.len(), &others[0]["requests"]), (1, &20.into()));
        assert!(rows("sent").any(|row| row["to"] == OTHERS && row["count"] == 40));
        let refusals: u64 = told
            .iter()
            .filter_map(|entry| entry.details["refusals"].as_u64())
            .sum();
        assert_eq!(refusals, 2 * (ROWS as u64 + 10));
    }
}
