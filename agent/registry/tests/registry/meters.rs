//! Bounds that whoever has the gate keeps beside the client's own: places among the requests in flight, and bytes.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portolan_registry::{Access, Fault, Gate, Hop, Pass, Refusal, RegistryClient};
use portolan_shared::model::{FindingCode, ReferenceTarget};
use tokio::sync::Semaphore;

use crate::client::{BASIC, access, login, repository};
use crate::server::{Answer, Server};
use crate::transport::{BLOB, digest};

/// Has one place, and so many bytes.
struct Metered {
    places: Arc<Semaphore>,
    taken: AtomicUsize,
    bytes: AtomicUsize,
    most: usize,
}

impl Metered {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(1)),
            taken: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            most,
        })
    }
}

#[async_trait::async_trait]
impl Gate for Metered {
    async fn ready(&self) {}

    async fn place(&self) -> Pass {
        let place = Arc::clone(&self.places).acquire_owned().await.unwrap();
        self.taken.fetch_add(1, Ordering::SeqCst);
        Pass::of(place)
    }

    fn contacted(&self, _: &Hop<'_>) {}

    fn received(&self, _: &Hop<'_>, bytes: usize) -> Result<(), Refusal> {
        if self.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes > self.most {
            return Err(Refusal::by("test.bytes"));
        }
        Ok(())
    }

    fn check_host(&self, _: &Hop<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn check_address(&self, _: &Hop<'_>, _: IpAddr) -> Result<(), Refusal> {
        Ok(())
    }
}

fn client(server: &Server, gate: &Arc<Metered>) -> RegistryClient {
    RegistryClient::new(Access {
        gate: Arc::clone(gate) as _,
        credentials: Arc::new(login()),
        ..access(&server.url())
    })
    .unwrap()
}

#[tokio::test]
async fn each_attempt_has_one_place_and_gives_it_back() {
    let tries = AtomicUsize::new(0);
    let server = Server::start(
        move |heard| match (heard.path.as_str(), heard.header("authorization")) {
            ("/token", Some(BASIC)) => Answer::json(r#"{"token":"t"}"#),
            (_, Some("Bearer t")) if tries.fetch_add(1, Ordering::SeqCst) == 0 => Answer::status(503),
            (path, Some("Bearer t")) if heard.query.is_empty() => {
                Answer::status(307).with("location", format!("{path}?there=1"))
            }
            (_, Some("Bearer t")) => Answer::status(200).body(BLOB),
            _ => Answer::status(401).with("www-authenticate", "Bearer realm=\"/token\""),
        },
    )
    .await;
    let gate = Metered::new(usize::MAX);
    let client = client(&server, &gate);
    client.get_blob(&repository(), &digest(), 100).await.unwrap();
    // The challenge, the token, the failure, and the redirect with what it leads to: nobody waits for a place while having one.
    assert_eq!(gate.taken.load(Ordering::SeqCst), 4);
    assert_eq!(gate.places.available_permits(), 1);
}

#[tokio::test]
async fn a_body_is_read_no_further_than_the_gate_lets_it() {
    let server = Server::start(|_| Answer::status(200).body(BLOB)).await;
    // With its headers.
    let most = Metered::new(usize::MAX);
    client(&server, &most)
        .get_blob(&repository(), &digest(), 100)
        .await
        .unwrap();
    let all = most.bytes.load(Ordering::SeqCst);
    assert!(all > BLOB.len());
    let enough = Metered::new(all);
    client(&server, &enough)
        .get_blob(&repository(), &digest(), 100)
        .await
        .unwrap();
    let short = Metered::new(all - 1);
    let refused = client(&server, &short)
        .get_blob(&repository(), &digest(), 100)
        .await;
    let error = refused.unwrap_err();
    assert!(
        matches!(error.fault(), Fault::Policy { rule, .. } if rule == "test.bytes"),
        "{error:?}"
    );
    assert_eq!(error.finding().code, FindingCode::PolicyRefused);
    assert!(error.concerns_whole_registry(), "nothing more is asked of it");
    assert_eq!(server.heard().len(), 3, "a refusal is not tried again");
}

#[tokio::test]
async fn t45_answers_without_a_body_are_counted_by_their_headers() {
    const PADDING: usize = 8 * 1024;
    let server = Server::start(|_| Answer::status(404).with("x-padding", "x".repeat(PADDING))).await;
    let gate = Metered::new(3 * PADDING);
    let client = client(&server, &gate);
    let reference = ReferenceTarget::Tag("1".parse().unwrap());
    let mut refused = None;
    for _ in 0..4 {
        if let Err(error) = client.head_manifest(&repository(), &reference, None).await
            && matches!(error.fault(), Fault::Policy { .. })
        {
            refused = Some(error);
        }
    }
    assert!(matches!(refused.unwrap().fault(), Fault::Policy { rule, .. } if rule == "test.bytes"));
    assert!(gate.bytes.load(Ordering::SeqCst) > 3 * PADDING);
}
