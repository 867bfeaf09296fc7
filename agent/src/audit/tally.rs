//! Counts of which hosts were contacted and what was sent, on their way into the log.
//!
//! The first contact of a host, and the first of a kind, is recorded at once; of what follows, what was added since the last record, at a
//! bounded pace and at the end. So whoever sums the records counts nothing twice, and a process that is killed has left at least every host
//! and every kind.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portolan_registry::Purpose;
use portolan_shared::process::{Clock, ProxyUrl, Uptime};

use super::counts::{HostCount, SentCount};
use super::kind::DataKind;

/// Hosts of one tally that are counted by name: beyond, they are named, and counted together, by what they are contacted for.
pub(super) const HOSTS: usize = 256;
/// What was added is recorded after this time at the latest.
pub(super) const EVERY: Duration = Duration::from_secs(60);
/// The same where nothing was added but what goes on and on while a session is open.
pub(super) const STEADY_EVERY: Duration = Duration::from_secs(3_600);

/// Where counts are recorded.
pub(super) trait Book: Send + Sync {
    /// Records what was added to hosts, and how many requests were refused, of `object`.
    fn record_hosts(&self, object: &str, hosts: &[HostCount], refusals: u64);
    /// A host is counted together with others: records its name, unless that was recorded today.
    fn name_host(&self, object: &str, host: &HostCount);
    /// Records what was added to what was sent.
    fn record_sent(&self, object: &str, sent: &[SentCount]);
}

/// Why a host is contacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// A job reads a registry.
    Job(Purpose),
    /// It is the control plane.
    ControlPlane,
    /// It passes on what is for another host.
    Proxy,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(purpose) => purpose.fmt(f),
            Self::ControlPlane => f.write_str("control plane"),
            Self::Proxy => f.write_str("proxy"),
        }
    }
}

/// Counts of one job, or of the way to the control plane.
pub(super) struct Tally {
    book: Arc<dyn Book>,
    clock: Arc<dyn Clock>,
    object: String,
    rows: Mutex<Rows>,
}

struct Rows {
    /// In the order in which they were contacted first: few, and looked through with each request.
    hosts: Vec<HostRow>,
    sent: Vec<SentRow>,
    refusals: u64,
    recorded: Uptime,
    added: Added,
}

/// What was added since the last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Added {
    Nothing,
    /// Only what goes on and on.
    Steady,
    Something,
}

/// A host, with what was added to it.
struct HostRow {
    /// As the step wrote it; empty for those beyond the bound, together.
    host: String,
    port: u16,
    why: Why,
    /// The row of the proxy on the way.
    by: Option<usize>,
    added: HostCount,
}

struct SentRow {
    kind: DataKind,
    added: SentCount,
}

impl Tally {
    /// Of nothing yet. Recorded as being about `object`.
    pub(super) fn new(book: Arc<dyn Book>, clock: Arc<dyn Clock>, object: String) -> Arc<Self> {
        let recorded = clock.uptime();
        Arc::new(Self {
            book,
            clock,
            object,
            rows: Mutex::new(Rows {
                hosts: Vec::new(),
                sent: Vec::new(),
                refusals: 0,
                recorded,
                added: Added::Nothing,
            }),
        })
    }

