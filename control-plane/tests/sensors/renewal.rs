//! New certificates.

use std::sync::Arc;

use portolan_proto::v1;
use portolan_proto::v1::session_client::SessionClient;
use portolan_shared::model::Reason;
use rustls_pki_types::CertificateDer;

use crate::scene::{Scene, reason};
use crate::sensor::{Keys, Sensor, csr};
use crate::session::{hello, open};

async fn renew(
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
    })
}

#[tokio::test]
async fn t18_the_old_certificate_works_until_the_new_one_is_used() {
    let scene = Scene::new().await;
    let old = Sensor::enrol(&scene, "berlin").await;
    let mut client = old.session(&scene).await;
    let lost = renew(&mut client, &old).await.unwrap();
    let new = renew(&mut client, &old).await.unwrap();
    open(&scene, &old).await.hello(hello(&[])).await;
    let mut current = open(&scene, &new).await;
    current.hello(hello(&[])).await;
    let refused = old.can_call(&scene).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::CertificateNotCurrent, "in the session");
    drop(current);
    for voided in [&old, &lost] {
        let mut session = open(&scene, voided).await;
        session.send(v1::sensor_message::Body::Hello(hello(&[]))).await;
        assert_eq!(session.end().await, Some(Reason::CertificateNotCurrent));
        let refused = voided.can_call(&scene).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::CertificateNotCurrent, "uploads");
        let refused = renew(&mut voided.session(&scene).await, voided).await;
        assert_eq!(reason(&refused.err().unwrap()), Reason::CertificateNotCurrent);
    }
    new.can_call(&scene).await.unwrap();
    renew(&mut new.session(&scene).await, &new).await.unwrap();
}

#[tokio::test]
async fn a_sensor_renews_six_times_an_hour_at_most() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut client = sensor.session(&scene).await;
    for _ in 0..6 {
        renew(&mut client, &sensor).await.unwrap();
    }
    let refused = renew(&mut client, &sensor).await.err().unwrap();
    assert_eq!(reason(&refused), Reason::Overloaded);
}
