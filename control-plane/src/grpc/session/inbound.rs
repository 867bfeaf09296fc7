//! What a sensor says on its session stream, checked.

use portolan_proto::convert::{self, FieldError};
use portolan_proto::v1;
use portolan_proto::v1::sensor_message::Body;
use portolan_shared::model::{
    AttemptRef, Diagnosis, Finding, FindingCode, HostFacts, ProbeId, Reason, RelayedEvents, RunProgress,
    limits, printable,
};
use portolan_store::ContinuityHash;

/// Longest policy summary that is kept, in bytes: cut above.
const SUMMARY_BYTES: usize = 1_024;
/// Longest boot id that is kept, in bytes: cut above.
const BOOT_ID_BYTES: usize = 64;
/// Longest address of a notify listener that is kept, in bytes: cut above.
const NOTIFY_URL_BYTES: usize = 512;

/// A message from a sensor.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Inbound {
    Hello(Box<Hello>),
    Heartbeat {
        counter: u64,
        running: Vec<AttemptRef>,
    },
    Accept(AttemptRef),
    Reject(Ending),
    Progress(AttemptRef, RunProgress),
    Done(Ending),
    Probed(ProbeId, Box<Diagnosis>),
    /// The continuity token with this hash is on the sensor's disk.
    Stored(ContinuityHash),
    /// The answer to a question whether anybody is there.
    Present([u8; 16]),
    /// Push events that it was told of.
    Events(Box<RelayedEvents>),
    TrustBundleAck,
    Goodbye,
}

/// The first message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hello {
    pub(super) protocol: (u32, u32),
    pub(super) capabilities: Vec<String>,
    pub(super) host: HostFacts,
    pub(super) running: Vec<AttemptRef>,
    pub(super) policy_hash: Option<[u8; 32]>,
    pub(super) policy_summary: String,
    pub(super) wall_clock_ms: i64,
    pub(super) job_slots: u32,
    /// Tells starts of the agent apart.
    pub(super) instance_nonce: [u8; 16],
    /// The session that this one takes over from; 0 if none.
    pub(super) replaces_epoch: u64,
    /// Of the continuity token that it shows.
    pub(super) shown: Option<ContinuityHash>,
    pub(super) fingerprint: Option<[u8; 16]>,
    pub(super) boot_id: String,
    pub(super) incarnation: u64,
    /// Where registries of its network can notify it.
    pub(super) notify_url: Option<String>,
}

/// An attempt that was refused or has ended on the sensor.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ending {
    pub(super) attempt: AttemptRef,
    pub(super) reason: Reason,
    pub(super) finding: Option<Finding>,
}

impl Ending {
    /// What the sensor says of it, or else what follows from the reason.
    pub(super) fn into_finding(self) -> Finding {
        self.finding.unwrap_or_else(|| {
            let code = match self.reason {
                Reason::Policy => FindingCode::PolicyRefused,
                Reason::CredentialRefused => FindingCode::CredentialRefused,
                _ => FindingCode::Internal,
            };
            Finding::new(code, self.reason.as_str())
        })
    }
}

/// Most capabilities in a hello: a violation above.
const CAPABILITIES: usize = 64;