    /// Counts something of a host, and of the proxy by which it is reached. `proxy` is asked when the host is new; `steady` says that what is
    /// counted goes on and on.
    pub(super) fn contact<'p>(
        &self,
        (host, port, why): (&str, u16, Why),
        proxy: impl FnOnce() -> Option<&'p ProxyUrl>,
        steady: bool,
        change: impl Fn(&mut HostCount),
    ) {
        let now = self.clock.now().as_millisecond();
        let mut rows = self.rows();
        let known = rows.hosts.len();
        let index = rows.find(host, port, why).unwrap_or_else(|| {
            let full = rows.named() >= HOSTS;
            if full {
                let counted_elsewhere = HostCount::none(authority(host, port), why, now);
                self.book.name_host(&self.object, &counted_elsewhere);
            }
            let place = if full { ("", 0) } else { (host, port) };
            rows.find(place.0, place.1, why)
                .unwrap_or_else(|| rows.begin(place, why, proxy(), now))
        });
        let by = rows.hosts.get(index).and_then(|row| row.by);
        for index in [Some(index), by].into_iter().flatten() {
            if let Some(row) = rows.hosts.get_mut(index) {
                row.added.last_ms = now;
                change(&mut row.added);
            }
        }
        if rows.hosts.len() > known {
            let new: Vec<HostCount> = rows.hosts.iter_mut().skip(known).map(HostRow::take).collect();
            self.book.record_hosts(&self.object, &new, 0);
            return;
        }
        let added = if steady { Added::Steady } else { Added::Something };
        rows.added = rows.added.max(added);
    }

    /// Counts what was sent.
    pub(super) fn sent(&self, to: &str, kind: DataKind, count: usize, bytes: usize) {
        let now = self.clock.now().as_millisecond();
        let mut rows = self.rows();
        let known = rows
            .sent
            .iter()
            .position(|row| row.kind == kind && row.added.to == to);
        let index = known.unwrap_or_else(|| {
            rows.sent.push(SentRow {
                kind,
                added: SentCount {
                    kind: kind.name().to_owned(),
                    to: to.to_owned(),
                    count: 0,
                    bytes: 0,
                    first_ms: now,
                    last_ms: now,
                },
            });
            rows.sent.len() - 1
        });
        let Some(row) = rows.sent.get_mut(index) else {
            return;
        };
        row.added.count += count as u64;
        row.added.bytes += bytes as u64;
        row.added.last_ms = now;
        if known.is_none() {
            let first = row.take();
            self.book.record_sent(&self.object, &[first]);
            return;
        }
        let added = if kind.is_steady() {
            Added::Steady
        } else {
            Added::Something
        };
        rows.added = rows.added.max(added);
    }

    /// Counts a refusal.
    pub(super) fn refused(&self) {
        let mut rows = self.rows();
        rows.refusals += 1;
        rows.added = Added::Something;
    }

    /// Records what was added, if it is time.
    pub(super) fn record_due(&self, now: Uptime) {
        let mut rows = self.rows();
        let every = match rows.added {
            Added::Nothing => return,
            Added::Steady => STEADY_EVERY,
            Added::Something => EVERY,
        };
        if now.since(rows.recorded) >= every {
            rows.recorded = now;
            self.record_added(&mut rows);
        }
    }

    /// Records what was added, whether or not it is time.
    pub(super) fn record_now(&self) {
        self.record_added(&mut self.rows());
    }

    fn record_added(&self, rows: &mut Rows) {
        let hosts = rows.hosts.iter_mut().filter(|row| row.is_added());
        let hosts: Vec<HostCount> = hosts.map(HostRow::take).collect();
        let sent = rows
            .sent
            .iter_mut()
            .filter(|row| row.added.count + row.added.bytes > 0);
        let sent: Vec<SentCount> = sent.map(SentRow::take).collect();
        let refusals = std::mem::take(&mut rows.refusals);
        rows.added = Added::Nothing;
        if !hosts.is_empty() || refusals > 0 {
            self.book.record_hosts(&self.object, &hosts, refusals);
        }
        if !sent.is_empty() {
            self.book.record_sent(&self.object, &sent);
        }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let mut rows = self.rows();
        self.record_added(&mut rows);
    }
}

impl Rows {
    fn find(&self, host: &str, port: u16, why: Why) -> Option<usize> {
        let mut each = self.hosts.iter();
        each.position(|row| (&*row.host, row.port, row.why) == (host, port, why))
    }

    /// How many have a name of their own. Proxies are few, and always have one.
    fn named(&self) -> usize {
        let named = |row: &&HostRow| !row.host.is_empty() && row.why != Why::Proxy;
        self.hosts.iter().filter(named).count()
    }

    fn begin(&mut self, (host, port): (&str, u16), why: Why, proxy: Option<&ProxyUrl>, now: i64) -> usize {
        let by = proxy.map(|proxy| {
            let known = self.find(&proxy.host, proxy.port, Why::Proxy);
            known.unwrap_or_else(|| self.begin((&proxy.host, proxy.port), Why::Proxy, None, now))
        });
        let name = if host.is_empty() {
            "others".to_owned()
        } else {
            authority(host, port)
        };
        self.hosts.push(HostRow {
            host: host.to_owned(),
            port,
            why,
            by,
            added: HostCount {
                by: proxy.map(|proxy| authority(&proxy.host, proxy.port)),
                ..HostCount::none(name, why, now)
            },
        });
        self.hosts.len() - 1
    }
}

impl HostRow {
    fn is_added(&self) -> bool {
        self.added.requests + self.added.bytes_received + self.added.bytes_sent > 0
    }

    /// What was added; from now on it is counted anew.
    fn take(&mut self) -> HostCount {
        let added = self.added.clone();
        self.added.requests = 0;
        self.added.bytes_received = 0;
        self.added.bytes_sent = 0;
        self.added.first_ms = added.last_ms;
        added
    }
}

impl SentRow {
    fn take(&mut self) -> SentCount {
        let added = self.added.clone();
        (self.added.count, self.added.bytes) = (0, 0);
        self.added.first_ms = added.last_ms;
        added
    }
}

/// Host and port, as they are shown; an IPv6 address in brackets.
pub(super) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
