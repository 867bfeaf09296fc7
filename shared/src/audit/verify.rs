//! Going through a log, and naming the first record that is not what it was.

use std::collections::BTreeMap;

use super::{AuditHash, AuditHead, ChainOwner, LinkedRecord};

/// In which way a record is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainFaultKind {
    /// It is not there, and later ones are.
    #[error("is missing")]
    Gap,
    /// Its hash is not that of what it says.
    #[error("was altered: it does not hash to what is stored with it")]
    Altered,
    /// Its hash is that of what it says, but it does not continue the record before.
    #[error("does not continue the record before it: one of the two was altered")]
    Unlinked,
    /// It stands in another place.
    #[error("is out of its place")]
    Reordered,
    /// The log ends before it, and is known to have gone further.
    #[error("is missing: the log ends before it, and is known to have reached record {known}")]
    Truncated {
        /// How far the log is known to have gone.
        known: u64,
    },
    /// The log is sound in itself, but is not the one that was seen before.
    #[error("is not the one that was seen before: the log was rewritten at or before it")]
    Rewritten,
}

/// The first record of a log that is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} {kind}")]
pub struct ChainFault {
    /// Its number.
    pub seq: u64,
    /// In which way.
    pub kind: ChainFaultKind,
}

/// Goes through a log, oldest record first. Remembers what was seen before, and nothing of what it goes through.
#[derive(Debug, Clone)]
pub struct ChainVerifier {
    head: AuditHead,
    known: BTreeMap<u64, AuditHash>,
    fault: Option<ChainFault>,
    records: u64,
}

impl ChainVerifier {
    /// For a whole log, from its first record on.
    #[must_use]
    pub fn new(owner: ChainOwner) -> Self {
        Self::after(owner.genesis())
    }

    /// For the part of a log behind `head`.
    #[must_use]
    pub fn after(head: AuditHead) -> Self {
        Self {
            head,
            known: BTreeMap::new(),
            fault: None,
            records: 0,
        }
    }

    /// The log must also pass through this head, which was seen before. Heads before the part that is looked at say nothing about it.
    #[must_use]
    pub fn through(mut self, known: AuditHead) -> Self {
        let before = self.known.insert(known.seq, known.hash);
        if before.is_some_and(|before| before != known.hash) && self.fault.is_none() {
            // No log passes through both.
            self.bad(known.seq, ChainFaultKind::Rewritten);
        }
        self.check_known();
        self
    }

    /// Looks at the next record. Once one is bad, the others only tell whether it is missing or elsewhere.
    pub fn push<T: AsRef<str>>(&mut self, next: &LinkedRecord<T>) {
        self.records += 1;
        let expected = self.head.seq + 1;
        let seq = next.record.seq;
        match &mut self.fault {
            Some(fault) => {
                if fault.kind == ChainFaultKind::Gap && fault.seq == seq {
                    fault.kind = ChainFaultKind::Reordered;
                }
                return;
            }
            None if seq > expected => return self.bad(expected, ChainFaultKind::Gap),
            None if seq < expected => return self.bad(seq, ChainFaultKind::Reordered),
            None => {}
        }
        if next.record.hash_after(&next.prev_hash) != next.hash {
            return self.bad(seq, ChainFaultKind::Altered);
        }
        if next.prev_hash != self.head.hash {
            return self.bad(seq, ChainFaultKind::Unlinked);
        }
        self.head = next.head();
        self.check_known();
    }

    /// Whether a bad record was found already.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.fault.is_some()
    }

    /// Records looked at.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Where the log stands as far as it is sound.
    #[must_use]
    pub fn head(&self) -> AuditHead {
        self.head
    }

    /// The log ends here. Gives where it stands, or the first record that is bad.
    pub fn finish(self) -> Result<AuditHead, ChainFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let farthest = self.known.last_key_value().map_or(0, |(seq, _)| *seq);
        if farthest > self.head.seq {
            return Err(ChainFault {
                seq: self.head.seq + 1,
                kind: ChainFaultKind::Truncated { known: farthest },
            });
        }
        Ok(self.head)
    }

    /// All records of an iterator.
    pub fn verify<T: AsRef<str>>(
        mut self,
        records: impl IntoIterator<Item = LinkedRecord<T>>,
    ) -> Result<AuditHead, ChainFault> {
        for record in records {
            self.push(&record);
        }
        self.finish()
    }

    fn check_known(&mut self) {
        let head = self.head;
        let known = self.known.get(&head.seq);
        if self.fault.is_none() && known.is_some_and(|known| *known != head.hash) {
            self.bad(head.seq, ChainFaultKind::Rewritten);
        }
    }

    fn bad(&mut self, seq: u64, kind: ChainFaultKind) {
        self.fault = Some(ChainFault { seq, kind });
    }
}
