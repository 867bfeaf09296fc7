//! New certificates.

use std::sync::Arc;

use portolan_proto::v1;
use portolan_proto::v1::session_client::SessionClient;
use portolan_shared::audit::{ChainOwner, ChainVerifier};
use portolan_shared::model::Reason;
use portolan_store::AuditSeverity;
use rustls_pki_types::CertificateDer;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::recovery::recover;
use crate::scene::{Scene, reason};
use crate::sensor::{Keys, Sensor, csr};
use crate::session::{hello, open};

/// Asks for another certificate, over any connection of a sensor that has a session.
pub(crate) async fn renew(
    client: &mut SessionClient<tonic::transport::Channel>,
    old: &Sensor,
) -> Result<Sensor, tonic::Status> {
    let keys = Keys::new();
    let request = v1::RenewRequest {
        csr_der: csr(&keys.tls).into(),
    };
    let bundle = client.renew(request).await?.into_inner();
    let chain = bundle.chain_der.iter();
    Ok(Sensor {
        id: old.id,
        tenant: old.tenant,
        keys: Arc::new(keys),
        chain: chain.map(|der| CertificateDer::from(der.to_vec())).collect(),
        roots: old.roots.clone(),
        past: Arc::clone(&old.past),
    })
}

#[tokio::test]
async fn t18_the_old_certificate_works_until_the_new_one_is_used() {
    let scene = Scene::new().await;
    let old = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &old).await;
    session.hello(hello(&[])).await;
    let mut client = old.session(&scene).await;
    let lost = renew(&mut client, &old).await.unwrap();
    let new = renew(&mut client, &old).await.unwrap();
    let mut current = open(&scene, &new).await;
    current.hello(hello(&[])).await;
    let refused = old.can_call(&scene).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::CertificateNotCurrent, "in the session");
    drop(current);
    for voided in [&old, &lost] {
        let (_sent, messages) = mpsc::channel::<v1::SensorMessage>(1);
        let mut client = voided.session(&scene).await;
        let refused = client.open(ReceiverStream::new(messages)).await.err().unwrap();
        assert_eq!(
            reason(&refused),
            Reason::CertificateNotCurrent,
            "before any hello"
        );
        let refused = voided.can_call(&scene).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::CertificateNotCurrent, "uploads");
        let refused = renew(&mut voided.session(&scene).await, voided).await;
        assert_eq!(reason(&refused.err().unwrap()), Reason::CertificateNotCurrent);
    }
    new.can_call(&scene).await.unwrap();
    let mut current = open(&scene, &new).await;
    current.hello(hello(&[])).await;
    renew(&mut new.session(&scene).await, &new).await.unwrap();
}

#[tokio::test]
async fn a_sensor_renews_six_times_an_hour_at_most() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    let mut client = sensor.session(&scene).await;
    for _ in 0..6 {
        renew(&mut client, &sensor).await.unwrap();
    }
    let refused = renew(&mut client, &sensor).await.err().unwrap();
    assert_eq!(reason(&refused), Reason::Overloaded);
}

#[tokio::test]
async fn a_renewal_goes_with_a_session_and_leaves_its_address() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut client = sensor.session(&scene).await;
    let refused = renew(&mut client, &sensor).await.err().unwrap();
    assert_eq!(reason(&refused), Reason::StaleSession, "nobody would see it");

    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    renew(&mut client, &sensor).await.unwrap();
    renew(&mut client, &sensor).await.unwrap();
    let entries = scene.audit().await;
    let renewals = entries.iter().filter(|entry| entry.action == "sensor.renew");
    let told: Vec<_> = renewals
        .map(|entry| {
            assert_eq!(entry.details["source"], "127.0.0.1");
            (
                entry.severity,
                entry.details["replaces_unused"].as_bool().unwrap(),
            )
        })
        .collect();
    let newest_first = [(AuditSeverity::Notice, true), (AuditSeverity::Info, false)];
    assert_eq!(told, newest_first, "the first one was never used");
}

/// The serial number of a sensor's certificate, without leading zeros.
fn serial(sensor: &Sensor) -> String {
    let (_, certificate) = x509_parser::parse_x509_certificate(&sensor.chain[0]).unwrap();
    let digits = data_encoding::HEXLOWER.encode(certificate.raw_serial());
    digits.trim_start_matches('0').to_owned()
}

#[tokio::test]
async fn t47_every_certificate_that_is_issued_stands_in_the_chain_by_its_serial_number() {
    let mut scene = Scene::new().await;
    let first = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &first).await;
    session.hello(hello(&[])).await;
    let second = renew(&mut first.session(&scene).await, &first).await.unwrap();
    drop(session);
    let third = recover(&scene, &first).await.unwrap();
    let fourth = Sensor::enrol(&scene, "munich").await;
    let issued = [
        ("sensor.enrol", &first),
        ("sensor.renew", &second),
        ("sensor.recover", &third),
        ("sensor.enrol", &fourth),
    ];
    // What was to be written has been written.
    scene.restart().await;
    let tenant = first.tenant;
    let records = scene.app().store.audit_range(tenant, 0, 1_000).await.unwrap();
    let head = scene.app().store.audit_head(tenant).await.unwrap();
    let verifier = ChainVerifier::new(ChainOwner::Tenant(tenant));
    let verified = verifier.verify(records.clone());
    assert_eq!(verified.unwrap(), head, "what is looked at is the whole chain");
    let told: Vec<_> = records
        .iter()
        .filter_map(|record| {
            let details: serde_json::Value = serde_json::from_str(&record.record.details).unwrap();
            let serial = details["serial"].as_str()?.to_owned();
            let ends: jiff::Timestamp = details["not_after"].as_str().unwrap().parse().unwrap();
            assert!(ends.as_millisecond() > record.record.at_ms, "{details}");
            Some((record.record.action.clone(), record.record.object.clone(), serial))
        })
        .collect();
    let expected = issued.map(|(action, sensor)| {
        let digits = format!("{:0>32}", serial(sensor));
        (action.to_owned(), format!("sensor:{}", sensor.id), digits)
    });
    assert_eq!(told, expected, "each once, and no other");
}
