//! The ids of the last events of a registry: senders repeat what they believe was not heard.

use std::collections::{HashSet, VecDeque};

use aws_lc_rs::digest::{SHA256, digest};

use super::EventId;
use crate::model::limits::SEEN_EVENTS;

/// The first half of the hash of an id: ids are up to 128 bytes long, and there are many.
type Short = [u8; 16];

/// Ids that were seen, the oldest first: at most [`SEEN_EVENTS`], beyond which the oldest is forgotten.
#[derive(Debug, Default)]
pub struct Seen {
    known: HashSet<Short>,
    order: VecDeque<Short>,
}

impl Seen {
    /// Whether it was seen before.
    #[must_use]
    pub fn knows(&self, id: &EventId) -> bool {
        self.known.contains(&short(id))
    }

    /// Keeps it in mind; gives whether it is seen for the first time.
    pub fn note(&mut self, id: &EventId) -> bool {
        let short = short(id);
        if !self.known.insert(short) {
            return false;
        }
        self.order.push_back(short);
        if self.order.len() > SEEN_EVENTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

fn short(id: &EventId) -> Short {
    let hash = digest(&SHA256, id.as_str().as_bytes());
    let mut short = Short::default();
    short.copy_from_slice(&hash.as_ref()[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_until_a_thousand_and_twenty_four_others_came() {
        let mut seen = Seen::default();
        let id = |n: usize| format!("event-{n}").parse::<EventId>().unwrap();
        assert!((0..SEEN_EVENTS).all(|n| !seen.knows(&id(n)) && seen.note(&id(n))));
        assert!(
            (0..SEEN_EVENTS).all(|n| seen.knows(&id(n)) && !seen.note(&id(n))),
            "at the bound all are known"
        );
        assert!(seen.note(&id(SEEN_EVENTS)));
        assert!(seen.note(&id(0)), "the oldest was forgotten for it");
        assert!(!seen.note(&id(SEEN_EVENTS)));
        assert_eq!((seen.known.len(), seen.order.len()), (SEEN_EVENTS, SEEN_EVENTS));
    }
}
