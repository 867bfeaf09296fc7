//! Messages that a sensor cannot make anything of.

use std::path::Path;

use portolan_agent::audit::{FOLDER, Read, files_in};
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body as Down;
use portolan_shared::audit::LinkedRecord;
use portolan_shared::model::limits;

use crate::agent::{accepted, offer, run_agent};
use crate::plane::{ControlPlane, DAY, Scripts};

/// What of this kind stands in the log of the machine: object, outcome and details.
fn recorded(data_dir: &Path, action: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for file in files_in(&data_dir.join(FOLDER)) {
        for line in file.lines().unwrap() {
            if let Read::Record(LinkedRecord { record, .. }) = line.unwrap()
                && record.action == action
            {
                found.push((record.object, record.outcome, record.details));
            }
        }
    }
    found
}

#[tokio::test]
async fn t46_a_message_that_is_not_known_changes_nothing_and_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;

    // As a field of a later protocol is read here: as none.
    for _ in 0..100 {
        session.seq += 1;
        let seq = session.seq;
        let unknown = v1::ControlMessage { seq, body: None };
        session.down.send(Ok(unknown)).await.unwrap();
    }
    accepted(&mut session, "h").await;
    let unknown = recorded(folder.path(), "message.unknown");
    assert_eq!(unknown.len(), 64, "however many come");
    let (object, outcome, details) = &unknown[0];
    assert_eq!((&**object, &**outcome), ("session:1", "refused"));
    assert!(details.contains("\"message\":2"), "{details}");

    // One that is larger than any may be is not read, and ends the session.
    let (_, Down::JobOffer(mut oversized)) = offer("h") else {
        panic!("an offer is an offer");
    };
    oversized.registry.as_mut().unwrap().ca_bundle_pem = "x".repeat(limits::SESSION_MESSAGE_BYTES + 1);
    session.say(Down::JobOffer(oversized)).await;
    let mut session = plane.session().await;
    session.welcome(2, true).await;
    let oversized = recorded(folder.path(), "message.oversized");
    assert_eq!(oversized.len(), 1);
    assert_eq!((&*oversized[0].0, &*oversized[0].1), ("session:1", "refused"));
    agent.stop().await;
    // What was counted only is told at the end.
    let withheld = recorded(folder.path(), "records.withheld");
    let of_unknown: Vec<_> = withheld
        .iter()
        .filter(|record| record.0 == "message.unknown")
        .collect();
    assert_eq!(of_unknown.len(), 1);
    assert!(of_unknown[0].2.contains("\"records\":36"), "{}", of_unknown[0].2);
}
