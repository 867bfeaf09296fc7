//! What goes to the control plane, whoever sends it.

use std::sync::{Arc, Mutex, PoisonError};

use portolan_shared::process::{Clock, ProxyUrl};

use super::counts::HostCount;
use super::kind::DataKind;
use super::log::AuditLog;
use super::tally::{Book, Tally, Why, authority};

/// The account of what goes to the control plane: its hosts, proxies on the way, and kinds of data.
pub struct Outgoing {
    tally: Arc<Tally>,
    /// Host and port of the last connection: where the results of jobs go.
    last: Mutex<Arc<str>>,
}

impl Outgoing {
    /// Recorded in this log.
    #[must_use]
    pub fn new(log: &Arc<AuditLog>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::of(log.tally(clock, OBJECT.to_owned()))
    }

    /// Recorded elsewhere, and not by the keeper: when it is new, when it is told to, and at the end.
    pub(super) fn in_book(book: Arc<dyn Book>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::of(Tally::new(book, clock, OBJECT.to_owned()))
    }

    fn of(tally: Arc<Tally>) -> Arc<Self> {
        Arc::new(Self {
            tally,
            last: Mutex::new("control plane".into()),
        })
    }

    /// Records what was counted so far: at the end of something that the keeper does not see.
    pub fn record_now(&self) {
        self.tally.record_now();
    }

    /// Somebody connects to this host of the control plane, by this proxy if there is one.
    pub(crate) fn connecting(self: &Arc<Self>, host: &str, port: u16, proxy: Option<&ProxyUrl>) -> Line {
        let to: Arc<str> = authority(host, port).into();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&to);
        let line = Line(Some(OpenLine {
            outgoing: Arc::clone(self),
            host: host.into(),
            port,
            to,
        }));
        // Whether or not it answers: packets are on their way.
        let place = (host, port, Why::ControlPlane);
        self.tally.contact(place, || proxy, false, |_| {});
        line
    }

    /// Host and port of the last connection.
    pub(super) fn last(&self) -> Arc<str> {
        Arc::clone(&self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

const OBJECT: &str = "control plane";

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").finish_non_exhaustive()
    }
}

/// One connection to the control plane, for the account. Nothing is counted on the default one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line(Option<OpenLine>);

#[derive(Debug, Clone)]
struct OpenLine {
    outgoing: Arc<Outgoing>,
    host: Arc<str>,
    port: u16,
    to: Arc<str>,
}

impl Line {
    /// A request is on its way.
    pub(crate) fn asked(&self) {
        self.count(false, |count| count.requests += 1);
    }

    /// So many bytes were written, whatever is in them.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.count(true, |count| count.bytes_sent += bytes as u64);
    }

    /// So many bytes came.
    pub(crate) fn read(&self, bytes: usize) {
        self.count(true, |count| count.bytes_received += bytes as u64);
    }

    /// So much of this kind is on its way.
    pub(crate) fn sent(&self, kind: DataKind, count: usize, bytes: usize) {
        if let Some(line) = &self.0 {
            line.outgoing.tally.sent(&line.to, kind, count, bytes);
        }
    }

    fn count(&self, steady: bool, change: impl Fn(&mut HostCount)) {
        if let Some(line) = &self.0 {
            let place = (&*line.host, line.port, Why::ControlPlane);
            // The proxy is known since the connection was made.
            line.outgoing.tally.contact(place, || None, steady, change);
        }
    }
}

/// What one job or probe sends, for the account.
pub(super) struct Sent {
    tally: Arc<Tally>,
    outgoing: Arc<Outgoing>,
}

impl Sent {
    /// Recorded as being about `object`.
    pub(super) fn new(
        log: &Arc<AuditLog>,
        clock: Arc<dyn Clock>,
        outgoing: Arc<Outgoing>,
        object: String,
    ) -> Self {
        Self {
            tally: log.tally(clock, object),
            outgoing,
        }
    }

    /// So much of this kind is on its way.
    pub(super) fn count(&self, kind: DataKind, count: usize, bytes: usize) {
        if count > 0 {
            self.tally.sent(&self.outgoing.last(), kind, count, bytes);
        }
    }

    /// What was counted without its bytes has so many.
    pub(super) fn add_bytes(&self, kind: DataKind, bytes: usize) {
        self.tally.sent(&self.outgoing.last(), kind, 0, bytes);
    }
}
