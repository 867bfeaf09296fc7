//! The hosts that one job contacts, and those that it may not.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use portolan_registry::Hop;
use portolan_shared::process::{Clock, ProxyRules};
use serde_json::json;

use super::entry::{Entry, Outcome};
use super::log::AuditLog;
use super::tally::{Tally, Why, authority};
use super::withheld::Rate;

/// Refusals of one job that are recorded one by one: beyond, they are recorded as what is merely said is, by which each host has its first of
/// the day.
const REFUSALS: usize = 64;

/// The hosts that one job contacts, with the proxies on the way.
pub(super) struct Contacts {
    log: Arc<AuditLog>,
    tally: Arc<Tally>,
    registry: String,
    proxies: ProxyRules,
    /// Hosts with rules whose refusal was recorded.
    refused: Mutex<BTreeSet<(String, String)>>,
}

impl Contacts {
    /// Of a job on the registry at this host and port.
    pub(super) fn new(
        log: &Arc<AuditLog>,
        clock: Arc<dyn Clock>,
        registry: String,
        proxies: ProxyRules,
    ) -> Self {
        Self {
            log: Arc::clone(log),
            tally: log.tally(clock, format!("registry:{registry}")),
            registry,
            proxies,
            refused: Mutex::default(),
        }
    }

    /// A request is on its way.
    pub(super) fn asked(&self, hop: &Hop<'_>) {
        self.tally.contact(
            (hop.host, hop.port, Why::Job(hop.purpose)),
            || self.proxies.proxy_for(hop.https, hop.host, hop.port),
            false,
            |count| count.requests += 1,
        );
    }

    /// So much of an answer came.
    pub(super) fn received(&self, hop: &Hop<'_>, bytes: usize) {
        self.tally.contact(
            (hop.host, hop.port, Why::Job(hop.purpose)),
            || self.proxies.proxy_for(hop.https, hop.host, hop.port),
            false,
            |count| count.bytes_received += bytes as u64,
        );
    }

    /// The policy said no to a step. The first refusal of a host by a rule is recorded at once.
    pub(super) fn refused(&self, hop: &Hop<'_>, rule: &str) {
        self.tally.refused();
        let place = authority(hop.host, hop.port);
        let rate = {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (place.clone(), rule.to_owned());
            if refused.contains(&key) {
                return;
            }
            if refused.len() < REFUSALS {
                refused.insert(key);
                Rate::DONE
            } else {
                Rate::SAID
            }
        };
        let details = json!({"rule": rule, "registry": self.registry, "purpose": hop.purpose.to_string()});
        let entry = Entry::by_agent("policy.refused", format!("host:{place}"), details);
        self.log.append_of(rate, rule, entry.with(Outcome::Refused));
    }
}
