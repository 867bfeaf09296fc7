//! What is known of a registry beside its content, and how it was read.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{
    CertificateFacts, Confidence, CredentialFacts, CredentialKind, Detection, DiscoveryMethod, DiscoveryStep,
    Finding, FindingCode, Flavour, ListingMethod, ListingStep, RegistryFacts,
};
use portolan_store::RunClosing;
use serde_json::{Value, json};

use crate::desk::{Desk, settled};
use crate::shop::{Shop, closing};
use crate::world::World;

fn facts(now: Timestamp) -> RegistryFacts {
    let in_days = |days: i64| now + SignedDuration::from_hours(24 * days);
    RegistryFacts {
        detection: Some(Detection::new(
            Flavour::GitLab,
            Confidence::High,
            &["the realm's path is /jwt/auth".to_owned()],
            Some("17.4.0"),
        )),
        credential: Some(CredentialFacts {
            expires_at: Some(in_days(30)),
            ..CredentialFacts::of_kind(CredentialKind::ProjectAccessToken)
                .owned_by("project_7_bot")
                .with_scopes(["read_registry", "read_api"])
        }),
        certificates: vec![CertificateFacts {
            host: "registry.example.com:5050".to_owned(),
            subject: "CN=registry.example.com".to_owned(),
            expires_at: in_days(25),
        }],
        ..RegistryFacts::default()
    }
}

fn told() -> RunClosing {
    let refused = Finding::new(FindingCode::NativeApiRefused, "GET /api/v4/projects: 403");
    let absent = Finding::new(FindingCode::NativeApiRefused, "GET /gitlab/v1/: 404");
    RunClosing {
        discovery: vec![
            DiscoveryStep {
                method: DiscoveryMethod::GitLabProjects,
                found: 0,
                complete: false,
                finding: Some(refused),
            },
            DiscoveryStep {
                method: DiscoveryMethod::Explicit,
                found: 1,
                complete: true,
                finding: None,
            },
        ],
        listings: vec![
            ListingStep {
                method: ListingMethod::GitLabV1,
                repositories: 0,
                given_up: 1,
                finding: Some(absent),
            },
            ListingStep {
                method: ListingMethod::TagsList,
                repositories: 1,
                given_up: 0,
                finding: None,
            },
        ],
        tags_filtered: 3,
        ..closing(1, 2)
    }
}

#[tokio::test]
async fn facts_come_with_the_days_that_are_left_and_with_warnings_in_time() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let empty = world.get("/api/v1/registries/gl").await.json();
    assert_eq!(
        empty["facts"],
        json!({"flavour": null, "credential": null, "certificates": [], "realm_hosts": [], "storage_hosts": []})
    );
    let now = world.app.clock.now();
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    let closing = RunClosing {
        facts: facts(now),
        ..told()
    };
    world.app.store.close_run(&fence, &closing, now).await.unwrap();
    let shown = world.get("/api/v1/registries/gl").await.json();
    let facts = &shown["facts"];
    assert_eq!(
        (&facts["flavour"]["flavour"], &facts["flavour"]["version"]),
        (&json!("gitlab"), &json!("17.4.0"))
    );
    assert_eq!(facts["flavour"]["observed_at"], json!(now));
    assert_eq!(
        (&facts["credential"]["kind"], &facts["credential"]["days_left"]),
        (&json!("project_access_token"), &json!(30))
    );
    assert_eq!(facts["certificates"][0]["days_left"], 25);
    let codes = async || {
        let shown = world.get("/api/v1/registries/gl").await.json();
        let findings = shown["findings"].as_array().unwrap().clone();
        findings
            .into_iter()
            .map(|finding| finding["code"].clone())
            .collect::<Vec<Value>>()
    };
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!(codes().await, ["registry.incomplete"]);
    world.clock.advance(4 * day);
    assert_eq!(codes().await, ["registry.incomplete", "tls.expires_soon"]);
    world.clock.advance(5 * day);
    assert_eq!(
        codes().await,
        [
            "registry.incomplete",
            "credential.expires_soon",
            "tls.expires_soon"
        ]
    );
    let desk = Desk::open(&world).await;
    insta::assert_snapshot!(settled(&desk.say("registry show gl").await.out));
    world.clock.advance(30 * day);
    assert_eq!(
        codes().await,
        ["credential.expired", "tls.expired", "registry.incomplete"]
    );
}

#[tokio::test]
async fn every_rung_is_told_with_why_the_next_was_needed() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    crate::shop::commit(
        &world,
        &fence,
        "acme/shop",
        &[("1.0", &shop.image), ("2.0", &shop.index)],
    )
    .await;
    let now = world.app.clock.now();
    world.app.store.close_run(&fence, &told(), now).await.unwrap();
    let run = world
        .get(&format!("/api/v1/runs/{}", fence.attempt.run))
        .await
        .json();
    let coverage = &run["coverage"];
    assert_eq!(
        coverage["discovery"][0]["finding"]["code"],
        "discovery.native_refused"
    );
    assert!(
        coverage["discovery"][0]["finding"]["symptom"]
            .as_str()
            .unwrap()
            .ends_with('.')
    );
    assert_eq!(
        (
            &coverage["listings"][0]["method"],
            &coverage["listings"][0]["given_up"]
        ),
        (&json!("gitlab.v1"), &json!(1))
    );
    assert_eq!(coverage["tags_filtered"], 3);
    let desk = Desk::open(&world).await;
    let told = desk.say(&format!("run show {}", fence.attempt.run)).await;
    insta::assert_snapshot!(settled(&told.out));
}
