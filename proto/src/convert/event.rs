//! Push events that a sensor relays.

use jiff::Timestamp;
use portolan_shared::model::{
    EventAction, EventSubject, NotifyCount, RelayedEvent, RelayedEvents, RepositoryName, limits, printable,
};

use super::field::FieldError;
use crate::v1;

/// Longest word for why a notification was refused, in bytes: cut above.
const WORD_BYTES: usize = 64;

/// Events for the wire.
#[must_use]
pub fn relayed_to_wire(relayed: &RelayedEvents) -> v1::PushEvents {
    v1::PushEvents {
        number: relayed.number,
        events: relayed.events.iter().map(event_to_wire).collect(),
        counts: relayed.counts.iter().map(count_to_wire).collect(),
    }
}

/// Events from the wire, checked and within their bounds.
pub fn relayed(wire: &v1::PushEvents) -> Result<RelayedEvents, FieldError> {
    if wire.events.len() > limits::RELAYED_EVENTS {
        return Err(FieldError::new("push_events.events", "has more than 500 items"));
    }
    if wire.counts.len() > limits::RELAYED_COUNTS {
        return Err(FieldError::new("push_events.counts", "has more than 100 items"));
    }
    Ok(RelayedEvents {
        number: wire.number,
        events: wire.events.iter().map(event).collect::<Result<_, _>>()?,
        counts: wire.counts.iter().map(count).collect::<Result<_, _>>()?,
    })
}

fn event_to_wire(event: &RelayedEvent) -> v1::PushEvent {
    let text = |repository: &RepositoryName| repository.to_string();
    let (repository, tag, digest) = match &event.subject {
        EventSubject::Tag(repository, tag) => (text(repository), tag.to_string(), Vec::new()),
        EventSubject::Digest(repository, digest) => (text(repository), String::new(), digest.to_bytes()),
        EventSubject::Repository(repository) | EventSubject::EveryTag(repository) => {
            (text(repository), String::new(), Vec::new())
        }
        EventSubject::Registry => (String::new(), String::new(), Vec::new()),
    };
    v1::PushEvent {
        registry: event.registry.to_string(),
        repository,
        tag,
        digest: digest.into(),
        action: event.action.as_str().to_owned(),
        received_at_ms: event.received_at.as_millisecond(),
        count: event.count,
    }
}

fn event(wire: &v1::PushEvent) -> Result<RelayedEvent, FieldError> {
    let action: EventAction = wire
        .action
        .parse()
        .map_err(|error| FieldError::new("push_events.action", error))?;
    let of_the_whole = matches!(action, EventAction::Started | EventAction::Overflowed);
    if of_the_whole != names_nothing(wire) {
        return Err(FieldError::new(
            "push_events.action",
            "does not fit what it is about",
        ));
    }
    Ok(RelayedEvent {
        registry: wire
            .registry
            .parse()
            .map_err(|error| FieldError::new("push_events.registry", error))?,
        subject: subject(wire, action)?,
        action,
        received_at: Timestamp::from_millisecond(wire.received_at_ms)
            .map_err(|error| FieldError::new("push_events.received_at_ms", error))?,
        count: wire.count.max(1),
    })
}

fn names_nothing(wire: &v1::PushEvent) -> bool {
    wire.repository.is_empty() && wire.tag.is_empty() && wire.digest.is_empty()
}

/// What a message without tag and digest is about, the action says: only of what is gone or renamed are the known tags all that there is to look at.
fn subject(wire: &v1::PushEvent, action: EventAction) -> Result<EventSubject, FieldError> {
    if names_nothing(wire) {
        return Ok(EventSubject::Registry);
    }
    let repository = super::repository("push_events.repository", &wire.repository)?;
    if !wire.tag.is_empty() {
        let tag = wire.tag.parse();
        let tag = tag.map_err(|error| FieldError::new("push_events.tag", error))?;
        return Ok(EventSubject::Tag(repository, tag));
    }
    if wire.digest.is_empty() {
        return Ok(match action {
            EventAction::RepositoryDeleted | EventAction::RepositoryRenamed => {
                EventSubject::Repository(repository)
            }
            _ => EventSubject::EveryTag(repository),
        });
    }
    let digest = super::digest("push_events.digest", &wire.digest)?;
    Ok(EventSubject::Digest(repository, digest))
}

