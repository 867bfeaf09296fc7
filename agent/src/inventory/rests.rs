//! How long a repository rests after it was listed for the sake of tags that seem gone.
//!
//! Such a listing costs what the repository is large: a request for each page of it, for one tag. Where deletions come in one by one, a large
//! repository would be listed all the time. So it rests as long as its last listing was expensive, and a look says meanwhile that it did not find
//! out. Where the list is one page it costs what a look costs anyway, and there is no rest.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portolan_shared::model::limits;
use portolan_shared::process::Uptime;

use super::turns::Key;

/// For each page: in the long run a repository gets so many requests a second for the sake of deletions.
pub(super) const FOR_A_PAGE: Duration = Duration::from_secs(1);
/// No rest is longer.
pub(super) const LONGEST: Duration = Duration::from_secs(300);

/// The repositories that rest, at most [`RESTING_REPOSITORIES`](limits::RESTING_REPOSITORIES): for one more, the one whose rest ends first
/// has rested enough.
#[derive(Debug, Default)]
pub(super) struct Rests(Mutex<HashMap<Key, Uptime>>);

impl Rests {
    /// How long a repository still rests; `None` if it may be listed.
    pub(super) fn left(&self, key: &Key, now: Uptime) -> Option<Duration> {
        let rests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = rests.get(key)?.since(now);
        (!left.is_zero()).then_some(left)
    }

    /// A repository was listed now, in so many pages.
    pub(super) fn listed(&self, key: Key, pages: u32, now: Uptime) {
        if pages <= 1 {
            return;
        }
        let until = Uptime(now.0 + (FOR_A_PAGE * pages).min(LONGEST));
        let mut rests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rests.retain(|_, until| *until > now);
        if rests.len() >= limits::RESTING_REPOSITORIES && !rests.contains_key(&key) {
            let first = rests.iter().min_by_key(|(_, until)| until.0);
            if let Some(first) = first.map(|(key, _)| key.clone()) {
                rests.remove(&first);
            }
        }
        rests.insert(key, until);
    }
}

#[cfg(test)]
mod tests {
    use portolan_shared::model::RegistryId;

    use super::*;

    fn key(repository: usize) -> Key {
        let registry = RegistryId::from_slice(&[7; 16]).unwrap();
        (registry, format!("r{repository}").parse().unwrap())
    }

    fn at(seconds: u64) -> Uptime {
        Uptime(Duration::from_secs(seconds))
    }

    #[test]
    fn a_repository_rests_by_what_its_listing_has_cost() {
        let rests = Rests::default();
        for (repository, pages) in [(0, 0), (1, 1), (2, 2), (3, 100), (4, u32::MAX / 2)] {
            rests.listed(key(repository), pages, at(10));
        }
        let left = |repository, now| rests.left(&key(repository), at(now)).map(|left| left.as_secs());
        assert_eq!([0, 1, 5].map(|repository| left(repository, 10)), [None; 3]);
        assert_eq!(
            [2, 3, 4].map(|repository| left(repository, 10)),
            [Some(2), Some(100), Some(300)]
        );
        assert_eq!((left(3, 109), left(3, 110)), (Some(1), None));
    }

    #[test]
    fn so_many_rest_at_once() {
        let rests = Rests::default();
        for repository in 0..=limits::RESTING_REPOSITORIES {
            let pages = if repository == 0 { 2 } else { 3 };
            rests.listed(key(repository), pages, at(0));
        }
        let len = || rests.0.lock().unwrap().len();
        assert_eq!(len(), limits::RESTING_REPOSITORIES);
        assert_eq!(
            rests.left(&key(0), at(0)),
            None,
            "its rest would have ended first"
        );
        assert!(rests.left(&key(limits::RESTING_REPOSITORIES), at(0)).is_some());
        rests.listed(key(0), 2, at(1_000));
        assert_eq!(len(), 1, "those who have rested are forgotten");
    }
}
