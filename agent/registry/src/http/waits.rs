//! How long hosts have kept us waiting, so that no run waits without end.
//!
//! One request is not what a host's patience is measured by: a server that makes every one of a million requests wait a little less than is
//! borne would never be given up. So waits are counted by host over all requests of a client. Good answers earn them back: a host that
//! answers now and then makes a run late, and one that hardly answers at all makes it fail.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portolan_shared::process::Uptime;

/// Waiting that one good answer earns back: whoever answers six requests a minute is waited for however long it takes.
pub(super) const EARNED: Duration = Duration::from_secs(10);
/// Hosts that are counted: the one that was waited for least is forgotten beyond.
const HOSTS: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Waits(Mutex<Vec<Account>>);

#[derive(Debug)]
struct Account {
    host: String,
    /// Pulls are counted apart: where these alone are limited, what else is answered earns them nothing.
    pulls: bool,
    waited: Duration,
    /// Until when waiting has been counted: who waits at the same time as others costs nothing more.
    counted_to: Uptime,
}

impl Waits {
    fn lock(&self) -> MutexGuard<'_, Vec<Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a wait of `wait` from `now` on; fails with what was waited so far if that is as much as `patience`.
    pub(super) fn spend(
        &self,
        (host, pulls): (String, bool),
        now: Uptime,
        wait: Duration,
        patience: Duration,
    ) -> Result<(), Duration> {
        let until = Uptime(now.0 + wait);
        let mut accounts = self.lock();
        let known = accounts
            .iter_mut()
            .find(|account| account.pulls == pulls && account.host == host);
        let Some(account) = known else {
            if patience.is_zero() {
                return Err(Duration::ZERO);
            }
            if accounts.len() >= HOSTS
                && let Some((least, _)) = accounts
                    .iter()
                    .enumerate()
                    .min_by_key(|(_, account)| account.waited)
            {
                accounts.remove(least);
            }
            accounts.push(Account {
                host,
                pulls,
                waited: wait,
                counted_to: until,
            });
            return Ok(());
        };
        let more = until.since(Uptime(now.0.max(account.counted_to.0)));
        if more.is_zero() {
            return Ok(());
        }
        if account.waited >= patience {
            return Err(account.waited);
        }
        account.waited += more;
        account.counted_to = until;
        Ok(())
    }

    /// The host has answered well.
    pub(super) fn earn(&self, (host, pulls): (&str, bool)) {
        let mut accounts = self.lock();
        accounts.retain_mut(|account| {
            if account.pulls == pulls && account.host == host {
                account.waited = account.waited.saturating_sub(EARNED);
            }
            !account.waited.is_zero()
        });
    }

    /// Whether nobody was waited for, or all of it was earned back.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(3_600);

    fn at(seconds: u64) -> Uptime {
        Uptime(Duration::from_secs(seconds))
    }

    fn spend(waits: &Waits, host: &str, pulls: bool, now: u64, wait: u64) -> Result<(), u64> {
        let wait = Duration::from_secs(wait);
        let spent = waits.spend((host.to_owned(), pulls), at(now), wait, PATIENCE);
        spent.map_err(|waited| waited.as_secs())
    }

    #[test]
    fn patience_ends_for_the_host_and_not_for_others() {
        let waits = Waits::default();
        for request in 0..6 {
            assert_eq!(spend(&waits, "r", false, request * 600, 600), Ok(()), "{request}");
        }
        assert_eq!(
            spend(&waits, "r", false, 3_600, 600),
            Err(3_600),
            "exactly at the bound"
        );
        assert_eq!(spend(&waits, "r", false, 7_200, 1), Err(3_600), "nor later");
        assert_eq!(spend(&waits, "r", true, 3_600, 600), Ok(()), "pulls are apart");
        assert_eq!(spend(&waits, "other", false, 3_600, 600), Ok(()));
    }

    #[test]
    fn who_waits_together_waits_once() {
        let waits = Waits::default();
        for _ in 0..1_000 {
            assert_eq!(spend(&waits, "r", false, 0, 3_600), Ok(()));
        }
        assert_eq!(
            spend(&waits, "r", false, 1_800, 1_800),
            Ok(()),
            "is there already"
        );
        assert_eq!(spend(&waits, "r", false, 1_800, 1_801), Err(3_600));
    }

    #[test]
    fn good_answers_earn_it_back() {
        let waits = Waits::default();
        spend(&waits, "r", false, 0, 3_600).unwrap();
        waits.earn(("r", true));
        waits.earn(("other", false));
        assert_eq!(spend(&waits, "r", false, 3_600, 60), Err(3_600));
        waits.earn(("r", false));
        assert_eq!(spend(&waits, "r", false, 3_600, 60), Ok(()));
        assert_eq!(spend(&waits, "r", false, 3_660, 60), Err(3_650));
        for _ in 0..365 {
            waits.earn(("r", false));
        }
        assert!(waits.is_empty(), "forgotten once nothing is owed");
    }

    #[test]
    fn the_least_waited_for_is_forgotten_at_the_bound() {
        let waits = Waits::default();
        spend(&waits, "patient", false, 0, 3_600).unwrap();
        for host in 0..2 * HOSTS {
            spend(&waits, &format!("h{host}"), false, 0, 1).unwrap();
        }
        assert_eq!(waits.lock().len(), HOSTS);
        assert_eq!(spend(&waits, "patient", false, 3_600, 1), Err(3_600));
    }
}
