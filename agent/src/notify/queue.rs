//! The queue: what was taken and is not acknowledged yet. Pure: every moment is an argument, and what is to be sent is its answer.
//!
//! One message is on its way at a time. While it is, what comes in waits for the next one, so that an event is never told as part of what the control
//! plane may have looked at already.

use std::sync::Arc;
use std::time::Duration;

use portolan_shared::events::{Notification, PushAction, PushEvent, Seen};
use portolan_shared::model::limits::{RELAYED_COUNTS, RELAYED_EVENTS};
use portolan_shared::model::{
    Digest, EventAction, EventSubject, NotifyCount, RegistryName, RelayedEvent, RelayedEvents,
    RepositoryName, TagName,
};
use portolan_shared::process::Uptime;

use super::batch::{BYTES, InFlight, bytes as size};
use super::counts::{Counts, Refused};
use super::waiting::{Mark, Moment, Reference, Subject, Waiting};

/// Subjects that wait, of all registries together. With one more, the registry that has the most of them overflows: all that waits of it, and what
/// comes for it until that is told, becomes one mark, by which the control plane looks at the whole registry.
pub(super) const SUBJECTS: usize = 10_000;
/// How long the first event of a message waits for others: senders tell of one push in several requests.
pub(super) const LINGER: Duration = Duration::from_millis(20);
/// Messages are at least so far apart, however much waits: with all else that a session has to say they stay well below the rate at which a control plane
/// ends it.
pub(super) const APART: Duration = Duration::from_millis(40);
/// How long counts wait for events to go with.
pub(super) const COUNTS_WAIT: Duration = Duration::from_secs(30);
/// A message that is not acknowledged for so long is told again over the same session: what it says, it may say twice.
pub(super) const AGAIN: Duration = Duration::from_secs(60);

const AT_ONCE: Option<Uptime> = Some(Uptime(Duration::ZERO));

/// What is known of one registry.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: RegistryName,
    pub(super) counts: Counts,
    /// The last event that was taken.
    pub(super) last_event: Option<Moment>,
    /// The control plane does not know the name, or has not assigned the registry to this sensor.
    pub(super) is_unknown: bool,
    seen: Seen,
    started: Option<Mark>,
    overflowed: Option<Mark>,
}

/// The queue.
#[derive(Debug)]
pub(super) struct Queue {
    lines: Vec<Line>,
    /// Of requests that name none of them.
    nowhere: Counts,
    waiting: Waiting,
    in_flight: Option<InFlight>,
    /// From when on another message may be told.
    rested_at: Uptime,
    /// The number of the last message.
    number: u64,
    /// Since when there is a count that was not told.
    uncounted: Option<Uptime>,
    /// Where the counts of the next message begin, so that each registry comes in turn.
    counts_from: usize,
}

impl Queue {
    /// A queue for these registries, at the start of the agent.
    pub(super) fn new(registries: &[RegistryName], now: Moment) -> Self {
        let line = |name: &RegistryName| Line {
            name: name.clone(),
            counts: Counts::default(),
            last_event: None,
            is_unknown: false,
            seen: Seen::default(),
            started: Some(Mark::one(now)),
            overflowed: None,
        };
        Self {
            lines: registries.iter().map(line).collect(),
            nowhere: Counts::default(),
            waiting: Waiting::new(registries.len()),
            in_flight: None,
            rested_at: Uptime(Duration::ZERO),
            number: 0,
            uncounted: None,
            counts_from: 0,
        }
    }

    /// Takes what an authentic notification says. `names` gives the names under which a repository is to be looked at: none if it is of no interest.
    pub(super) fn take_named(
        &mut self,
        registry: usize,
        notification: Notification,
        names: &dyn Fn(RepositoryName) -> Vec<RepositoryName>,
        now: Moment,
    ) {
        let line = &mut self.lines[registry];
        line.counts.ignore(notification.ignored.into());
        line.counts
            .refuse(notification.refused.into(), Refused::Malformed);
        for event in notification.events {
            self.take_event(registry, event, names, now);
        }
        self.note_counts(now);
    }

