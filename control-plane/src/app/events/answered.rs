//! What became of what came to the doors, for Prometheus.

use prometheus::{IntCounterVec, Opts, Registry};

use crate::app::meters::text_of;

/// Why something was refused, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The path names no sender or no id of a registry.
    Path,
    /// There is no such registry; or, of what a sensor relays, none that it may read.
    UnknownRegistry,
    /// Neither a secret nor a signature was shown.
    NoSecret,
    /// A secret was shown that is not the registry's.
    WrongSecret,
    /// A signature was shown that does not verify.
    WrongSignature,
    /// A signature verifies, and is of another time.
    StaleSignature,
    /// The source or the registry comes too often, or there is no place for the body.
    TooMany,
    /// The body is too large.
    TooLarge,
    /// The body did not come, or not whole.
    NoBody,
    /// Nothing can be read out of it, or not out of all of it.
    Malformed,
    /// It could not be noted: it is to come again.
    NotNoted,
    /// A sensor refused it, and told for which reason.
    AtSensor,
}

impl Refused {
    /// In words.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Path => "unreadable path",
            Self::UnknownRegistry => "unknown registry",
            Self::NoSecret => "no secret",
            Self::WrongSecret => "wrong secret",
            Self::WrongSignature => "wrong signature",
            Self::StaleSignature => "stale signature",
            Self::TooMany => "too many",
            Self::TooLarge => "too large",
            Self::NoBody => "no body",
            Self::Malformed => "malformed",
            Self::NotNoted => "not noted",
            Self::AtSensor => "refused",
        }
    }
}

/// Through which door.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    Webhook,
    Sensor,
}

/// What became of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Accepted,
    Ignored,
    GivenUp,
    Refused(Refused),
}

/// Counts since the start of this process: the labels have few values, and none that anybody outside can choose.
#[derive(Debug)]
pub(super) struct Answered {
    registry: Registry,
    events: IntCounterVec,
}

impl Default for Answered {
    fn default() -> Self {
        let (registry, help) = (
            Registry::new(),
            "Push events, and notifications that were refused, by door and by what became of them",
        );
        let events = IntCounterVec::new(
            Opts::new("portolan_push_events_total", help),
            &["door", "outcome"],
        )
        .expect("name and labels are such as the format has");
        registry
            .register(Box::new(events.clone()))
            .expect("nothing else is in this registry");
        Self { registry, events }
    }
}

impl Answered {
    pub(super) fn count(&self, by: By, outcome: Outcome, count: u64) {
        if count == 0 {
            return;
        }
        let door = match by {
            By::Webhook => "webhook",
            By::Sensor => "sensor",
        };
        let outcome = match outcome {
            Outcome::Accepted => "accepted".to_owned(),
            Outcome::Ignored => "ignored".to_owned(),
            Outcome::GivenUp => "given_up".to_owned(),
            Outcome::Refused(why) => why.as_str().replace(' ', "_"),
        };
        // What a sensor says is not to carry the counter of all round to zero.
        let count = count.min(u64::from(u32::MAX));
        self.events.with_label_values(&[door, &outcome]).inc_by(count);
    }

    pub(super) fn render(&self) -> String {
        text_of(&self.registry)
    }
}