fn count_to_wire(count: &NotifyCount) -> v1::NotifyCount {
    v1::NotifyCount {
        registry: count
            .registry
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        ignored: count.ignored,
        refused: count.refused,
        last_refused: count.last_refused.clone().unwrap_or_default(),
    }
}

fn count(wire: &v1::NotifyCount) -> Result<NotifyCount, FieldError> {
    let registry = match wire.registry.as_str() {
        "" => None,
        name => Some(
            name.parse()
                .map_err(|error| FieldError::new("push_events.counts.registry", error))?,
        ),
    };
    Ok(NotifyCount {
        registry,
        ignored: wire.ignored.min(limits::EVENT_COUNT),
        refused: wire.refused.min(limits::EVENT_COUNT),
        last_refused: Some(printable(&wire.last_refused, WORD_BYTES)).filter(|word| !word.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::Digest;

    fn sample() -> RelayedEvents {
        let repository = || "acme/app".parse().unwrap();
        let event = |subject, action| RelayedEvent {
            registry: "gitlab".parse().unwrap(),
            subject,
            action,
            received_at: Timestamp::from_second(1_800_000_000).unwrap(),
            count: 3,
        };
        RelayedEvents {
            number: 7,
            events: vec![
                event(
                    EventSubject::Tag(repository(), "1.0".parse().unwrap()),
                    EventAction::Pushed,
                ),
                event(
                    EventSubject::Digest(repository(), Digest::sha256_of(b"x")),
                    EventAction::Deleted,
                ),
                event(
                    EventSubject::Repository(repository()),
                    EventAction::RepositoryRenamed,
                ),
                event(EventSubject::EveryTag(repository()), EventAction::Pushed),
                event(EventSubject::Registry, EventAction::Started),
            ],
            counts: vec![NotifyCount {
                registry: None,
                ignored: 1,
                refused: 2,
                last_refused: Some("unauthentic".to_owned()),
            }],
        }
    }

    #[test]
    fn events_round_trip() {
        assert_eq!(relayed(&relayed_to_wire(&sample())), Ok(sample()));
    }

    #[test]
    fn bounds_hold() {
        let mut wire = relayed_to_wire(&sample());
        wire.events = vec![wire.events[0].clone(); limits::RELAYED_EVENTS];
        wire.counts = vec![wire.counts[0].clone(); limits::RELAYED_COUNTS];
        assert!(relayed(&wire).is_ok());
        wire.events.push(wire.events[0].clone());
        assert_eq!(relayed(&wire).unwrap_err().field, "push_events.events");
        wire.events.pop();
        wire.counts.push(wire.counts[0].clone());
        assert_eq!(relayed(&wire).unwrap_err().field, "push_events.counts");
    }

    #[test]
    fn counts_stop_at_their_bound() {
        let mut wire = relayed_to_wire(&sample());
        for (told, taken) in [
            (limits::EVENT_COUNT, limits::EVENT_COUNT),
            (limits::EVENT_COUNT + 1, limits::EVENT_COUNT),
            (u64::MAX, limits::EVENT_COUNT),
        ] {
            (wire.counts[0].ignored, wire.counts[0].refused) = (told, told);
            let count = relayed(&wire).unwrap().counts[0].clone();
            assert_eq!((count.ignored, count.refused), (taken, taken));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |spoil: fn(&mut v1::PushEvent)| {
            let mut wire = relayed_to_wire(&sample());
            spoil(&mut wire.events[0]);
            relayed(&wire).unwrap_err().field
        };
        assert_eq!(
            refused(|event| event.registry = "no name!".into()),
            "push_events.registry"
        );
        assert_eq!(
            refused(|event| event.repository = "no name!".into()),
            "push_events.repository"
        );
        assert_eq!(refused(|event| event.tag = "-".into()), "push_events.tag");
        assert_eq!(
            refused(|event| event.action = "pulled".into()),
            "push_events.action"
        );
        assert_eq!(
            refused(|event| event.action = "started".into()),
            "push_events.action"
        );
        assert_eq!(
            refused(|event| event.repository = String::new()),
            "push_events.repository"
        );
        assert_eq!(
            refused(|event| {
                event.tag.clear();
                event.digest = vec![1, 2].into();
            }),
            "push_events.digest"
        );
    }
}
