//! What waits to be told: each subject once, in the order in which it came first. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use portolan_shared::model::{Digest, EventAction, EventSubject, RepositoryName, TagName};
use portolan_shared::process::Uptime;

/// Subjects below one repository that wait at once: one more, and the repository itself waits in their place. A look at one repository is cheaper
/// than at so many tags one by one.
pub(super) const BELOW_REPOSITORY: usize = 100;

/// What is to be looked at. Ordered so that what belongs to one repository stands together, the repository itself first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    /// Its place in the settings.
    pub(super) registry: usize,
    pub(super) repository: RepositoryName,
    pub(super) reference: Reference,
}

/// Which part of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reference {
    Whole,
    Tag(TagName),
    Digest(Digest),
}

impl Subject {
    /// As it is told, with what has happened to it.
    pub(super) fn to_model(&self, action: EventAction) -> EventSubject {
        let repository = self.repository.clone();
        match &self.reference {
            Reference::Whole if concerns_all(action) => EventSubject::Repository(repository),
            Reference::Whole => EventSubject::EveryTag(repository),
            Reference::Tag(tag) => EventSubject::Tag(repository, tag.clone()),
            Reference::Digest(digest) => EventSubject::Digest(repository, digest.clone()),
        }
    }
}

/// Whether it happened to a repository as such: what is known of it is all that there is to look at.
fn concerns_all(action: EventAction) -> bool {
    matches!(
        action,
        EventAction::RepositoryDeleted | EventAction::RepositoryRenamed
    )
}

/// What is said of a repository for two events together: that it is gone or renamed only if both say so.
fn together(one: EventAction, other: EventAction) -> EventAction {
    if one == other || (concerns_all(one) && concerns_all(other)) {
        one
    } else {
        EventAction::Pushed
    }
}

/// A moment, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) uptime: Uptime,
}

/// Events that are told as one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// When the first came.
    pub(super) first: Moment,
    /// How many they are.
    pub(super) count: u32,
}

impl Mark {
    pub(super) fn one(first: Moment) -> Self {
        Self { first, count: 1 }
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        let first = if other.first.uptime < self.first.uptime {
            other.first
        } else {
            self.first
        };
        Self {
            first,
            count: self.count.saturating_add(other.count),
        }
    }
}

#[derive(Debug)]
struct Entry {
    /// Its place in the order.
    place: u64,
    /// What the first event said; of a repository, what all of them say together.
    action: EventAction,
    mark: Mark,
}

/// Subjects that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    entries: BTreeMap<Arc<Subject>, Entry>,
    order: BTreeMap<u64, Arc<Subject>>,
    /// How many of each registry.
    of_registry: Vec<usize>,
    next_place: u64,
}

impl Waiting {
    pub(super) fn new(registries: usize) -> Self {
        Self {
            of_registry: vec![0; registries],
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn of_registry(&self, registry: usize) -> usize {
        self.of_registry[registry]
    }

    /// The registry with the most subjects.
    pub(super) fn fullest(&self) -> Option<usize> {
        (0..self.of_registry.len()).max_by_key(|registry| self.of_registry[*registry])
    }

    /// When the first of those that wait came.
    pub(super) fn since(&self) -> Option<Uptime> {
        let (_, subject) = self.order.first_key_value()?;
        Some(self.entries.get(subject)?.mark.first.uptime)
    }

    /// Lets one more event wait: with its subject, if that waits already or its whole repository does; as its whole repository, if too much of
    /// that waits.
    pub(super) fn put(&mut self, mut subject: Subject, action: EventAction, mark: Mark) {
        let whole = Subject {
            reference: Reference::Whole,
            ..subject.clone()
        };
        for waits in [&subject, &whole] {
            if let Some(entry) = self.entries.get_mut(waits) {
                entry.mark = entry.mark.and(mark);
                if waits.reference == Reference::Whole {
                    entry.action = together(entry.action, action);
                }
                return;
            }
        }
        if subject.reference != Reference::Whole && self.below(&whole).count() >= BELOW_REPOSITORY {
            subject = whole.clone();
        }
        let mut entry = Entry {
            place: self.next_place,
            action,
            mark,
        };
        if subject.reference == Reference::Whole {
            let covered: Vec<Arc<Subject>> = self.below(&whole).cloned().collect();
            for former in covered.iter().filter_map(|subject| self.remove(subject)) {
                entry.place = entry.place.min(former.place);
                entry.action = together(former.action, entry.action);
                entry.mark = entry.mark.and(former.mark);
            }
        }
        self.next_place += 1;
        self.of_registry[subject.registry] += 1;
        let subject = Arc::new(subject);
        self.order.insert(entry.place, Arc::clone(&subject));
        self.entries.insert(subject, entry);
    }

    /// The one that has waited longest.
    pub(super) fn first(&self) -> Option<(&Subject, EventAction, Mark)> {
        let (_, subject) = self.order.first_key_value()?;
        let entry = self.entries.get(subject)?;
        Some((subject, entry.action, entry.mark))
    }

    /// Takes it away.
    pub(super) fn remove_first(&mut self) {
        if let Some((_, subject)) = self.order.first_key_value() {
            let subject = Arc::clone(subject);
            self.remove(&subject);
        }
    }

    /// Takes everything of one registry away. None if nothing of it waits.
    pub(super) fn remove_registry(&mut self, registry: usize) -> Option<Mark> {
        let of_it = |subject: &&Arc<Subject>| subject.registry == registry;
        let covered: Vec<Arc<Subject>> = self.entries.keys().filter(of_it).cloned().collect();
        let removed = covered.iter().filter_map(|subject| self.remove(subject));
        removed.map(|entry| entry.mark).reduce(Mark::and)
    }

    /// What waits of the repository `whole`.
    fn below<'a>(&'a self, whole: &'a Subject) -> impl Iterator<Item = &'a Arc<Subject>> {
        self.entries
            .range::<Subject, _>(whole..)
            .map(|(subject, _)| subject)
            .take_while(|subject| {
                subject.registry == whole.registry && subject.repository == whole.repository
            })
    }

    fn remove(&mut self, subject: &Subject) -> Option<Entry> {
        let entry = self.entries.remove(subject)?;
        self.order.remove(&entry.place);
        self.of_registry[subject.registry] -= 1;
        Some(entry)
    }
}