/// Checks a message: its number, and what it says.
pub(super) fn check(message: &v1::SensorMessage) -> Result<Inbound, FieldError> {
    let body = message.body.as_ref().ok_or(FieldError::missing("body"))?;
    Ok(match body {
        Body::Hello(hello) => Inbound::Hello(Box::new(check_hello(hello)?)),
        Body::Heartbeat(heartbeat) => Inbound::Heartbeat {
            counter: heartbeat.counter,
            running: running("heartbeat.running", &heartbeat.running)?,
        },
        Body::JobAccept(accept) => Inbound::Accept(attempt(accept.attempt.as_ref())?),
        Body::JobReject(reject) => Inbound::Reject(Ending {
            attempt: attempt(reject.attempt.as_ref())?,
            reason: reason(reject.reason()),
            finding: convert::optional_finding(reject.finding.as_ref()),
        }),
        Body::JobProgress(progress) => {
            Inbound::Progress(attempt(progress.attempt.as_ref())?, convert::progress(progress))
        }
        Body::JobDone(done) => Inbound::Done(Ending {
            attempt: attempt(done.attempt.as_ref())?,
            reason: reason(done.reason()),
            finding: convert::optional_finding(done.finding.as_ref()),
        }),
        Body::ProbeReport(report) => {
            let (probe, diagnosis) = convert::probe_report(report)?;
            Inbound::Probed(probe, Box::new(diagnosis))
        }
        Body::TrustBundleAck(_) => Inbound::TrustBundleAck,
        Body::Goodbye(_) => Inbound::Goodbye,
        Body::ContinuityAck(ack) => Inbound::Stored(ContinuityHash(array(
            "continuity_ack.token_sha256",
            &ack.token_sha256,
        )?)),
        Body::PushEvents(events) => Inbound::Events(Box::new(convert::relayed(events)?)),
        Body::PresenceReply(reply) => Inbound::Present(array("presence_reply.nonce", &reply.nonce)?),
    })
}

fn check_hello(hello: &v1::Hello) -> Result<Hello, FieldError> {
    let policy_hash = match hello.policy_hash.as_ref() {
        [] => None,
        bytes => Some(array("hello.policy_hash", bytes)?),
    };
    if hello.capabilities.len() > CAPABILITIES {
        return Err(FieldError::new("hello.capabilities", "are too many"));
    }
    let shown = match hello.continuity_token.as_ref() {
        [] => None,
        token => Some(ContinuityHash::of(&array::<32>("hello.continuity_token", token)?)),
    };
    let fingerprint = match hello.machine_fingerprint.as_ref() {
        [] => None,
        bytes => Some(array("hello.machine_fingerprint", bytes)?),
    };
    Ok(Hello {
        shown,
        fingerprint,
        boot_id: printable(&hello.boot_id, BOOT_ID_BYTES),
        incarnation: hello.incarnation,
        instance_nonce: array("hello.instance_nonce", &hello.instance_nonce)?,
        replaces_epoch: hello.replaces_epoch,
        protocol: convert::range(hello.protocol.as_ref())?,
        capabilities: hello.capabilities.clone(),
        host: hello.host.as_ref().map(HostFacts::from).unwrap_or_default(),
        running: running("hello.running", &hello.running)?,
        policy_hash,
        policy_summary: printable(&hello.policy_summary, SUMMARY_BYTES),
        notify_url: Some(printable(&hello.notify_url, NOTIFY_URL_BYTES)).filter(|url| !url.is_empty()),
        wall_clock_ms: hello.wall_clock_ms,
        job_slots: hello
            .job_slots
            .min(u32::try_from(limits::RUNNING_ATTEMPTS).unwrap_or(u32::MAX)),
    })
}

fn running(field: &'static str, wire: &[v1::RunningAttempt]) -> Result<Vec<AttemptRef>, FieldError> {
    if wire.len() > limits::RUNNING_ATTEMPTS {
        return Err(FieldError::new(field, "are too many"));
    }
    wire.iter()
        .map(|running| attempt(running.attempt.as_ref()))
        .collect()
}

fn array<const N: usize>(field: &'static str, wire: &[u8]) -> Result<[u8; N], FieldError> {
    wire.try_into()
        .map_err(|_| FieldError::new(field, format!("must have {N} bytes")))
}

fn attempt(wire: Option<&v1::AttemptRef>) -> Result<AttemptRef, FieldError> {
    wire.ok_or(FieldError::missing("attempt"))?.try_into()
}

/// A reason that this build does not know is one that it can do nothing about.
fn reason(wire: v1::Reason) -> Reason {
    Reason::try_from(wire).unwrap_or(Reason::Internal)
}
