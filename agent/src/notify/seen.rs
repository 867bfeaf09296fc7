//! The ids of the last events of a registry: senders repeat what they believe was not heard.

use std::collections::{HashSet, VecDeque};

use aws_lc_rs::digest::{SHA256, digest};
use portolan_shared::events::EventId;

/// Ids that are known: more than a sender has in hand while it repeats.
pub(super) const IDS: usize = 1_024;

/// The first half of the hash of an id: ids are up to 128 bytes long, and there are many.
type Short = [u8; 16];

/// Ids that were seen, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Seen {
    known: HashSet<Short>,
    order: VecDeque<Short>,
}

impl Seen {
    /// Whether it is seen for the first time.
    pub(super) fn is_new(&mut self, id: &EventId) -> bool {
        let hash = digest(&SHA256, id.as_str().as_bytes());
        let mut short = Short::default();
        short.copy_from_slice(&hash.as_ref()[..16]);
        if !self.known.insert(short) {
            return false;
        }
        self.order.push_back(short);
        if self.order.len() > IDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_until_a_thousand_and_twenty_four_others_came() {
        let mut seen = Seen::default();
        let id = |n: usize| format!("event-{n}").parse::<EventId>().unwrap();
        assert!((0..IDS).all(|n| seen.is_new(&id(n))));
        assert!(
            (0..IDS).all(|n| !seen.is_new(&id(n))),
            "at the bound all are known"
        );
        assert!(seen.is_new(&id(IDS)));
        assert!(seen.is_new(&id(0)), "the oldest was forgotten for it");
        assert!(!seen.is_new(&id(IDS)));
        assert_eq!((seen.known.len(), seen.order.len()), (IDS, IDS));
    }
}
