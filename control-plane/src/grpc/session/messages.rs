//! Messages to a sensor. Those that carry the time get it when they are sent.

use std::time::Duration;

use portolan_proto::convert::target_to_wire;
use portolan_proto::v1::control_message::Body;
use portolan_proto::{PROTOCOL, v1};
use portolan_shared::model::{AttemptRef, CredentialId, Reason, TagReference, limits};
use portolan_store::{Lease, NewProbe};

/// Here is work, and the credential that it takes. A sensor that does not know what a single tag is reads their repositories whole.
pub(super) fn offer(
    lease: &Lease,
    knows_references: bool,
    credential: Option<Box<v1::SealedCredential>>,
) -> v1::JobOffer {
    let mut repositories: Vec<_> = lease.scope.repositories.iter().map(ToString::to_string).collect();
    let mut references = Vec::new();
    if knows_references {
        references.extend(lease.scope.references.iter().map(reference));
    } else {
        repositories.extend(
            lease
                .scope
                .references
                .iter()
                .map(|tag| tag.repository.to_string()),
        );
        repositories.dedup();
    }
    let sync = v1::SyncJob {
        repositories,
        references,
    };
    v1::JobOffer {
        attempt: Some(lease.attempt.into()),
        lease_ms: millis(Duration::from_secs(limits::LEASE_SECONDS)),
        registry: Some(target_to_wire(&lease.target)),
        resumed: lease.resumed,
        look: lease.look && knows_references,
        credential: credential.map(|credential| *credential),
        job: Some(v1::job_offer::Job::Sync(sync)),
    }
}

fn reference(reference: &TagReference) -> v1::TagReference {
    v1::TagReference {
        repository: reference.repository.to_string(),
        tag: reference.tag.to_string(),
    }
}

/// Look at this registry; somebody waits for the report for as long as `left`.
pub(super) fn probe(probe: &NewProbe, left: Duration) -> v1::ProbeOffer {
    v1::ProbeOffer {
        probe_id: probe.id.as_bytes().to_vec().into(),
        registry: Some(target_to_wire(&probe.target)),
        repository: probe
            .repository
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        seconds_left: u32::try_from(left.as_secs()).unwrap_or(u32::MAX),
        credential: None,
    }
}

/// This attempt must stop.
pub(super) fn cancel(attempt: AttemptRef, reason: Reason) -> Body {
    Body::JobCancel(v1::JobCancel {
        attempt: Some(attempt.into()),
        reason: v1::Reason::from(reason).into(),
    })
}

/// Nothing of this credential may be kept.
pub(super) fn withdrawal(credential: CredentialId) -> Body {
    Body::CredentialWithdrawal(v1::CredentialWithdrawal {
        credential_ids: vec![credential.as_bytes().to_vec().into()],
    })
}

/// Is anybody there?
pub(super) fn presence(nonce: [u8; 16]) -> Body {
    Body::PresenceAsk(v1::PresenceAsk {
        nonce: nonce.to_vec().into(),
    })
}

/// The session is over.
pub(super) fn goodbye(reason: Reason) -> Body {
    Body::Goodbye(v1::Goodbye {
        reason: v1::Reason::from(reason).into(),
        retry_after_ms: 0,
        server_time_ms: 0,
    })
}

/// There will be no session.
pub(super) fn refuse(reason: Reason, retry_after: Option<Duration>) -> Body {
    Body::Refuse(v1::Refuse {
        reason: v1::Reason::from(reason).into(),
        retry_after_ms: retry_after.map_or(0, millis),
        supported: Some(v1::VersionRange {
            min: PROTOCOL,
            max: PROTOCOL,
        }),
        server_time_ms: 0,
        text: String::new(),
    })
}

/// A span as messages carry it.
pub(super) fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}
