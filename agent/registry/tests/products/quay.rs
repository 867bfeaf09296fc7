//! Quay.

use portolan_doubles::content::Image;
use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::products::Quay;
use portolan_shared::model::{CredentialKind, DiscoveryMethod, FindingCode, Flavour, ListingMethod};

use super::inventory::{content, expected, list, login, open, tasks, wanted};

fn quay() -> Quay {
    Quay::new()
        .oauth_token("oauth-secret", &["acme", "tools"])
        .robot("acme", "scan", "robot-secret")
        .application("acme/charts")
        .public("tools/lint")
}

fn oauth() -> Option<portolan_registry::Credential> {
    Some(login("$oauthtoken", "oauth-secret"))
}

fn robot() -> Option<portolan_registry::Credential> {
    Some(login("acme+scan", "robot-secret"))
}

#[tokio::test]
async fn native_and_general_ways_come_to_the_same() {
    for quay in [quay(), quay().refuses_large_pages()] {
        let quay = quay.start(content(230), None, &tasks()).await.unwrap();
        let all = expected(&quay.content(), |_| true);
        let patterns = wanted(&["acme/**", "tools/**"]);
        let native = list(open(&quay.url(), oauth()).await, &patterns).await;
        let requests = quay.log().total();
        assert_eq!(native.registry.detection().flavour, Flavour::Quay);
        assert_eq!(native.found, all);
        assert!(native.complete);
        assert_eq!(native.tried(), [(DiscoveryMethod::QuayRepositories, 3, true)]);
        assert_eq!(native.listed(), [(ListingMethod::QuayTags, 3, 0)]);
        assert_eq!((native.asked, native.pushed.len()), (0, all.len()));

        quay.log().clear();
        quay.faults().add(
            Rule::on("/api/v1/repository"),
            Fault::Answer {
                status: 404,
                code: "NOT_FOUND",
                retry_after: None,
            },
        );
        let general = list(open(&quay.url(), oauth()).await, &wanted(&[])).await;
        assert_eq!(general.found, all);
        assert_eq!(general.tried()[1], (DiscoveryMethod::Catalog, 3, true));
        let general_requests = quay.log().total();
        assert!(
            requests * 10 < general_requests,
            "{requests} and {general_requests}"
        );
    }
}

#[tokio::test]
async fn many_repositories_come_behind_cursors_and_applications_are_none() {
    let mut content = content(1);
    for number in 0..230 {
        let mut shelf = content.shelf(&format!("acme/app-{number:03}"));
        let image = shelf.image(&Image::new(&format!("app {}", number % 7)));
        shelf.tag("latest", &image);
    }
    content.shelf("acme/charts");
    let quay = quay().start(content, None, &tasks()).await.unwrap();
    let inventory = list(open(&quay.url(), oauth()).await, &wanted(&["acme/**"])).await;
    assert_eq!(
        inventory.tried(),
        [(DiscoveryMethod::QuayRepositories, 232, true)]
    );
    assert_eq!(
        inventory.found,
        expected(&quay.content(), |name| name.starts_with("acme/"))
    );
    let pages = quay.log().count(|seen| seen.path() == "/api/v1/repository");
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn a_robot_falls_back_to_the_catalog_and_says_why() {
    let quay = quay().start(content(3), None, &tasks()).await.unwrap();
    let inventory = list(open(&quay.url(), robot()).await, &wanted(&[])).await;
    assert_eq!(
        inventory.found,
        expected(&quay.content(), |name| name.starts_with("acme/"))
    );
    assert_eq!(inventory.tried()[1], (DiscoveryMethod::Catalog, 2, true));
    assert!(inventory.complete);
    let partial = inventory.steps[0].finding.as_ref().unwrap();
    assert_eq!(partial.code, FindingCode::ViewIsPartial);
    let listings = inventory.listings();
    assert_eq!(
        (listings[0].method, listings[0].given_up),
        (ListingMethod::QuayTags, 2)
    );
    assert_eq!(
        listings[0].finding.as_ref().unwrap().code,
        FindingCode::NativeApiRefused
    );
    assert_eq!(listings[1].repositories, 2);
    let shown = quay
        .log()
        .count(|seen| seen.path().starts_with("/api/") && seen.authorization.is_some());
    assert_eq!(shown, 0, "a robot's secret is not for the API");
}

#[tokio::test]
async fn strangers_are_shown_what_is_public() {
    let quay = quay().start(content(3), None, &tasks()).await.unwrap();
    let inventory = list(open(&quay.url(), None).await, &wanted(&["tools/**", "acme/**"])).await;
    assert_eq!(
        inventory.found,
        expected(&quay.content(), |name| name == "tools/lint")
    );
    assert_eq!(inventory.tried(), [(DiscoveryMethod::QuayRepositories, 1, true)]);
    assert_eq!(inventory.listed(), [(ListingMethod::QuayTags, 1, 0)]);
}

#[tokio::test]
async fn without_a_namespace_the_api_cannot_be_asked_and_that_is_said() {
    let quay = quay().start(content(3), None, &tasks()).await.unwrap();
    let inventory = list(open(&quay.url(), oauth()).await, &wanted(&[])).await;
    assert_eq!(inventory.found, expected(&quay.content(), |_| true));
    let needed = inventory.steps[0].finding.as_ref().unwrap();
    assert_eq!(needed.code, FindingCode::NativeApiNotAsked);
    assert_eq!(quay.log().count(|seen| seen.path() == "/api/v1/repository"), 0);
    assert_eq!(inventory.tried()[1], (DiscoveryMethod::Catalog, 3, true));
}

#[tokio::test]
async fn a_refused_api_leads_to_the_general_way_and_is_recorded() {
    for (status, code) in [
        (401, "invalid_token"),
        (403, "x"),
        (404, "x"),
        (500, "x"),
        (200, ""),
    ] {
        let quay = quay().start(content(2), None, &tasks()).await.unwrap();
        quay.faults().add(
            Rule::on("/api/v1/repository"),
            Fault::Answer {
                status,
                code,
                retry_after: None,
            },
        );
        let inventory = list(
            open(&quay.url(), oauth()).await,
            &wanted(&["acme/**", "tools/**"]),
        )
        .await;
        assert_eq!(inventory.found, expected(&quay.content(), |_| true), "{status}");
        assert!(inventory.steps[0].finding.is_some(), "{status}");
        assert_eq!(inventory.listed()[1], (ListingMethod::TagsList, 3, 0), "{status}");
    }
}

#[tokio::test]
async fn kinds_of_credentials_are_known_by_their_names() {
    let quay = quay().start(content(1), None, &tasks()).await.unwrap();
    for (login, kind) in [
        (oauth(), CredentialKind::OauthToken),
        (robot(), CredentialKind::Robot),
    ] {
        let facts = open(&quay.url(), login)
            .await
            .credential()
            .await
            .unwrap()
            .unwrap();
        assert_eq!(facts.kind, kind);
    }
}
