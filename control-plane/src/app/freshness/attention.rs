//! What needs attention, the most important first.

use std::cmp::Ordering;
use std::fmt;

use portolan_shared::model::limits::STATUS_ATTENTION;

use super::concern::Concern;

/// Of what something is said. A sensor comes before a registry of the same rank: what one sensor fails at, all of its registries show.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A sensor.
    Sensor(String),
    /// A registry.
    Registry(String),
    /// A webhook.
    Webhook(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sensor(name) => write!(f, "sensor {name}"),
            Self::Registry(name) => write!(f, "registry {name}"),
            Self::Webhook(name) => write!(f, "webhook {name}"),
        }
    }
}

/// What needs attention: the [`STATUS_ATTENTION`] most important things, and how many more there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attention {
    items: Vec<(Subject, Concern)>,
    more: u64,
}

impl Attention {
    /// Adds what is to be said of one thing.
    pub(super) fn add(&mut self, subject: &Subject, concerns: Vec<Concern>) {
        let concerns = concerns.into_iter().map(|concern| (subject.clone(), concern));
        self.items.extend(concerns);
        if self.items.len() > 2 * STATUS_ATTENTION {
            self.keep_the_first();
        }
    }

    /// All of it, and how many more there were.
    #[must_use]
    pub(super) fn finish(mut self) -> (Vec<(Subject, Concern)>, u64) {
        self.keep_the_first();
        (self.items, self.more)
    }

    fn keep_the_first(&mut self) {
        // What is said of one thing stays in its order.
        self.items.sort_by(before);
        let left_out = self.items.len().saturating_sub(STATUS_ATTENTION);
        self.items.truncate(STATUS_ATTENTION);
        self.more += left_out as u64;
    }
}

fn before((left, one): &(Subject, Concern), (right, other): &(Subject, Concern)) -> Ordering {
    one.rank.cmp(&other.rank).then_with(|| left.cmp(right))
}
