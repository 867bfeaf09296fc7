//! What left this machine, by the log.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;

use jiff::Timestamp;
use portolan_shared::audit::ChainRecord;
use serde::{Deserialize, Serialize};

use super::before::{OBJECT, records_before};
use super::counts::{HostCount, SentCount};
use super::entry::action;
use super::read::{AuditFile, Read, files_in};

/// Every host that was contacted, and every kind of data that left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outbound {
    /// From when on: the first record that is in it. Older ones, if there were any, are gone with the files that held them.
    pub from: Option<Timestamp>,
    /// Hosts, by purpose and name.
    pub hosts: Vec<Contacted>,
    /// Kinds of data that were sent, and where to.
    pub data: Vec<SentKind>,
    /// Requests that the policy refused.
    pub refusals: u64,
    /// Registries that jobs have contacted, those of the last job first, at most 16; and what else was contacted for them.
    pub registries: Vec<Known>,
    /// Lines of the log that are no records, or whose counts cannot be read: what stood there is not in this account.
    pub unreadable: u64,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contacted {
    /// Host and port.
    pub host: String,
    /// `registry`, `token service`, `storage`, `control plane` or `proxy`.
    pub purpose: String,
    /// The proxy that led there, which is a host of its own in this account.
    pub by: Option<String>,
    /// Requests. 0 if it was tried to connect, and no more; or if they are counted with those of `others`, after 256 hosts of one job.
    pub requests: u64,
    /// Bytes of answers; from the control plane, all that came.
    pub bytes_received: u64,
    /// Bytes that went to the control plane, whatever was in them. Requests to registries are not counted in bytes.
    pub bytes_sent: u64,
    /// The first time.
    pub first: Timestamp,
    /// The last time.
    pub last: Timestamp,
}

/// One kind of data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SentKind {
    /// Which: a name of a [`DataKind`](super::DataKind).
    pub kind: String,
    /// Where to.
    pub to: String,
    /// How many.
    pub count: u64,
    /// How many bytes, of the values themselves.
    pub bytes: u64,
    /// The first time.
    pub first: Timestamp,
    /// The last time.
    pub last: Timestamp,
}

/// A registry that a job has contacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Known {
    /// Its host and port.
    pub registry: String,
    /// What else was contacted for it: at most 64.
    pub others: Vec<Elsewhere>,
}

/// Another host that was contacted for a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Elsewhere {
    /// `token service` or `storage`.
    pub purpose: String,
    /// Host and port.
    pub host: String,
}

#[derive(Deserialize)]
struct Hosts {
    hosts: Vec<HostCount>,
    #[serde(default)]
    refusals: u64,
}

#[derive(Deserialize)]
struct SentRecord {
    sent: Vec<SentCount>,
}

/// Registries that are named for `--next`.
const REGISTRIES: usize = 16;
/// Other hosts that are named for one of them.
const OTHERS: usize = 64;

#[derive(Default)]
struct Account {
    hosts: BTreeMap<(String, String, Option<String>), HostCount>,
    sent: BTreeMap<(String, String), SentCount>,
    /// Records from before the enrolment, which a crash can have brought into the log twice.
    before: HashSet<(String, String)>,
    first_ms: Option<i64>,
    outbound: Outbound,
}

/// Reads the account of what happened since `since` from the log in this folder; before there is one, from what the enrolment left there.
pub fn outbound(folder: &Path, since: Option<Timestamp>) -> io::Result<Outbound> {
    let since = since.map_or(i64::MIN, Timestamp::as_millisecond);
    let mut account = Account::default();
    for record in records_before(folder).map_err(io::Error::other)? {
        account.take(&record, since);
    }
    for AuditFile(path) in files_in(folder) {
        for line in AuditFile(path).lines()? {
            match line? {
                Read::Record(record) => account.take(&record.record, since),
                // A last line that is being written is a record soon.
                Read::Rubbish { whole: false, .. } => {}
                Read::Rubbish { whole: true, .. } => account.outbound.unreadable += 1,
            }
        }
    }
    Ok(account.close())
}

impl Account {
    fn take(&mut self, record: &ChainRecord<String>, since: i64) {
        if record.at_ms < since {
            return;
        }
        self.first_ms = Some(self.first_ms.unwrap_or(i64::MAX).min(record.at_ms));
        if record.object.starts_with(OBJECT)
            && !self
                .before
                .insert((record.object.clone(), record.details.clone()))
        {
            return;
        }
        match record.action.as_str() {
            action::HOSTS => {
                let Ok(hosts) = serde_json::from_str::<Hosts>(&record.details) else {
                    self.outbound.unreadable += 1;
                    return;
                };
                self.outbound.refusals += hosts.refusals;
                hosts.hosts.iter().for_each(|host| self.host(host));
                if let Some(registry) = record.object.strip_prefix("registry:") {
                    self.known(registry, &hosts.hosts);
                }
            }
            action::SENT => {
                let Ok(sent) = serde_json::from_str::<SentRecord>(&record.details) else {
                    self.outbound.unreadable += 1;
                    return;
                };
                sent.sent.into_iter().for_each(|sent| self.sent(sent));
            }
            _ => {}
        }
    }

    fn known(&mut self, registry: &str, hosts: &[HostCount]) {
        let known = &mut self.outbound.registries;
        let found = known.iter().position(|known| known.registry == registry);
        let mut entry = found.map_or_else(
            || Known {
                registry: registry.to_owned(),
                others: Vec::new(),
            },
            |found| known.remove(found),
        );
        let elsewhere = hosts
            .iter()
            .filter(|host| ["token service", "storage"].contains(&host.purpose.as_str()));
        for host in elsewhere {
            let place = Elsewhere {
                purpose: host.purpose.clone(),
                host: host.host.clone(),
            };
            if entry.others.len() < OTHERS && !entry.others.contains(&place) {
                entry.others.push(place);
            }
        }
        known.insert(0, entry);
        known.truncate(REGISTRIES);
    }

    fn host(&mut self, host: &HostCount) {
        let key = (host.purpose.clone(), host.host.clone(), host.by.clone());
        match self.hosts.get_mut(&key) {
            Some(known) => known.add(host),
            None => {
                self.hosts.insert(key, host.clone());
            }
        }
    }

    fn sent(&mut self, sent: SentCount) {
        let key = (sent.to.clone(), sent.kind.clone());
        match self.sent.get_mut(&key) {
            Some(known) => known.add(&sent),
            None => {
                self.sent.insert(key, sent);
            }
        }
    }

    fn close(mut self) -> Outbound {
        let time = |ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        self.outbound.from = self.first_ms.map(time);
        let hosts = self.hosts.into_values().map(|host| Contacted {
            first: time(host.first_ms),
            last: time(host.last_ms),
            host: host.host,
            purpose: host.purpose,
            by: host.by,
            requests: host.requests,
            bytes_received: host.bytes_received,
            bytes_sent: host.bytes_sent,
        });
        self.outbound.hosts = hosts.collect();
        let sent = self.sent.into_values().map(|sent| SentKind {
            first: time(sent.first_ms),
            last: time(sent.last_ms),
            kind: sent.kind,
            to: sent.to,
            count: sent.count,
            bytes: sent.bytes,
        });
        self.outbound.data = sent.collect();
        self.outbound
    }
}
