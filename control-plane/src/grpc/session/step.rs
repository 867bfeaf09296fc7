//! What goes into the session's state machine, and what comes out.

use std::time::Duration;

use portolan_proto::convert::FieldError;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_shared::model::{
    AttemptRef, CredentialId, Diagnosis, Finding, ProbeId, Reason, RelayedEvents, RunProgress,
};
use portolan_shared::secret::SecretBytes;
use portolan_store::{ContinuityHash, Lease};

use super::inbound::{Hello, Inbound};

/// What the sensor is told of a session that was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) epoch: u64,
    /// The sensor's.
    pub(super) generation: u64,
    pub(super) kept: Vec<AttemptRef>,
    pub(super) server_time_ms: i64,
    pub(super) spread: Duration,
    /// To be shown with the next session.
    pub(super) continuity_token: SecretBytes,
}

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
    Opened(Opened),
    /// The sensor shows a continuity token that is not good. Is it alive?
    Stale { nonce: [u8; 16] },
    /// Somebody else shows the sensor's identity. Is this one alive?
    AskPresence { nonce: [u8; 16] },
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
    /// A lease for this sensor, and the credential that it takes.
    Offer(Box<Lease>, Option<Box<v1::SealedCredential>>),
    /// An attempt's registry is read with another credential from now on.
    Credential(AttemptRef, Box<v1::CredentialOffer>),
    /// Nothing of a credential may be kept.
    Withdraw(CredentialId),
    /// An attempt must stop.
    Cancel(AttemptRef, Reason),
    /// An attempt has closed its run.
    Ended(AttemptRef),
    /// The push events of a message are durable. The tenant has no registries with these names, or not for this sensor.
    EventsTaken { number: u64, unknown: Vec<String> },
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
#[expect(
    clippy::large_enum_variant,
    reason = "each is carried out as soon as it is made; none is kept"
)]
pub(super) enum Action {
    /// Send this.
    Send(Body),
    /// Ask the store for a session.
    Open(Box<Hello>),
    /// Ask the store to prolong leases.
    Renew { counter: u64, attempts: Vec<AttemptRef> },
    /// Write how far an attempt is.
    Progress(AttemptRef, RunProgress),
    /// Take push events.
    Events(Box<RelayedEvents>),
    /// Store what a probe saw.
    Probed(ProbeId, Box<Diagnosis>),
    /// Note that the continuity token is stored.
    Stored(ContinuityHash),
    /// The sensor answered: it is alive. Those who wanted to know when it was asked may be told so.
    Present,
    /// Whoever was asked whether it is alive, because its hello does not fit, has not answered.
    Unanswered,
    /// It is alive, and its state is not that of the last session: the identity is in two places.
    Conflict,
    /// Put back a lease that was not taken up.
    Return(AttemptRef),
    /// End an attempt that failed, to be tried again or not. The reason is the sensor's.
    Fail {
        attempt: AttemptRef,
        reason: Reason,
        finding: Finding,
        again: bool,
    },
    /// End the stream, with this reason unless it ended well.
    Close(Option<Reason>),
}