    fn take_event(
        &mut self,
        registry: usize,
        event: PushEvent,
        names: &dyn Fn(RepositoryName) -> Vec<RepositoryName>,
        now: Moment,
    ) {
        let line = &mut self.lines[registry];
        let names = names(event.repository);
        if names.is_empty() || event.id.as_ref().is_some_and(|id| !line.seen.note(id)) {
            line.counts.ignore(1);
            return;
        }
        line.counts.received += 1;
        line.last_event = Some(now);
        let reference = reference(event.action, event.tag, event.digest);
        for repository in names {
            let subject = Subject {
                registry,
                repository,
                reference: reference.clone(),
            };
            self.put(subject, relayed(event.action), now);
        }
    }

    fn put(&mut self, subject: Subject, action: EventAction, now: Moment) {
        if let Some(mark) = &mut self.lines[subject.registry].overflowed {
            *mark = mark.and(Mark::one(now));
            return;
        }
        self.waiting.put(subject, action, Mark::one(now));
        if self.waiting.len() > SUBJECTS
            && let Some(fullest) = self.waiting.fullest()
        {
            self.lines[fullest].overflowed = self.waiting.remove_registry(fullest);
        }
    }

    /// Counts a request that was refused; without a registry, one that names none that is known.
    pub(super) fn refuse(&mut self, registry: Option<usize>, why: Refused, now: Moment) {
        let counts = match registry {
            Some(registry) => &mut self.lines[registry].counts,
            None => &mut self.nowhere,
        };
        counts.refuse(1, why);
        self.note_counts(now);
    }

    fn note_counts(&mut self, now: Moment) {
        let untold = self.nowhere.is_untold() || self.lines.iter().any(|line| line.counts.is_untold());
        if untold && self.uncounted.is_none() {
            self.uncounted = Some(now.uptime);
        }
    }

    /// The session that the last message went over; 0 if none did.
    pub(super) fn session(&self) -> u64 {
        self.in_flight.as_ref().map_or(0, |in_flight| in_flight.session)
    }

    /// From when on [`Queue::next`] has something for this session. None if nothing is to be told.
    pub(super) fn due(&self, session: u64) -> Option<Uptime> {
        if let Some(in_flight) = &self.in_flight {
            let again = Uptime(in_flight.sent.0 + AGAIN);
            return Some(again).filter(|_| in_flight.session == session).or(AT_ONCE);
        }
        let marked = self
            .lines
            .iter()
            .any(|line| line.started.is_some() || line.overflowed.is_some());
        let due = if marked || self.waiting.len() >= RELAYED_EVENTS {
            AT_ONCE
        } else {
            let events = self.waiting.since().map(|since| Uptime(since.0 + LINGER));
            let counts = self.uncounted.map(|since| Uptime(since.0 + COUNTS_WAIT));
            events.into_iter().chain(counts).min()
        };
        due.map(|due| due.max(self.rested_at))
    }

    /// What is to be sent over this session now. What this gives counts as sent: it is given again for another session, until it is acknowledged.
    pub(super) fn next(&mut self, session: u64, now: Uptime) -> Option<Arc<RelayedEvents>> {
        if self.due(session)? > now {
            return None;
        }
        let batch = match self.in_flight.take() {
            Some(in_flight) => in_flight.batch,
            None => self.assemble(),
        };
        self.rested_at = Uptime(now.0 + APART);
        self.in_flight = Some(InFlight {
            batch: Arc::clone(&batch),
            session,
            sent: now,
        });
        Some(batch)
    }

