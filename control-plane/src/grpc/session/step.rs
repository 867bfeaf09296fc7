//! What goes into the session's state machine, and what comes out.

use std::time::Duration;

use portolan_proto::convert::FieldError;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_shared::model::{AttemptRef, Diagnosis, Finding, ProbeId, Reason, RunProgress};
use portolan_store::Lease;

use super::inbound::{Hello, Inbound};

/// What happens to a session.
#[derive(Debug)]
pub(super) enum Event {
    /// A message came: its number, its size, and what it says.
    Message {
        seq: u64,
        size: usize,
        message: Result<Inbound, FieldError>,
    },
    /// The sensor ended its half of the stream.
    Closed,
    /// The session was opened, and these attempts were carried over to it.
    Opened {
        epoch: u64,
        kept: Vec<AttemptRef>,
        server_time_ms: i64,
        spread: Duration,
    },
    /// The session may not be opened.
    Refused {
        reason: Reason,
        retry_after: Option<Duration>,
    },
    /// Leases were renewed; those in `asked` that are not in `held` are lost.
    Renewed {
        counter: u64,
        asked: Vec<AttemptRef>,
        held: Vec<AttemptRef>,
        server_time_ms: i64,
    },
    /// A lease for this sensor.
    Offer(Box<Lease>),
    /// An attempt must stop.
    Cancel(AttemptRef, Reason),
    /// An attempt has closed its run.
    Ended(AttemptRef),
    /// A probe for this sensor.
    Probe(Box<v1::ProbeOffer>),
    /// The control plane stops.
    Drain(Duration),
    /// The session must end.
    End(Reason),
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Action {
    /// Send this.
    Send(Body),
    /// Ask the store for a session.
    Open(Box<Hello>),
    /// Ask the store to prolong leases.
    Renew { counter: u64, attempts: Vec<AttemptRef> },
    /// Write how far an attempt is.
    Progress(AttemptRef, RunProgress),
    /// Store what a probe saw.
    Probed(ProbeId, Box<Diagnosis>),
    /// Put back a lease that was not taken up.
    Return(AttemptRef),
    /// End an attempt that failed, to be tried again or not.
    Fail {
        attempt: AttemptRef,
        finding: Finding,
        again: bool,
    },
    /// End the stream, with this reason unless it ended well.
    Close(Option<Reason>),
}
