//! Random schedules of arrivals, sessions and acknowledgements.

use std::collections::{BTreeMap, BTreeSet};

use portolan_shared::model::RepositoryName;
use proptest::prelude::*;

use super::tests::{event, moment, pushed, queue, said, up};
use super::*;

/// What can happen to a queue.
#[derive(Debug, Clone)]
enum Step {
    /// Events for one registry: repository, tag (none: all of it).
    Say(usize, Vec<(usize, Option<usize>)>),
    /// Very many different repositories at once.
    Flood(usize),
    Look,
    Acknowledge,
    /// An acknowledgement that comes twice, or for what was never sent.
    WrongAcknowledge(u64),
    LoseSession,
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let events = prop::collection::vec((0..4_usize, prop::option::weighted(0.9, 0..150_usize)), 1..60);
    let step = prop_oneof![
        8 => (0..3_usize, events).prop_map(|(registry, events)| Step::Say(registry, events)),
        2 => (0..3_usize).prop_map(Step::Flood),
        6 => Just(Step::Look),
        4 => Just(Step::Acknowledge),
        1 => (0..20_u64).prop_map(Step::WrongAcknowledge),
        3 => Just(Step::LoseSession),
        4 => (0..200_u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..80)
}

/// Events that were taken and are in no message yet, by registry; and how often the control plane was told of how many.
#[derive(Default)]
struct Ledger {
    open: Vec<(usize, RepositoryAndTag)>,
    taken: u64,
    acknowledged: u64,
    /// The content of each number, and whether it was acknowledged.
    messages: BTreeMap<u64, (Arc<RelayedEvents>, bool)>,
}

type RepositoryAndTag = (String, Option<String>);

impl Ledger {
    fn take(&mut self, queue: &mut Queue, registry: usize, names: Vec<RepositoryAndTag>, now: Moment) {
        let events = names.iter().map(|(repository, tag)| match tag {
            Some(tag) => pushed(repository, tag),
            None => event(PushAction::RepositoryDeleted, repository, None),
        });
        queue.take(registry, said(events), now);
        self.taken += names.len() as u64;
        self.open.extend(names.into_iter().map(|name| (registry, name)));
    }

    /// A message came: the same as the one with this number before, or a new one that covers what it takes away.
    fn hear(&mut self, batch: &Arc<RelayedEvents>) {
        if let Some((known, acknowledged)) = self.messages.get(&batch.number) {
            assert!(Arc::ptr_eq(known, batch) && !acknowledged, "told twice as new");
            return;
        }
        assert_eq!(batch.number, self.messages.len() as u64 + 1);
        assert!(self.messages.values().all(|(_, acknowledged)| *acknowledged));
        assert!(batch.events.len() <= RELAYED_EVENTS);
        let told: BTreeSet<(String, EventSubject)> = batch
            .events
            .iter()
            .filter(|told| told.action != EventAction::Started)
            .map(|told| (told.registry.to_string(), told.subject.clone()))
            .collect();
        let open = self.open.len();
        self.open.retain(|(registry, (repository, tag))| {
            let repository: RepositoryName = repository.parse().unwrap();
            let mut covers = vec![EventSubject::Registry, EventSubject::EveryTag(repository.clone())];
            // Whoever looks at what is known of a repository finds no tag that is new.
            if tag.is_none() {
                covers.push(EventSubject::Repository(repository.clone()));
            }
            covers.extend(
                tag.iter()
                    .map(|tag| EventSubject::Tag(repository.clone(), tag.parse().unwrap())),
            );
            let registry = format!("r{registry}");
            !covers
                .into_iter()
                .any(|cover| told.contains(&(registry.clone(), cover)))
        });
        let covered = (open - self.open.len()) as u64;
        let counted: u64 = batch
            .events
            .iter()
            .filter(|told| told.action != EventAction::Started)
            .map(|told| u64::from(told.count))
            .sum();
        assert_eq!(counted, covered, "each event is counted where it is covered");
        self.messages.insert(batch.number, (Arc::clone(batch), false));
    }

    fn acknowledge(&mut self, queue: &mut Queue, number: u64) {
        queue.acknowledged(number, &[]);
        if let Some((batch, acknowledged)) = self.messages.get_mut(&number)
            && !*acknowledged
        {
            *acknowledged = true;
            let events = batch
                .events
                .iter()
                .filter(|told| told.action != EventAction::Started);
            self.acknowledged += events.map(|told| u64::from(told.count)).sum::<u64>();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn nothing_is_lost_and_nothing_is_told_twice_as_new_whatever_happens(steps in steps()) {
        let mut queue = queue(3);
        let mut ledger = Ledger::default();
        let (mut session, mut now) = (1, 0);
        let mut flooded = 0;
        for step in steps {
            match step {
                Step::Say(registry, events) => {
                    let names = events.into_iter().map(|(repository, tag)| (format!("a/r{repository}"), tag.map(|tag| format!("t{tag}"))));
                    ledger.take(&mut queue, registry, names.collect(), moment(now));
                }
                Step::Flood(registry) => {
                    flooded += 1;
                    let names = (0..4_000).map(|n| (format!("f{flooded}/r{n}"), Some("latest".to_owned())));
                    ledger.take(&mut queue, registry, names.collect(), moment(now));
                }
                Step::Look => if let Some(batch) = queue.next(session, up(now)) {
                    ledger.hear(&batch);
                }
                Step::Acknowledge => {
                    let newest = ledger.messages.len() as u64;
                    ledger.acknowledge(&mut queue, newest);
                }
                Step::WrongAcknowledge(number) => {
                    if number != ledger.messages.len() as u64 {
                        queue.acknowledged(number, &[]);
                    }
                }
                Step::LoseSession => session += 1,
                Step::Wait(millis) => now += millis,
            }
            prop_assert!(queue.waiting.len() <= SUBJECTS);
        }
        // In the end there is a session that answers.
        session += 1;
        now += 60_000;
        while let Some(batch) = queue.next(session, up(now)) {
            ledger.hear(&batch);
            ledger.acknowledge(&mut queue, batch.number);
            now += 40;
        }
        prop_assert!(ledger.open.is_empty(), "never told: {:?}", &ledger.open[..1]);
        prop_assert_eq!(ledger.taken, ledger.acknowledged);
        prop_assert_eq!(queue.waiting.len(), 0);
        prop_assert!((0..3).all(|registry| queue.waiting.of_registry(registry) == 0));
    }
}
