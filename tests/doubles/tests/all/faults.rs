//! Each fault does what it says, when it says.

use std::time::Duration;

use portolan_doubles::faults::{Fault, Gate, Rule};
use portolan_doubles::{Content, RegistryDouble};
use portolan_shared::model::Digest;
use reqwest::{Method, StatusCode};

use crate::client::{READER, Scene, client, header, json};

const TAG: &str = "/v2/acme/shop/api/manifests/latest";

async fn open(scene: &Scene) -> RegistryDouble {
    RegistryDouble::builder(Content::gitlab_fixture())
        .start(scene.tls(), &scene.tasks)
        .await
        .unwrap()
}

#[tokio::test]
async fn every_nth_call_is_throttled_and_the_rest_served() {
    let scene = Scene::new();
    let double = open(&scene).await;
    let rule = double.faults().add(
        Rule::on("/manifests/").method(Method::GET).every(3),
        Fault::too_many(1),
    );
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let answer = scene.get(&format!("{}{TAG}", double.url())).send().await.unwrap();
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(header(&answer, "retry-after"), "1");
        }
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429, 200, 200, 429]);
    assert_eq!(double.faults().hits(rule), 2);
    assert_eq!(
        scene
            .head(&format!("{}{TAG}", double.url()))
            .send()
            .await
            .unwrap()
            .status(),
        StatusCode::OK
    );
    double.faults().remove(rule);
    assert_eq!(double.faults().hits(rule), 0);
}

#[tokio::test]
async fn a_token_is_called_expired_in_mid_walk() {
    let scene = Scene::new();
    let tokens = scene.tokens().await;
    let builder = RegistryDouble::builder(Content::gitlab_fixture()).tokens(&tokens);
    let double = builder.start(scene.tls(), &scene.tasks).await.unwrap();
    double
        .faults()
        .add(Rule::on("/manifests/").after(1).once(), Fault::InvalidToken);
    let token = scene
        .token(&tokens, READER, &["repository:acme/shop/api:pull"])
        .await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let answer = scene
            .get(&format!("{}{TAG}", double.url()))
            .bearer_auth(&token)
            .send()
            .await
            .unwrap();
        statuses.push((
            answer.status().as_u16(),
            header(&answer, "www-authenticate").ends_with("invalid_token\""),
        ));
    }
    assert_eq!(statuses, [(200, false), (401, true), (200, false)]);
}

#[tokio::test]
async fn connections_are_reset_over_both_protocols() {
    let scene = Scene::new();
    let double = open(&scene).await;
    for protocol in [&b"h2"[..], b"http/1.1"] {
        let client = client(&scene.ca, &[protocol]);
        double.faults().clear();
        // More than once, because clients repeat a request that failed on a connection they had kept.
        double.faults().add(Rule::all().times(3), Fault::Reset);
        let url = format!("{}/v2/", double.url());
        let error = client.get(&url).send().await.unwrap_err();
        assert!(!error.is_timeout(), "{error:?}");
        double.faults().clear();
        assert_eq!(client.get(&url).send().await.unwrap().status(), StatusCode::OK);
    }
    assert!(double.log().seen().iter().any(|seen| seen.status.is_none()));
}

