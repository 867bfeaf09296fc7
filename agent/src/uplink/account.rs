//! What kinds of data messages and requests are, for the account of what left this machine.
//!
//! Here every message has its kinds: one that is added to the protocol does not compile before it has, and a request that has none counts as
//! [`DataKind::Other`], which a test forbids.

use http::Request;
use http_body_util::BodyExt as _;
use portolan_proto::v1;
use portolan_proto::v1::sensor_message::Body as Up;
use prost::Message as _;
use tonic::body::Body;

use crate::audit::{DataKind, Line};

/// Counts a request, and what it carries where that is of one kind.
pub(super) fn counted(line: &Line, request: Request<Body>) -> Request<Body> {
    line.asked();
    let Some(kind) = kind_of_request(request.uri().path()) else {
        return request;
    };
    // At once: whoever is killed meanwhile has said so. Its bytes as they leave.
    line.sent(kind, 1, 0);
    let line = line.clone();
    request.map(|body| {
        Body::new(body.map_frame(move |frame| {
            if let Some(data) = frame.data_ref() {
                line.sent(kind, 0, data.len());
            }
            frame
        }))
    })
}

/// Counts a message of the session.
pub(super) fn count_message(line: &Line, body: &Up) {
    for (kind, bytes) in kinds_of_message(body) {
        line.sent(kind, 1, bytes);
    }
}

/// The kind of what a request carries; none if that is counted message by message, or by the job that sends it.
fn kind_of_request(path: &str) -> Option<DataKind> {
    let call = path.strip_prefix("/portolan.sensor.v1.").unwrap_or(path);
    match call {
        "Session/Open" => None,
        "Upload/PendingRepositories"
        | "Upload/OfferRepositories"
        | "Upload/OfferDigests"
        | "Upload/PutContent"
        | "Upload/CommitRepository"
        | "Upload/ReportCoverage"
        | "Upload/CloseRun" => None,
        "Enrolment/Enrol" => Some(DataKind::EnrolmentRequests),
        "Enrolment/Challenge" | "Enrolment/WhoAmI" => Some(DataKind::IdentityProofs),
        "Enrolment/Recover" | "Session/Renew" => Some(DataKind::CertificateRequests),
        "Sealing/PublishKey" | "Sealing/OutdatedWraps" => Some(DataKind::SealingKeys),
        "Sealing/Rewrap" => Some(DataKind::SealedCredentials),
        _ => Some(DataKind::Other),
    }
}

/// What a message holds, with the bytes of each.
fn kinds_of_message(body: &Up) -> Vec<(DataKind, usize)> {
    let finding = |finding: &Option<v1::Finding>| finding.as_ref().map_or(0, v1::Finding::encoded_len);
    let (kind, bytes, mut within) = match body {
        Up::Hello(hello) => (
            DataKind::SessionOpenings,
            hello.encoded_len(),
            vec![
                (
                    DataKind::MachineFacts,
                    hello.host.as_ref().map_or(0, v1::HostFacts::encoded_len)
                        + hello.boot_id.len()
                        + hello.machine_fingerprint.len(),
                ),
                (
                    DataKind::PolicySummary,
                    hello.policy_hash.len() + hello.policy_summary.len(),
                ),
                (DataKind::ContinuityTokens, hello.continuity_token.len()),
            ],
        ),
        Up::Heartbeat(heartbeat) => (
            DataKind::Heartbeats,
            heartbeat.encoded_len(),
            vec![(
                DataKind::AuditHeads,
                heartbeat.audit.as_ref().map_or(0, v1::AuditState::encoded_len)
                    + heartbeat
                        .audit_leads
                        .as_ref()
                        .map_or(0, v1::AuditLeads::encoded_len),
            )],
        ),
        Up::JobAccept(accept) => (DataKind::JobAnswers, accept.encoded_len(), Vec::new()),
        Up::JobReject(reject) => (
            DataKind::JobAnswers,
            reject.encoded_len(),
            vec![(DataKind::Findings, finding(&reject.finding))],
        ),
        Up::JobDone(done) => (
            DataKind::JobAnswers,
            done.encoded_len(),
            vec![(DataKind::Findings, finding(&done.finding))],
        ),
        Up::JobProgress(progress) => (DataKind::Progress, progress.encoded_len(), Vec::new()),
        Up::ProbeReport(report) => (DataKind::ProbeReports, report.encoded_len(), Vec::new()),
        Up::ContinuityAck(ack) => (DataKind::ContinuityTokens, ack.encoded_len(), Vec::new()),
        Up::PushEvents(events) => (DataKind::PushEvents, events.encoded_len(), Vec::new()),
        Up::TrustBundleAck(ack) => (DataKind::Acknowledgements, ack.encoded_len(), Vec::new()),
        Up::PresenceReply(reply) => (DataKind::Acknowledgements, reply.encoded_len(), Vec::new()),
        Up::Goodbye(goodbye) => (DataKind::Acknowledgements, goodbye.encoded_len(), Vec::new()),
    };
    within.retain(|(_, bytes)| *bytes > 0);
    let inner: usize = within.iter().map(|(_, bytes)| bytes).sum();
    let mut kinds = vec![(kind, bytes.saturating_sub(inner))];
    kinds.append(&mut within);
    kinds
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Every request that the protocol has, by its path.
    fn requests() -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/portolan/sensor/v1");
        let mut paths = Vec::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let mut service = String::new();
            for line in text.lines() {
                let mut words = line.split_whitespace();
                match (words.next(), words.next()) {
                    (Some("service"), Some(name)) => name.clone_into(&mut service),
                    (Some("rpc"), Some(call)) => {
                        let call = call.split('(').next().unwrap();
                        paths.push(format!("/portolan.sensor.v1.{service}/{call}"));
                    }
                    _ => {}
                }
            }
        }
        paths
    }

    #[test]
    fn every_request_of_the_protocol_has_a_kind() {
        let requests = requests();
        assert!(requests.len() >= 15, "{requests:?}");
        for path in requests {
            assert_ne!(kind_of_request(&path), Some(DataKind::Other), "{path}");
        }
        assert_eq!(kind_of_request("/new.Service/Call"), Some(DataKind::Other));
    }

    #[test]
    fn what_a_message_holds_is_told_by_kind_and_counted_once() {
        let hello = v1::Hello {
            host: Some(v1::HostFacts {
                hostname: "build-7".into(),
                ..v1::HostFacts::default()
            }),
            boot_id: "boot".into(),
            policy_hash: vec![1; 32].into(),
            policy_summary: "allows 1".into(),
            continuity_token: vec![2; 32].into(),
            ..v1::Hello::default()
        };
        let total = hello.encoded_len();
        let kinds = kinds_of_message(&Up::Hello(hello));
        let names: Vec<&str> = kinds.iter().map(|(kind, _)| kind.name()).collect();
        assert_eq!(
            names,
            [
                "session openings",
                "machine facts",
                "policy summary",
                "continuity tokens"
            ]
        );
        assert_eq!(kinds.iter().map(|(_, bytes)| bytes).sum::<usize>(), total);
        let bare = v1::Heartbeat {
            counter: 1,
            ..v1::Heartbeat::default()
        };
        assert_eq!(
            kinds_of_message(&Up::Heartbeat(bare)),
            [(DataKind::Heartbeats, 2)],
            "nothing is told of a log that is not mentioned"
        );
    }
}
