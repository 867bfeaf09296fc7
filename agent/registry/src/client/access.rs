//! What a client is made of.

use std::sync::Arc;

use portolan_shared::model::{Budget, RegistryUrl};
use portolan_shared::process::{Clock, ProxyRules, Rng, SystemClock, SystemRng};
use portolan_shared::tls::RegistryTrust;

use crate::auth::{Anonymous, Credentials, RefusedLogins};
use crate::http::{Allowance, AnyHost, Gate, Limits, Resolver, SystemResolver};

/// Everything that a client is made of. [`Access::new`] fills in what suits a program on its own; change what should differ.
#[derive(Clone)]
pub struct Access {
    /// Where the registry is.
    pub url: RegistryUrl,
    /// Whose certificates are trusted.
    pub trust: RegistryTrust,
    /// Which hosts may be contacted.
    pub gate: Arc<dyn Gate>,
    /// How names become addresses.
    pub resolver: Arc<dyn Resolver>,
    /// Where the login comes from.
    pub credentials: Arc<dyn Credentials>,
    /// Logins that were refused. One for a whole process, so that no run tries again what was refused in the run before.
    pub refused: Arc<RefusedLogins>,
    /// How hard the registry may be worked.
    pub budget: Budget,
    /// Requests that may be sent at all; not bounded if none. At the bound every request fails with
    /// [`Fault::BudgetSpent`](crate::Fault::BudgetSpent) and is not sent.
    pub requests_left: Option<u64>,
    /// Which proxies are used; none by default.
    ///
    /// Through a proxy, the gate is asked about every host as always; addresses are checked only where a host is written as one, for it is
    /// the proxy that resolves names. Of the proxy itself every address is checked.
    pub proxy: ProxyRules,
    /// Every bound.
    pub limits: Limits,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for delays.
    pub rng: Arc<dyn Rng>,
}

impl Access {
    /// Access without a login and without a policy, with the default budget and limits.
    #[must_use]
    pub fn new(url: RegistryUrl, trust: RegistryTrust) -> Self {
        Self {
            url,
            trust,
            gate: Arc::new(AnyHost),
            resolver: Arc::new(SystemResolver),
            credentials: Arc::new(Anonymous),
            refused: Arc::default(),
            budget: Budget::default(),
            requests_left: None,
            proxy: ProxyRules::default(),
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
        }
    }

    /// A new account of requests: the budget's rate, and what is left.
    pub(crate) fn allowance(&self) -> Arc<Allowance> {
        let clock = Arc::clone(&self.clock);
        Arc::new(Allowance::new(self.budget.per_second, self.requests_left, clock))
    }
}
