//! What left this machine, by the log.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use jiff::Timestamp;
use portolan_shared::audit::ChainRecord;
use serde::{Deserialize, Serialize};

use super::entry::action;
use super::read::{AuditFile, Read};
use super::tally::{HostCount, KindCount, SentKinds};

/// Every host that was contacted, and every kind of data that left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outbound {
    /// Hosts, by purpose and name.
    pub hosts: Vec<Contacted>,
    /// Kinds of data that were sent to the control plane.
    pub data: Vec<SentKind>,
    /// Requests that the policy refused.
    pub refusals: u64,
    /// Registries of the jobs that ended last, newest first, at most 16.
    pub registries: Vec<String>,
    /// Lines of the log that are no records: what stood there is not in this account.
    pub unreadable: u64,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contacted {
    /// Host and port.
    pub host: String,
    /// `registry`, `token service`, `storage` or `control plane`.
    pub purpose: String,
    /// Requests; for the control plane, sessions.
    pub requests: u64,
    /// Bytes of answers; for the control plane, bytes of uploaded values.
    pub bytes: u64,
    /// The first time.
    pub first: Timestamp,
    /// The last time.
    pub last: Timestamp,
}

/// One kind of data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SentKind {
    /// Which.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
    /// How many bytes, of the values themselves.
    pub bytes: u64,
}

#[derive(Deserialize)]
struct Hosts {
    hosts: Vec<HostCount>,
    #[serde(default)]
    refusals: u64,
}

#[derive(Deserialize)]
struct SentRecord {
    to: String,
    kinds: SentKinds,
    first_ms: i64,
    last_ms: i64,
}

#[derive(Deserialize)]
struct SessionRecord {
    endpoint: String,
}

/// Registries that are named for `--next`.
const REGISTRIES: usize = 16;

#[derive(Default)]
struct Account {
    hosts: BTreeMap<(String, String), HostCount>,
    kinds: SentKinds,
    outbound: Outbound,
}

/// Reads the account of what happened since `since` from these files.
pub fn outbound(files: &[AuditFile], since: Option<Timestamp>) -> io::Result<Outbound> {
    let since = since.map_or(i64::MIN, Timestamp::as_millisecond);
    let mut account = Account::default();
    for file in files {
        for line in file.lines()? {
            match line? {
                Read::Record(record) if record.record.at_ms >= since => account.take(&record.record),
                Read::Record(_) => {}
                Read::Rubbish { .. } => account.outbound.unreadable += 1,
            }
        }
    }
    Ok(account.close())
}

impl Account {
    fn take(&mut self, record: &ChainRecord<String>) {
        match record.action.as_str() {
            action::HOSTS => {
                if let Ok(hosts) = serde_json::from_str::<Hosts>(&record.details) {
                    self.outbound.refusals += hosts.refusals;
                    hosts.hosts.iter().for_each(|host| self.host(host));
                }
                let registry = record.object.trim_start_matches("registry:").to_owned();
                self.outbound.registries.retain(|known| *known != registry);
                self.outbound.registries.insert(0, registry);
                self.outbound.registries.truncate(REGISTRIES);
            }
            action::SENT => {
                if let Ok(sent) = serde_json::from_str::<SentRecord>(&record.details) {
                    self.sent(sent);
                }
            }
            "session.begin" => {
                if let Ok(session) = serde_json::from_str::<SessionRecord>(&record.details) {
                    self.host(&to_control_plane(
                        session.endpoint,
                        1,
                        0,
                        (record.at_ms, record.at_ms),
                    ));
                }
            }
            _ => {}
        }
    }

    fn host(&mut self, host: &HostCount) {
        let key = (host.purpose.clone(), host.host.clone());
        let known = self.hosts.entry(key).or_insert_with(|| HostCount {
            requests: 0,
            bytes_received: 0,
            ..host.clone()
        });
        known.requests += host.requests;
        known.bytes_received += host.bytes_received;
        known.first_ms = known.first_ms.min(host.first_ms);
        known.last_ms = known.last_ms.max(host.last_ms);
    }

    fn sent(&mut self, sent: SentRecord) {
        let mut bytes = 0;
        for ((_, sum), (_, more)) in kinds_mut(&mut self.kinds).into_iter().zip(kinds(&sent.kinds)) {
            sum.count += more.count;
            sum.bytes += more.bytes;
            bytes += more.bytes;
        }
        self.host(&to_control_plane(
            sent.to,
            0,
            bytes,
            (sent.first_ms, sent.last_ms),
        ));
    }

    fn close(mut self) -> Outbound {
        let time = |ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        self.outbound.hosts = self
            .hosts
            .into_values()
            .map(|host| Contacted {
                first: time(host.first_ms),
                last: time(host.last_ms),
                host: host.host,
                purpose: host.purpose,
                requests: host.requests,
                bytes: host.bytes_received,
            })
            .collect();
        self.outbound.data = kinds(&self.kinds)
            .into_iter()
            .filter(|(_, kind)| kind.count > 0)
            .map(|(name, kind)| SentKind {
                kind: name,
                count: kind.count,
                bytes: kind.bytes,
            })
            .collect();
        self.outbound
    }
}

fn to_control_plane(host: String, sessions: u64, bytes: u64, (first_ms, last_ms): (i64, i64)) -> HostCount {
    HostCount {
        host,
        purpose: "control plane".to_owned(),
        requests: sessions,
        bytes_received: bytes,
        first_ms,
        last_ms,
    }
}

fn kinds(kinds: &SentKinds) -> [(&'static str, KindCount); 8] {
    let mut copy = *kinds;
    kinds_mut(&mut copy).map(|(name, kind)| (name, *kind))
}

fn kinds_mut(kinds: &mut SentKinds) -> [(&'static str, &mut KindCount); 8] {
    [
        ("repository names", &mut kinds.repository_names),
        ("tags", &mut kinds.tags),
        ("digests", &mut kinds.digests),
        ("manifests", &mut kinds.manifests),
        ("image facts", &mut kinds.image_facts),
        ("coverage", &mut kinds.coverage),
        ("run accounts", &mut kinds.run_accounts),
        ("probe reports", &mut kinds.probe_reports),
    ]
}

impl fmt::Display for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        if self.hosts.is_empty() {
            writeln!(f, "No host was contacted.")?;
        } else {
            writeln!(f, "Hosts contacted:")?;
        }
        for host in &self.hosts {
            let what = if host.purpose == "control plane" {
                format!("{} sessions, {} bytes sent", host.requests, host.bytes)
            } else {
                format!("{} requests, {} bytes received", host.requests, host.bytes)
            };
            writeln!(
                f,
                "  {:<14} {}: {what}, from {} to {}",
                host.purpose,
                host.host,
                time(host.first),
                time(host.last)
            )?;
        }
        if self.data.is_empty() {
            writeln!(f, "No data left this machine.")?;
        } else {
            writeln!(f, "Data sent to the control plane:")?;
        }
        for kind in &self.data {
            writeln!(f, "  {:<17} {} ({} bytes)", kind.kind, kind.count, kind.bytes)?;
        }
        if self.refusals > 0 {
            writeln!(f, "Requests that the policy refused: {}", self.refusals)?;
        }
        if self.unreadable > 0 {
            writeln!(
                f,
                "{} lines of the log are no records: see `portolan-agent audit verify`.",
                self.unreadable
            )?;
        }
        Ok(())
    }
}
