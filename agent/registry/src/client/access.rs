//! What a client is made of.

use std::sync::Arc;

use portolan_shared::model::{Budget, RegistryUrl};
use portolan_shared::process::{Clock, Rng, SystemClock, SystemRng};
use portolan_shared::tls::RegistryTrust;

use crate::auth::{Anonymous, Credentials};
use crate::http::{AnyHost, Gate, Limits, Resolver, SystemResolver};

/// Everything that a client is made of. [`Access::new`] fills in what suits a program on its own; change what should differ.
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
    /// How hard the registry may be worked.
    pub budget: Budget,
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
            budget: Budget::default(),
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
        }
    }
}
