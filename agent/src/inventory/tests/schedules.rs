//! Turns, under schedules of every kind.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt as _;
use futures::stream::{self, FuturesUnordered, StreamExt as _};
use portolan_shared::model::{RegistryId, RepositoryName, limits};
use proptest::prelude::*;

use crate::inventory::{Pace, RepositoryTurns, Turns};

fn name(repository: u8) -> RepositoryName {
    format!("r{repository}").parse().unwrap()
}

fn registry(number: u8) -> RegistryId {
    RegistryId::from_slice(&[number; 16]).unwrap()
}

#[test]
fn each_repository_of_each_registry_has_its_own_turn() {
    let turns = RepositoryTurns::new();
    let (first, second) = (turns.of(registry(1)), turns.of(registry(2)));
    let reading = first.take(&name(0)).now_or_never().unwrap();
    let same = name(0);
    let mut waits = Box::pin(first.take(&same));
    assert!((&mut waits).now_or_never().is_none());
    assert!(first.take(&name(1)).now_or_never().is_some());
    assert!(second.take(&name(0)).now_or_never().is_some());
    drop(reading);
    assert!(waits.now_or_never().is_some());
    assert_eq!(turns.len(), 0, "nothing is remembered of those who have left");
}

#[test]
fn whoever_leaves_the_line_is_not_waited_for() {
    let turns = RepositoryTurns::new();
    let of = turns.of(registry(1));
    let repository = name(0);
    let reading = of.take(&repository).now_or_never().unwrap();
    let mut leaves = Box::pin(of.take(&repository));
    let mut stays = Box::pin(of.take(&repository));
    assert!((&mut leaves).now_or_never().is_none());
    assert!((&mut stays).now_or_never().is_none());
    drop(leaves);
    drop(reading);
    let reading = stays.now_or_never();
    assert!(reading.is_some());
    assert_eq!(turns.len(), 1);
    drop(reading);
    assert_eq!(turns.len(), 0);
}

#[test]
fn at_the_bound_whoever_comes_waits_until_somebody_is_done() {
    let turns = RepositoryTurns::with_places(2);
    let of = turns.of(registry(1));
    let (repositories, third) = ([name(0), name(1)], name(2));
    let mut reading: Vec<_> = repositories
        .iter()
        .map(|repository| of.take(repository).now_or_never().unwrap())
        .collect();
    let mut waits = Box::pin(of.take(&third));
    assert!((&mut waits).now_or_never().is_none());
    assert_eq!(turns.len(), 2);
    reading.pop();
    assert!(waits.now_or_never().is_some());
    // As many as all job slots of a sensor have in hand.
    assert!(limits::REPOSITORY_TURNS >= 16 * Pace::default().repositories);
}

/// What one walk does: the repositories it reads, for how long each, how many at once, and when it is dropped.
#[derive(Debug, Clone)]
struct Schedule {
    begins: u64,
    reads: Vec<(u8, u8, u64)>,
    at_once: usize,
    dropped_after: Option<u64>,
}

fn schedule() -> impl Strategy<Value = Schedule> {
    (
        0..50_u64,
        prop::collection::vec((0..2_u8, 0..4_u8, 0..20_u64), 0..12),
        1..5_usize,
        prop::option::weighted(0.3, 0..100_u64),
    )
        .prop_map(|(begins, reads, at_once, dropped_after)| Schedule {
            begins,
            reads,
            at_once,
            dropped_after,
        })
}

/// Marks a repository as being read until dropped.
struct Marked<'m>(&'m Mutex<HashSet<(u8, u8)>>, (u8, u8));

impl<'m> Marked<'m> {
    fn new(read: &'m Mutex<HashSet<(u8, u8)>>, which: (u8, u8)) -> Self {
        assert!(read.lock().unwrap().insert(which), "two read {which:?}");
        Self(read, which)
    }
}

impl Drop for Marked<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().remove(&self.1);
    }
}

async fn walk(schedule: Schedule, of: &[Turns], read: &Mutex<HashSet<(u8, u8)>>) {
    tokio::time::sleep(Duration::from_millis(schedule.begins)).await;
    let reading = stream::iter(schedule.reads)
        .map(|(registry, repository, time)| async move {
            let _turn = of[usize::from(registry)].take(&name(repository)).await;
            let _marked = Marked::new(read, (registry, repository));
            tokio::time::sleep(Duration::from_millis(time)).await;
        })
        .buffer_unordered(schedule.at_once)
        .for_each(|()| std::future::ready(()));
    match schedule.dropped_after {
        Some(after) => {
            let _ = tokio::time::timeout(Duration::from_millis(after), reading).await;
        }
        None => reading.await,
    }
}

proptest! {
    /// Whatever the order in which walks come, wait and are dropped, no two read the same repository, everybody gets to an end, and
    /// nothing is left.
    #[test]
    fn walks_take_turns_and_all_end(schedules in prop::collection::vec(schedule(), 1..6), places in 1..6_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let turns = RepositoryTurns::with_places(places);
            let of = [turns.of(registry(0)), turns.of(registry(1))];
            let read = Mutex::default();
            let walks: FuturesUnordered<_> = schedules.into_iter().map(|one| walk(one, &of, &read)).collect();
            let all = walks.for_each(|()| std::future::ready(()));
            // Virtual time: more than all of them together could take one after the other.
            tokio::time::timeout(Duration::from_secs(3_600), all).await.expect("everybody gets to an end");
            assert_eq!(turns.len(), 0);
        });
    }
}
