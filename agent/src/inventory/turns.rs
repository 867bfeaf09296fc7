//! One reader of a repository at a time.
//!
//! Two attempts at one registry may run beside each other: a whole sync, and a look at what a push event announced. Whoever listed first
//! and commits last would put an older state in the place of a newer one. So there is a turn at each repository of each registry: it is taken
//! before the registry is asked, and kept until the control plane has answered.
//!
//! # Why nobody waits for ever
//!
//! In this order, and in no other, does the reading of one repository take what it shares with others: a place in [`RepositoryTurns`], the
//! turn at the repository, then everything that belongs to its own walk (the turn of large repositories, places for requests, bytes in
//! hand). Whoever waits for a turn holds none and has nothing in hand; whoever has a turn asks for no other, and comes to its end, or is
//! dropped with its attempt, without anything that belongs to somebody who waits here. The repositories that one walk has in hand take
//! their turns independently of each other. Turns are given in the order in which they were asked for. A walk that is told to read no more
//! does not wait either, and one that is narrowed to some repositories or tags waits [`LOOK_WAITS`] and then tells that it did not look.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portolan_shared::model::{RegistryId, RepositoryName, limits};
use portolan_shared::process::Uptime;
use tokio::sync::{Mutex as Lock, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::rests::Rests;

/// One repository.
pub(super) type Key = (RegistryId, RepositoryName);

/// A look at what was announced waits for its turn no longer: a whole sync may keep a large repository for minutes, and everything else that was
/// announced of its registry waits for the end of the look.
pub(super) const LOOK_WAITS: Duration = Duration::from_secs(20);

/// The turns at the repositories of all registries. Holds an entry for each repository that is being read or waited for, at most
/// [`REPOSITORY_TURNS`](limits::REPOSITORY_TURNS): whoever comes then waits until one of these is done.
pub struct RepositoryTurns {
    lines: Mutex<HashMap<Key, Line>>,
    places: Arc<Semaphore>,
    rests: Rests,
}

/// Those who want to read one repository.
#[derive(Default)]
struct Line {
    turn: Arc<Lock<()>>,
    /// How many have it or wait for it.
    length: usize,
}

/// A place in a line. Left when dropped, whether the turn had come or not.
struct InLine {
    turns: Arc<RepositoryTurns>,
    key: Key,
    _place: OwnedSemaphorePermit,
}

/// The right to read a repository. Ends when dropped.
// Fields are dropped in this order: the next one has the turn before the line is left.
pub(super) struct Turn {
    _turn: OwnedMutexGuard<()>,
    _in_line: InLine,
}

impl RepositoryTurns {
    /// Nobody reads anything yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with_places(limits::REPOSITORY_TURNS)
    }

    pub(super) fn with_places(places: usize) -> Arc<Self> {
        Arc::new(Self {
            lines: Mutex::default(),
            places: Arc::new(Semaphore::new(places)),
            rests: Rests::default(),
        })
    }

    /// The turns at the repositories of one registry.
    #[must_use]
    pub fn of(self: &Arc<Self>, registry: RegistryId) -> Turns {
        Turns {
            all: Arc::clone(self),
            registry,
        }
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Key, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Repositories that are being read or waited for.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lines().len()
    }

    async fn take(self: &Arc<Self>, key: Key) -> Turn {
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .expect("the semaphore lives as long as self and is never closed");
        let turn = {
            let mut lines = self.lines();
            let line = lines.entry(key.clone()).or_default();
            line.length += 1;
            Arc::clone(&line.turn)
        };
        let in_line = InLine {
            turns: Arc::clone(self),
            key,
            _place: place,
        };
        Turn {
            _turn: turn.lock_owned().await,
            _in_line: in_line,
        }
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        let mut lines = self.turns.lines();
        if let Some(line) = lines.get_mut(&self.key) {
            line.length -= 1;
            if line.length == 0 {
                lines.remove(&self.key);
            }
        }
    }
}

/// The turns at the repositories of one registry.
#[derive(Clone)]
pub struct Turns {
    all: Arc<RepositoryTurns>,
    registry: RegistryId,
}

impl Turns {
    /// Waits for the turn at a repository. Whoever has one takes no other before it has given it back; a walk that reads several
    /// repositories at once takes the turn at each by itself.
    pub(super) async fn take(&self, repository: &RepositoryName) -> Turn {
        self.all.take(self.key(repository)).await
    }

    /// Like [`take`](Self::take), for a look: `None` if the turn does not come within [`LOOK_WAITS`].
    pub(super) async fn take_for_look(&self, repository: &RepositoryName) -> Option<Turn> {
        timeout(LOOK_WAITS, self.take(repository)).await.ok()
    }

    /// How long a repository must not be listed for the sake of single tags; `None` if it may be.
    pub(super) fn rest(&self, repository: &RepositoryName, now: Uptime) -> Option<Duration> {
        self.all.rests.left(&self.key(repository), now)
    }

    /// A repository was listed for the sake of single tags, in so many pages.
    pub(super) fn listed(&self, repository: &RepositoryName, pages: u32, now: Uptime) {
        self.all.rests.listed(self.key(repository), pages, now);
    }

    fn key(&self, repository: &RepositoryName) -> Key {
        (self.registry, repository.clone())
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns")
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}