#[tokio::test]
async fn bodies_are_spoilt() {
    let scene = Scene::new();
    let double = open(&scene).await;
    let url = format!("{}{TAG}", double.url());
    let honest = scene.get(&url).send().await.unwrap();
    let digest: Digest = header(&honest, "docker-content-digest").parse().unwrap();
    let faults = double.faults();

    faults.add(Rule::all(), Fault::Garble);
    let answer = scene.get(&url).send().await.unwrap();
    assert_eq!(header(&answer, "docker-content-digest"), digest.to_string());
    let body = answer.bytes().await.unwrap();
    assert_eq!(body.len(), 400);
    assert!(digest.verify(&body).is_err());
    faults.clear();

    faults.add(Rule::all(), Fault::Truncate(100));
    // Over HTTP/2 the reset may overtake the headers.
    let cut = async { scene.get(&url).send().await?.bytes().await };
    assert!(cut.await.is_err());
    faults.clear();

    faults.add(Rule::all(), Fault::Trickle(Duration::from_micros(10)));
    digest
        .verify(&scene.get(&url).send().await.unwrap().bytes().await.unwrap())
        .unwrap();
    faults.clear();

    for (name, value) in [
        ("docker-content-digest", None),
        ("content-type", Some("text/plain".to_owned())),
    ] {
        let expected = value.clone().unwrap_or_default();
        faults.add(Rule::all(), Fault::Header { name, value });
        assert_eq!(header(&scene.head(&url).send().await.unwrap(), name), expected);
        faults.clear();
    }

    let answer = Fault::Answer {
        status: 502,
        code: "",
        retry_after: None,
    };
    faults.add(Rule::all().once(), answer);
    assert!(
        scene
            .get(&url)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains("<html>")
    );
    faults.add(Rule::all().once(), Fault::manifest_unknown());
    assert_eq!(
        json(scene.get(&url).send().await.unwrap()).await["errors"][0]["code"],
        "MANIFEST_UNKNOWN"
    );
    let location = "https://169.254.169.254/latest/meta-data".to_owned();
    faults.add(
        Rule::all().once(),
        Fault::Redirect {
            status: 307,
            location: location.clone(),
        },
    );
    assert_eq!(
        header(&scene.get(&url).send().await.unwrap(), "location"),
        location
    );
}

#[tokio::test]
async fn bodies_without_end_go_on_as_long_as_one_reads() {
    const ENOUGH: usize = 40_000_000;
    let scene = Scene::new();
    let double = open(&scene).await;
    for fault in [Fault::Endless, Fault::EndlessGzip] {
        double.faults().clear();
        double.faults().add(Rule::all(), fault.clone());
        // The client unpacks gzip by itself.
        let mut answer = scene.get(&format!("{}{TAG}", double.url())).send().await.unwrap();
        assert_eq!(answer.content_length(), None, "{fault:?}");
        let mut read = 0;
        while read < ENOUGH {
            let chunk = answer.chunk().await.unwrap().unwrap();
            assert!(chunk.iter().all(|byte| *byte == b' '), "{fault:?}");
            read += chunk.len();
        }
    }
}

#[tokio::test]
async fn a_gate_holds_requests_until_it_is_opened() {
    let scene = Scene::new();
    let double = open(&scene).await;
    let gate = Gate::new();
    double
        .faults()
        .add(Rule::on("/manifests/"), Fault::Hold(gate.clone()));
    let url = format!("{}{TAG}", double.url());
    let requests = async { futures::join!(scene.get(&url).send(), scene.get(&url).send()) };
    let test = async {
        gate.arrived(2).await;
        assert_eq!(double.log().count(|seen| seen.status.is_none()), 2);
        assert_eq!(
            scene
                .get(&format!("{}/v2/", double.url()))
                .send()
                .await
                .unwrap()
                .status(),
            StatusCode::OK
        );
        gate.pass(1);
        gate.open();
    };
    let ((one, two), ()) = futures::join!(requests, test);
    assert_eq!(
        (one.unwrap().status(), two.unwrap().status()),
        (StatusCode::OK, StatusCode::OK)
    );
    assert_eq!(
        scene.get(&url).send().await.unwrap().status(),
        StatusCode::OK,
        "open for those to come"
    );
}

#[tokio::test]
async fn the_token_service_has_faults_of_its_own() {
    let scene = Scene::new();
    let tokens = scene.tokens().await;
    tokens
        .faults()
        .add(Rule::on("/jwt/auth").once(), Fault::unavailable());
    assert_eq!(
        scene.ask_token(&tokens, Some(READER), &[]).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        scene.ask_token(&tokens, Some(READER), &[]).await.status(),
        StatusCode::OK
    );
}
