//! What is counted of hosts and of what is sent, and the records that it makes.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::entry::{Entry, Outcome, action};
use super::tally::Why;

/// What was asked of one host, or what was added to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HostCount {
    /// Host and port; `others` for those beyond the bound.
    pub(super) host: String,
    /// `registry`, `token service`, `storage`, `control plane` or `proxy`.
    pub(super) purpose: String,
    /// The proxy by which it was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
    pub(super) requests: u64,
    pub(super) bytes_received: u64,
    #[serde(default)]
    pub(super) bytes_sent: u64,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
}

impl HostCount {
    /// Rows of one record: however long their texts are cut, as many fit.
    pub(super) const IN_A_RECORD: usize = 12;

    /// Nothing, of this host.
    pub(super) fn none(host: String, why: Why, now: i64) -> Self {
        Self {
            host,
            purpose: why.to_string(),
            first_ms: now,
            last_ms: now,
            ..Self::default()
        }
    }

    /// Adds what was counted elsewhere.
    pub(super) fn add(&mut self, more: &Self) {
        self.requests += more.requests;
        self.bytes_received += more.bytes_received;
        self.bytes_sent += more.bytes_sent;
        self.first_ms = self.first_ms.min(more.first_ms);
        self.last_ms = self.last_ms.max(more.last_ms);
    }
}

/// So much of one kind went to one host, or was added to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SentCount {
    /// The name of the [`DataKind`].
    pub(super) kind: String,
    /// Host and port.
    pub(super) to: String,
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
}

impl SentCount {
    /// The same.
    pub(super) fn add(&mut self, more: &Self) {
        self.count += more.count;
        self.bytes += more.bytes;
        self.first_ms = self.first_ms.min(more.first_ms);
        self.last_ms = self.last_ms.max(more.last_ms);
    }
}

/// Records of these counts: several if they are many.
pub(super) fn host_entries(object: &str, hosts: &[HostCount], refusals: u64) -> Vec<Entry> {
    let mut refusals = refusals;
    let mut entries = Vec::new();
    let mut chunks = hosts.chunks(HostCount::IN_A_RECORD);
    while let Some(hosts) = chunks.next().or((refusals > 0).then_some(&[])) {
        let outcome = if refusals == 0 {
            Outcome::Ok
        } else {
            Outcome::Refused
        };
        let details = json!({"hosts": hosts, "refusals": std::mem::take(&mut refusals)});
        entries.push(Entry::by_agent(action::HOSTS, object, details).with(outcome));
    }
    entries
}

/// The same of what was sent.
pub(super) fn sent_entries(object: &str, sent: &[SentCount]) -> Vec<Entry> {
    let chunks = sent.chunks(HostCount::IN_A_RECORD);
    chunks
        .map(|sent| Entry::by_agent(action::SENT, object, json!({"sent": sent})))
        .collect()
}
