//! The lease as those see it who work under it.

use std::fmt;
use std::sync::Arc;

use portolan_shared::process::{Clock, Uptime};
use tokio::sync::watch;

/// Until when an attempt may ask its registry. Whoever renews the lease moves the time; nobody has to notice that it has passed.
///
/// That is what a suspended machine or a stopped process needs: when it goes on, the clock has moved and the loop that judges leases may
/// be the last to run.
#[derive(Clone)]
pub struct Lease {
    until: watch::Receiver<Uptime>,
    clock: Arc<dyn Clock>,
}

impl Lease {
    /// A lease until the latest time that was sent.
    #[must_use]
    pub fn new(until: watch::Receiver<Uptime>, clock: Arc<dyn Clock>) -> Self {
        Self { until, clock }
    }

    /// Whether requests may begin now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.clock.uptime() < *self.until.borrow()
    }

    /// The time by which it is judged.
    pub(super) fn now(&self) -> Uptime {
        self.clock.uptime()
    }

    /// Returns once requests may begin; never if the lease has passed and nobody is left who could renew it.
    pub async fn held(&self) {
        if self.is_held() {
            return;
        }
        let mut until = self.until.clone();
        until.mark_changed();
        while until.changed().await.is_ok() {
            if self.is_held() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("until", &*self.until.borrow())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt as _;
    use portolan_shared::process::ManualClock;

    use super::*;

    fn in_seconds(clock: &ManualClock, seconds: u64) -> Uptime {
        Uptime(clock.uptime().0 + Duration::from_secs(seconds))
    }

    #[test]
    fn t28_a_lease_passes_by_itself_and_comes_back_when_it_is_renewed() {
        let clock = Arc::new(ManualClock::at_unix_seconds(0));
        let renew = watch::Sender::new(in_seconds(&clock, 50));
        let lease = Lease::new(renew.subscribe(), Arc::clone(&clock) as _);
        assert!(lease.held().now_or_never().is_some());
        clock.advance(Duration::from_millis(49_999));
        assert!(lease.is_held());
        clock.advance(Duration::from_millis(1));
        assert!(!lease.is_held(), "nobody had to say so");
        let mut held = Box::pin(lease.held());
        assert!(held.as_mut().now_or_never().is_none());
        renew.send_replace(clock.uptime());
        assert!(held.as_mut().now_or_never().is_none(), "renewed too little");
        renew.send_replace(in_seconds(&clock, 1));
        assert!(held.as_mut().now_or_never().is_some());
        clock.advance(Duration::from_secs(1));
        drop(renew);
        assert!(lease.held().now_or_never().is_none(), "nobody can renew it");
    }
}
