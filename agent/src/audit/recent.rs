//! The last records, by their digests: what it takes to show that the log goes on from where somebody else has seen it.

use std::collections::VecDeque;

use portolan_shared::audit::{AuditHash, AuditHead, LinkedRecord};

use super::folder::before;
use super::read::{AuditFile, Read};

/// Records that are remembered: the oldest are forgotten beyond, and read from the files when somebody asks for them.
const RECENT: usize = 1_024;

/// How the log goes on from a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Behind {
    /// By records with these digests.
    Digests(Vec<AuditHash>),
    /// The log never stood there.
    Nowhere,
    /// That is longer ago than is remembered.
    Forgotten,
}

/// Digests of the last records.
#[derive(Debug)]
pub(super) struct Recent {
    /// What the first of them continues.
    base: AuditHead,
    /// Where the log stood with each, and its digest.
    records: VecDeque<(AuditHead, AuditHash)>,
}

impl Recent {
    /// Of a log that stands at `base`.
    pub(super) fn behind_head(base: AuditHead) -> Self {
        Self {
            base,
            records: VecDeque::new(),
        }
    }

    /// Another record. One that continues something else begins anew.
    pub(super) fn push(&mut self, linked: &LinkedRecord<String>) {
        let last = self.records.back().map_or(self.base, |(head, _)| *head);
        if linked.prev_hash != last.hash {
            *self = Self::behind_head(before(linked));
        }
        self.records.push_back((linked.head(), linked.record.digest()));
        if self.records.len() > RECENT
            && let Some((head, _)) = self.records.pop_front()
        {
            self.base = head;
        }
    }

    /// How the log goes on behind `known` up to `until`, by so many records at most.
    pub(super) fn behind(&self, known: &AuditHead, until: &AuditHead, most: usize) -> Behind {
        let Some(skip) = known.seq.checked_sub(self.base.seq) else {
            return Behind::Forgotten;
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let at = match skip.checked_sub(1) {
            None => Some(self.base),
            Some(place) => self.records.get(place).map(|(head, _)| *head),
        };
        if at != Some(*known) {
            return Behind::Nowhere;
        }
        let rest = self.records.iter().skip(skip);
        let rest = rest.take_while(|(head, _)| head.seq <= until.seq);
        Behind::Digests(rest.map(|(_, digest)| *digest).take(most).collect())
    }
}

/// The same, by the files; what cannot be read there counts as not being there.
pub(super) fn behind_in(files: &[AuditFile], known: &AuditHead, until: &AuditHead, most: usize) -> Behind {
    let mut at: Option<AuditHead> = None;
    let mut digests = Vec::new();
    for file in files {
        for line in file.lines().into_iter().flatten() {
            let Ok(Read::Record(linked)) = line else {
                continue;
            };
            if linked.record.seq > until.seq || digests.len() >= most {
                break;
            }
            let continued = before(&linked);
            if at.unwrap_or(*known) == continued {
                digests.push(linked.record.digest());
                at = Some(linked.head());
            }
        }
    }
    if digests.is_empty() && known != until {
        return Behind::Nowhere;
    }
    Behind::Digests(digests)
}
