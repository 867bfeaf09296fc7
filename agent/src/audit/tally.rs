//! Counts of what one job did, recorded once when it is over, however it ends: the record is made when the last holder is gone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use portolan_registry::{Hop, Purpose};
use portolan_shared::process::Clock;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::entry::{Entry, Outcome, action};
use super::log::AuditLog;

/// Hosts of one job that are counted by name: beyond, they are counted together.
const HOSTS: usize = 256;
/// Refusals of one job that are recorded one by one: beyond, they are counted.
const REFUSALS: usize = 64;

/// What was asked of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HostCount {
    /// Host and port; `others` for those beyond the bound.
    pub(super) host: String,
    /// `registry`, `token service` or `storage`.
    pub(super) purpose: String,
    pub(super) requests: u64,
    pub(super) bytes_received: u64,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
}

/// The hosts that one job contacts.
pub(super) struct Contacts {
    log: Arc<AuditLog>,
    clock: Arc<dyn Clock>,
    registry: String,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// In the order in which they were contacted first: few, and looked through with each request.
    hosts: Vec<Host>,
    refusals: BTreeMap<(String, String), u64>,
    more_refusals: u64,
}

/// A host with its counts.
struct Host {
    /// As the step wrote it; empty for those beyond the bound, together.
    host: String,
    port: u16,
    purpose: Purpose,
    count: HostCount,
}

impl Contacts {
    pub(super) fn new(log: Arc<AuditLog>, clock: Arc<dyn Clock>, registry: String) -> Arc<Self> {
        Arc::new(Self {
            log,
            clock,
            registry,
            counts: Mutex::default(),
        })
    }

    /// A request is on its way.
    pub(super) fn asked(&self, hop: &Hop<'_>) {
        self.count(hop, |count| count.requests += 1);
    }

    /// So much of an answer came.
    pub(super) fn received(&self, hop: &Hop<'_>, bytes: usize) {
        self.count(hop, |count| count.bytes_received += bytes as u64);
    }

    fn count(&self, hop: &Hop<'_>, change: impl FnOnce(&mut HostCount)) {
        let now = self.clock.now().as_millisecond();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let hosts = &mut counts.hosts;
        let at = |hosts: &[Host], host: &str, port| {
            let mut each = hosts.iter();
            each.position(|seen| (&*seen.host, seen.port, seen.purpose) == (host, port, hop.purpose))
        };
        let index = at(hosts, hop.host, hop.port).unwrap_or_else(|| {
            let (host, port, name) = if hosts.len() < HOSTS {
                (hop.host, hop.port, place(hop))
            } else if let Some(others) = at(hosts, "", 0) {
                return others;
            } else {
                ("", 0, "others".to_owned())
            };
            hosts.push(Host {
                host: host.to_owned(),
                port,
                purpose: hop.purpose,
                count: HostCount {
                    host: name,
                    purpose: hop.purpose.to_string(),
                    requests: 0,
                    bytes_received: 0,
                    first_ms: now,
                    last_ms: now,
                },
            });
            hosts.len() - 1
        });
        let Some(Host { count, .. }) = hosts.get_mut(index) else {
            return;
        };
        count.last_ms = now;
        change(count);
    }

    /// The policy said no to a step. The first refusal of a host by a rule is recorded at once.
    pub(super) fn refused(&self, hop: &Hop<'_>, rule: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (place(hop), rule.to_owned());
        if let Some(times) = counts.refusals.get_mut(&key) {
            *times += 1;
        } else if counts.refusals.len() >= REFUSALS {
            counts.more_refusals += 1;
        } else {
            counts.refusals.insert(key, 1);
            drop(counts);
            let details =
                json!({"rule": rule, "registry": self.registry, "purpose": hop.purpose.to_string()});
            let object = format!("host:{}", place(hop));
            self.log
                .append(Entry::by_agent("policy.refused", object, details).with(Outcome::Refused));
        }
    }
}

impl Drop for Contacts {
    fn drop(&mut self) {
        let counts = std::mem::take(self.counts.get_mut().unwrap_or_else(PoisonError::into_inner));
        let refused: u64 = counts.refusals.values().sum::<u64>() + counts.more_refusals;
        if counts.hosts.is_empty() && refused == 0 {
            return;
        }
        let mut hosts: Vec<HostCount> = counts.hosts.into_iter().map(|host| host.count).collect();
        hosts.sort_unstable_by(|one, other| (&one.host, &one.purpose).cmp(&(&other.host, &other.purpose)));
        let details = json!({"hosts": hosts, "refusals": refused});
        self.log.append(Entry::by_agent(
            action::HOSTS,
            format!("registry:{}", self.registry),
            details,
        ));
    }
}

fn place(hop: &Hop<'_>) -> String {
    format!("{}:{}", hop.host, hop.port)
}

/// How much of one kind of data left this machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KindCount {
    pub(super) count: u64,
    pub(super) bytes: u64,
}

impl KindCount {
    pub(super) fn add(&mut self, count: usize, bytes: usize) {
        self.count += count as u64;
        self.bytes += bytes as u64;
    }
}

/// What one job sent to the control plane, by kind. Bytes are those of the values themselves, before they are put into messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SentKinds {
    pub(super) repository_names: KindCount,
    pub(super) tags: KindCount,
    pub(super) digests: KindCount,
    pub(super) manifests: KindCount,
    pub(super) image_facts: KindCount,
    pub(super) coverage: KindCount,
    pub(super) run_accounts: KindCount,
    pub(super) probe_reports: KindCount,
}

/// The same on its way into the log.
pub(super) struct Sent {
    log: Arc<AuditLog>,
    endpoint: String,
    object: String,
    kinds: Mutex<SentKinds>,
    first_ms: i64,
    clock: Arc<dyn Clock>,
}

impl Sent {
    pub(super) fn new(
        log: Arc<AuditLog>,
        clock: Arc<dyn Clock>,
        endpoint: String,
        object: String,
    ) -> Arc<Self> {
        Arc::new(Self {
            log,
            endpoint,
            object,
            kinds: Mutex::default(),
            first_ms: clock.now().as_millisecond(),
            clock,
        })
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut SentKinds)) {
        change(&mut self.kinds.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        let kinds = *self.kinds.get_mut().unwrap_or_else(PoisonError::into_inner);
        if kinds == SentKinds::default() {
            return;
        }
        let details = json!({
            "to": self.endpoint,
            "kinds": kinds,
            "first_ms": self.first_ms,
            "last_ms": self.clock.now().as_millisecond(),
        });
        self.log
            .append(Entry::by_agent(action::SENT, self.object.clone(), details));
    }
}