    fn assemble(&mut self) -> Arc<RelayedEvents> {
        let mut events = Vec::new();
        let mut bytes = 0;
        for line in &mut self.lines {
            for (mark, action) in [
                (&mut line.started, EventAction::Started),
                (&mut line.overflowed, EventAction::Overflowed),
            ] {
                if let Some(mark) = mark.take() {
                    events.push(told(&line.name, EventSubject::Registry, action, mark));
                }
            }
        }
        while events.len() < RELAYED_EVENTS
            && let Some((subject, action, mark)) = self.waiting.first()
        {
            let told = told(
                &self.lines[subject.registry].name,
                subject.to_model(action),
                action,
                mark,
            );
            bytes += size(&told);
            if bytes > BYTES && !events.is_empty() {
                break;
            }
            events.push(told);
            self.waiting.remove_first();
        }
        self.number += 1;
        Arc::new(RelayedEvents {
            number: self.number,
            counts: self.count(),
            events,
        })
    }

    fn count(&mut self) -> Vec<NotifyCount> {
        let mut counts = Vec::new();
        if self.nowhere.is_untold() {
            counts.push(self.nowhere.tell(None));
        }
        let registries = self.lines.len();
        let from = self.counts_from;
        for at in (0..registries).map(|n| (from + n) % registries) {
            if counts.len() == RELAYED_COUNTS {
                self.counts_from = at;
                break;
            }
            let line = &mut self.lines[at];
            if line.counts.is_untold() {
                counts.push(line.counts.tell(Some(&line.name)));
            }
        }
        if !self.lines.iter().any(|line| line.counts.is_untold()) {
            self.uncounted = None;
        }
        counts
    }

    /// The control plane has what the message with this number said, and does not know these names. Gives the names that it did know before. A number
    /// that is not on its way was acknowledged before.
    pub(super) fn acknowledged(&mut self, number: u64, unknown: &[String]) -> Vec<RegistryName> {
        let Some(in_flight) = self
            .in_flight
            .take_if(|in_flight| in_flight.batch.number == number)
        else {
            return Vec::new();
        };
        let mut newly = Vec::new();
        for line in &mut self.lines {
            if !in_flight
                .batch
                .events
                .iter()
                .any(|told| told.registry == line.name)
            {
                continue;
            }
            let is_unknown = unknown.iter().any(|name| name == line.name.as_str());
            if is_unknown && !line.is_unknown {
                newly.push(line.name.clone());
            }
            line.is_unknown = is_unknown;
        }
        newly
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (&Line, usize)> {
        let subjects = |(at, line): (usize, _)| (line, self.waiting.of_registry(at));
        self.lines.iter().enumerate().map(subjects)
    }

    pub(super) fn nowhere(&self) -> &Counts {
        &self.nowhere
    }

    /// Events on their way.
    pub(super) fn on_the_way(&self) -> usize {
        let in_flight = self.in_flight.as_ref();
        in_flight.map_or(0, |in_flight| in_flight.batch.events.len())
    }
}

/// What to look at. A digest counts only for what was deleted and has no tag: of anything else the registry is asked by its name.
fn reference(action: PushAction, tag: Option<TagName>, digest: Option<Digest>) -> Reference {
    match (action, tag, digest) {
        (PushAction::Pushed | PushAction::Deleted, Some(tag), _) => Reference::Tag(tag),
        (PushAction::Deleted, None, Some(digest)) => Reference::Digest(digest),
        _ => Reference::Whole,
    }
}

fn relayed(action: PushAction) -> EventAction {
    match action {
        PushAction::Pushed => EventAction::Pushed,
        PushAction::Deleted => EventAction::Deleted,
        PushAction::RepositoryDeleted => EventAction::RepositoryDeleted,
        PushAction::RepositoryRenamed => EventAction::RepositoryRenamed,
    }
}

fn told(registry: &RegistryName, subject: EventSubject, action: EventAction, mark: Mark) -> RelayedEvent {
    RelayedEvent {
        registry: registry.clone(),
        subject,
        action,
        received_at: mark.first.at,
        count: mark.count,
    }
}

#[cfg(test)]
#[path = "queue_property_tests.rs"]
mod property_tests;
#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
