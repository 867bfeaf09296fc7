//! Abuse: names that change their address, realms and storage that are after the login.

use std::sync::Arc;

use portolan_registry::{Access, AnyHost, Fault, RegistryClient};
use portolan_shared::model::{Digest, FindingCode};

use crate::client::{TestGate, TestResolver, access, access_by_name, login, repository};
use crate::server::{Answer, Server};

fn named(url: &str, resolver: TestResolver) -> Access {
    Access {
        resolver: Arc::new(resolver),
        gate: Arc::new(AnyHost),
        ..access(url)
    }
}

async fn refused_rule(access: Access) -> String {
    let error = RegistryClient::new(access).unwrap().ping().await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::AddressRefused, "{error:?}");
    match error.fault() {
        Fault::Address { rule, .. } => rule.clone().into_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn t43_names_that_resolve_to_refused_addresses_are_never_connected_to() {
    let server = Server::start(|_| Answer::json("{}")).await;
    let url = server.url_as("registry.example.com");
    for (addresses, rule) in [
        (&["169.254.169.254"][..], "address.link_local"),
        (&["fe80::1", "fd00:ec2::254"][..], "address.metadata"),
        (&["127.0.0.1"][..], "address.loopback"),
        (&["::ffff:127.0.0.1"][..], "address.loopback"),
        (&["0.0.0.0"][..], "address.unspecified"),
    ] {
        let resolver = TestResolver::default().name("registry.example.com", &[addresses]);
        assert_eq!(refused_rule(named(&url, resolver)).await, rule, "{addresses:?}");
    }
    assert_eq!(server.heard().len(), 0);
}

#[tokio::test]
async fn t43_rebinding_to_a_refused_address_is_refused_at_the_next_connection() {
    let server = Server::start(|_| Answer::json("{}").with("connection", "close")).await;
    // The first look-up gives an address that is allowed here, as a public one would be; the second one the metadata service.
    let resolver =
        TestResolver::default().name("registry.example.com", &[&["127.0.0.1"], &["169.254.169.254"]]);
    let client = RegistryClient::new(Access {
        resolver: Arc::new(resolver),
        ..access_by_name(&server.url_as("registry.example.com"))
    })
    .unwrap();
    client.ping().await.unwrap();
    let error = client.ping().await.unwrap_err();
    assert!(
        matches!(error.fault(), Fault::Address { rule, .. } if rule == "address.link_local"),
        "{error:?}"
    );
    assert_eq!(server.heard().len(), 1);
}

#[tokio::test]
async fn t43_of_several_addresses_only_the_allowed_are_connected_to() {
    let server = Server::start(|_| Answer::json("{}")).await;
    let resolver = TestResolver::default().name("registry.example.com", &[&["169.254.169.254", "127.0.0.1"]]);
    let client = RegistryClient::new(Access {
        resolver: Arc::new(resolver),
        ..access_by_name(&server.url_as("registry.example.com"))
    })
    .unwrap();
    client.ping().await.unwrap();
}

#[tokio::test]
async fn t43_redirects_to_refused_addresses_are_refused() {
    for (location, rule) in [
        ("http://169.254.169.254/latest/meta-data/", "address.link_local"),
        ("http://[::ffff:a9fe:a9fe]/", "address.link_local"),
        ("http://2852039166/", "address.link_local"),
        ("http://0xa9.0xfe.0xa9.0xfe/", "address.link_local"),
        ("http://[fd00:ec2::254]/", "address.metadata"),
        ("http://rebound.example.net/", "address.link_local"),
        ("http://127.0.0.1:1/", "address.loopback"),
        ("http://localhost:1/", "address.loopback"),
    ] {
        let server = Server::start(move |_| Answer::status(307).with("location", location)).await;
        let resolver = TestResolver::default().name("rebound.example.net", &[&["169.254.169.254"]]);
        // Loopback is allowed for the registry alone.
        let client = RegistryClient::new(Access {
            resolver: Arc::new(resolver),
            gate: Arc::new(LoopbackRegistry),
            ..access(&server.url_as("registry.example.com"))
        })
        .unwrap();
        let error = client.ping().await.unwrap_err();
        assert!(
            matches!(error.fault(), Fault::Address { rule: found, .. } if found == rule),
            "{location}: {error:?}"
        );
        assert_eq!(server.heard().len(), 1, "{location}");
    }
}

/// Allows loopback for the registry and for nothing else.
struct LoopbackRegistry;

#[async_trait::async_trait]
impl portolan_registry::Gate for LoopbackRegistry {
    async fn ready(&self) {}

    async fn place(&self) -> portolan_registry::Pass {
        portolan_registry::Pass::default()
    }

    fn contacted(&self, _: &portolan_registry::Hop<'_>) {}

    fn received(&self, _: &portolan_registry::Hop<'_>, _: usize) -> Result<(), portolan_registry::Refusal> {
        Ok(())
    }

    fn check_host(&self, _: &portolan_registry::Hop<'_>) -> Result<(), portolan_registry::Refusal> {
        Ok(())
    }

    fn check_address(
        &self,
        _: &portolan_registry::Hop<'_>,
        _: std::net::IpAddr,
    ) -> Result<(), portolan_registry::Refusal> {
        Ok(())
    }

    fn allows_loopback(&self, hop: &portolan_registry::Hop<'_>) -> bool {
        hop.purpose == portolan_registry::Purpose::Registry
    }
}

#[tokio::test]
async fn t43_the_sixth_redirect_is_refused() {
    for (redirects, followed) in [(5, true), (6, false)] {
        let server = Server::start(move |heard| {
            let hop: usize = heard.parameter("hop").map_or(0, |hop| hop.parse().unwrap());
            if hop < redirects {
                Answer::status(307).with("location", format!("?hop={}", hop + 1))
            } else {
                Answer::json("{}")
            }
        })
        .await;
        let outcome = RegistryClient::new(access(&server.url())).unwrap().ping().await;
        assert_eq!(outcome.is_ok(), followed, "{redirects}: {outcome:?}");
        assert_eq!(server.heard().len(), 6);
    }
}

#[tokio::test]
async fn t43_services_that_are_not_http_are_never_sent_to() {
    let server =
        Server::start(|_| Answer::status(307).with("location", "http://registry.example.com:6379/")).await;
    let client = RegistryClient::new(access_by_name(&server.url_as("registry.example.com"))).unwrap();
    let error = client.ping().await.unwrap_err();
    assert!(
        matches!(error.fault(), Fault::Policy { rule, .. } if rule == "port.foreign"),
        "{error:?}"
    );
}

#[tokio::test]
async fn t44_a_foreign_realm_gets_no_credential_byte() {
    let foreign = Server::start(|_| Answer::json(r#"{"token":"t"}"#)).await;
    let realm = format!(
        "Bearer realm=\"{}/token\",service=\"r\"",
        foreign.url_as("evil.example.net")
    );
    let server = Server::start(move |_| Answer::status(401).with("www-authenticate", realm.clone())).await;
    let client = RegistryClient::new(Access {
        credentials: Arc::new(login()),
        ..access_by_name(&server.url_as("registry.example.com"))
    })
    .unwrap();
    let error = client.tags(&repository()).next_page().await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::RealmRefused, "{error:?}");
    assert_eq!(foreign.heard().len(), 0, "not even a connection");
    for heard in server.heard() {
        assert_eq!(
            heard.header("authorization"),
            None,
            "nor does the registry get it unasked"
        );
    }
}

#[tokio::test]
async fn t44_a_realm_that_redirects_elsewhere_takes_nothing_along() {
    let foreign = Server::start(|_| Answer::json(r#"{"token":"t"}"#)).await;
    let away = foreign.url_as("evil.example.net");
    let server = Server::start(move |heard| match heard.path.as_str() {
        "/token" => Answer::status(307).with("location", format!("{away}/token")),
        _ => Answer::status(401).with("www-authenticate", "Bearer realm=\"/token\",service=\"r\""),
    })
    .await;
    let client = RegistryClient::new(Access {
        credentials: Arc::new(login()),
        ..access_by_name(&server.url_as("registry.example.com"))
    })
    .unwrap();
    assert!(client.tags(&repository()).next_page().await.is_err());
    let heard = foreign.heard();
    assert_eq!(heard.len(), 1);
    let everything = format!("{:?}", heard[0]);
    assert!(heard[0].header("authorization").is_none(), "{everything}");
    assert!(
        !everything.contains("s3cret") && !everything.contains("cmVhZGVy"),
        "{everything}"
    );
}

#[tokio::test]
async fn t44_a_challenge_from_storage_is_not_answered() {
    let storage = Server::start(|_| Answer::status(401).with("www-authenticate", "Basic realm=\"x\"")).await;
    let location = storage.url_as("storage.example.net");
    let server = Server::start(move |_| Answer::status(307).with("location", location.clone())).await;
    let client = RegistryClient::new(Access {
        credentials: Arc::new(login()),
        ..access_by_name(&server.url_as("registry.example.com"))
    })
    .unwrap();
    let error = client
        .get_blob(&repository(), &Digest::sha256_of(b""), 10)
        .await
        .unwrap_err();
    assert!(error.is_denied(), "{error:?}");
    assert_eq!(storage.heard().len(), 1);
    assert!(storage.heard()[0].header("authorization").is_none());
}

#[tokio::test]
async fn t44_storage_is_contacted_only_if_the_gate_lets_it() {
    let storage = Server::start(|_| Answer::status(200).body("{}")).await;
    let location = storage.url_as("storage.example.net");
    let server = Server::start(move |_| Answer::status(307).with("location", location.clone())).await;
    for (refused, reached) in [(vec!["storage.example.net"], 0), (vec![], 1)] {
        let client = RegistryClient::new(Access {
            gate: Arc::new(TestGate {
                loopback: true,
                refused,
                ..TestGate::default()
            }),
            ..access_by_name(&server.url_as("registry.example.com"))
        })
        .unwrap();
        let outcome = client
            .get_blob(&repository(), &Digest::sha256_of(b"{}"), 10)
            .await;
        assert_eq!((outcome.is_ok(), storage.heard().len()), (reached == 1, reached));
    }
}
