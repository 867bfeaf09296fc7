//! Which product is recognised by which answers, every server on the same kind of address.

use portolan_registry::{Registry, RegistryClient};
use portolan_shared::model::{Confidence, Detection, Flavour, limits};

use crate::client::{access_by_name, client, with_login};
use crate::flavours_forges::FORGES;
use crate::flavours_hosted::HOSTED;
use crate::flavours_stores::STORES;
use crate::server::{Answer, Heard, Server};

/// A registry's answer to a stranger at its root, and what its product's own API answers.
pub(crate) struct Product {
    pub(crate) name: &'static str,
    pub(crate) status: u16,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// Path and answer of the product's own API, if it has one.
    pub(crate) api: Option<(&'static str, u16, &'static str)>,
    pub(crate) flavour: Flavour,
    pub(crate) confidence: Confidence,
    pub(crate) version: Option<&'static str>,
    /// A part of the strongest sign.
    pub(crate) sign: &'static str,
    /// Requests, at most, beside the first.
    pub(crate) probes: usize,
}

/// What most have in common.
pub(crate) const BARE: Product = Product {
    name: "",
    status: 401,
    headers: &[],
    api: None,
    flavour: Flavour::Generic,
    confidence: Confidence::Low,
    version: None,
    sign: "",
    probes: 1,
};

pub(crate) const DISTRIBUTION: (&str, &str) = ("docker-distribution-api-version", "registry/2.0");
pub(crate) const AUTHENTICATE: &str = "www-authenticate";

fn products() -> impl Iterator<Item = &'static Product> {
    FORGES.iter().chain(HOSTED).chain(STORES)
}

async fn serve(product: &'static Product) -> Server {
    Server::start(move |heard| answer(product, heard)).await
}

fn answer(product: &Product, heard: &Heard) -> Answer {
    let host = heard.header("host").unwrap_or_default().to_owned();
    match (heard.path.as_str(), product.api) {
        ("/v2/", _) => {
            product
                .headers
                .iter()
                .fold(Answer::json("{}").but(product.status), |answer, (name, value)| {
                    let value = value.replace("https://HOST", &format!("http://{host}"));
                    let value = value.replace("HOST", &host);
                    if *name == "content-type" {
                        answer.with(name, value)
                    } else {
                        answer.and(name, value)
                    }
                })
        }
        (path, Some((api, status, body))) if path == api => Answer::status(status).body(body),
        _ => Answer::status(404).body("404 page not found\n"),
    }
}

async fn recognised(client: RegistryClient) -> Detection {
    Registry::recognise(client).await.unwrap().detection().clone()
}

#[tokio::test]
async fn every_product_is_recognised_by_what_it_answers() {
    for product in products() {
        let server = serve(product).await;
        let detection = recognised(client(&server.url())).await;
        let Product { name, sign, .. } = product;
        assert_eq!(detection.flavour, product.flavour, "{name}: {detection:?}");
        assert_eq!(detection.confidence, product.confidence, "{name}: {detection:?}");
        assert_eq!(detection.version.as_deref(), product.version, "{name}");
        assert!(detection.evidence[0].contains(sign), "{name}: {detection:?}");
        let probes = server.heard().len() - 1;
        assert!(
            probes <= product.probes,
            "{name}: {probes} questions beside the first"
        );
        assert!(
            server
                .heard()
                .iter()
                .all(|heard| heard.header("authorization").is_none()),
            "{name}: recognised without a login"
        );
    }
    for flavour in Flavour::ALL {
        assert!(
            products().any(|product| product.flavour == *flavour),
            "{flavour} has no fingerprint"
        );
    }
}

#[tokio::test]
async fn the_address_says_nothing() {
    // A plain registry under the names and ports that guides give to other products.
    let plain = products()
        .find(|product| product.name.ends_with("Distribution 2"))
        .unwrap();
    let server = serve(plain).await;
    for name in [
        "registry.gitlab.com",
        "harbor.example.com",
        "quay.io",
        "ghcr.io",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "acme.azurecr.io",
        "registry-1.docker.io",
    ] {
        let client = RegistryClient::new(access_by_name(&server.url_as(name))).unwrap();
        assert_eq!(recognised(client).await.flavour, Flavour::Distribution, "{name}");
    }
}

#[tokio::test]
async fn what_the_login_is_told_counts_as_well() {
    let server = Server::start(|heard| match heard.header("authorization") {
        None => Answer::error(401, "UNAUTHORIZED")
            .with("docker-distribution-api-version", "registry/2.0")
            .with("www-authenticate", r#"Basic realm="x""#),
        Some(_) => Answer::json("{}").with("gitlab-container-registry-version", "4.39.0-gitlab"),
    })
    .await;
    let registry = Registry::open(with_login(&server.url())).await.unwrap();
    let detection = registry.detection();
    assert_eq!(
        (
            detection.flavour,
            detection.confidence,
            detection.version.as_deref()
        ),
        (Flavour::GitLab, Confidence::High, Some("4.39.0-gitlab"))
    );
}

#[tokio::test]
async fn evidence_of_a_hostile_server_is_bounded_and_printable() {
    let server = Server::start(|heard| {
        let long = "x".repeat(2_000);
        if heard.path == "/v2/" {
            Answer::json("{}")
                .with("gitlab-container-registry-version", format!("4\u{9f}{long}"))
                .with("x-jfrog-version", format!("Artifactory/{long}"))
                .with("server", format!("Nexus/{long}"))
                .with("docker-ratelimit-source", long)
        } else {
            Answer::status(404)
        }
    })
    .await;
    let detection = recognised(client(&server.url())).await;
    assert!(detection.evidence.len() <= limits::EVIDENCE);
    for text in detection.evidence.iter().chain(&detection.version) {
        assert!(
            text.len() <= limits::FINDING_BYTES && !text.contains(char::is_control),
            "{text:?}"
        );
    }
}

#[tokio::test]
async fn a_product_that_fails_at_its_own_api_is_asked_once() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/v2/" => Answer::json("{}").with("docker-distribution-api-version", "registry/2.0"),
        _ => Answer::status(503),
    })
    .await;
    let detection = recognised(client(&server.url())).await;
    assert_eq!(detection.flavour, Flavour::Distribution);
    assert_eq!(server.heard().len(), 2);
}
