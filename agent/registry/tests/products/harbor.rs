//! Harbor.

use http::Method;
use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::products::{Harbor, HarborDouble};
use portolan_registry::RegistryClient;
use portolan_shared::model::{
    Confidence, CredentialKind, DiscoveryMethod, FindingCode, Flavour, ListingMethod, ReferenceTarget,
};

use super::inventory::{access, content, expected, list, login, open, tasks, wanted};

pub(crate) fn harbor() -> Harbor {
    Harbor::new()
        .administrator("admin", "Harbor12345")
        .user("jane", "jane-secret", &["tools"])
        .system_robot("ci", "robot-secret")
        .project_robot("acme", "scan", "scan-secret")
        .ended_robot("old", "old-secret")
}

pub(crate) async fn start(many: usize) -> HarborDouble {
    harbor().start(content(many), None, &tasks()).await.unwrap()
}

fn robot() -> Option<portolan_registry::Credential> {
    Some(login("robot$ci", "robot-secret"))
}

#[tokio::test]
async fn native_and_general_ways_come_to_the_same() {
    let harbor = start(250).await;
    let all = expected(&harbor.content(), |_| true);

    let native = list(open(&harbor.url(), robot()).await, &wanted(&[])).await;
    let requests = harbor.log().total();
    assert_eq!(native.registry.detection().flavour, Flavour::Harbor);
    assert_eq!(native.registry.detection().confidence, Confidence::High);
    assert_eq!(native.found, all);
    assert!(native.complete);
    assert_eq!(native.tried(), [(DiscoveryMethod::HarborProjects, 3, true)]);
    assert_eq!(native.listed(), [(ListingMethod::HarborArtifacts, 3, 0)]);
    assert_eq!(
        native.asked, 1,
        "the signature, which is listed with what it signs only"
    );
    assert_eq!(native.pushed.len(), all.len() - 1);

    harbor.log().clear();
    harbor.faults().add(
        Rule::on("/api/v2.0/"),
        Fault::Answer {
            status: 403,
            code: "FORBIDDEN",
            retry_after: None,
        },
    );
    let administrator = Some(login("admin", "Harbor12345"));
    let general = list(open(&harbor.url(), administrator).await, &wanted(&[])).await;
    assert_eq!(general.found, all);
    assert_eq!(general.tried()[1], (DiscoveryMethod::Catalog, 3, true));
    assert_eq!(general.listed()[1], (ListingMethod::TagsList, 3, 0));
    let general_requests = harbor.log().total();
    assert!(
        requests * 10 < general_requests,
        "{requests} requests by its own way, {general_requests} by everybody's"
    );
}

#[tokio::test]
async fn each_sees_its_own_projects() {
    let harbor = harbor()
        .public("tools")
        .start(content(3), None, &tasks())
        .await
        .unwrap();
    for (who, patterns, seen) in [
        (Some(("robot$acme+scan", "scan-secret")), &[][..], 3),
        (Some(("jane", "jane-secret")), &[], 1),
        (None, &[], 1),
        (Some(("robot$ci", "robot-secret")), &["acme/**"], 2),
        (
            Some(("robot$acme+scan", "scan-secret")),
            &["acme/**", "gone/**"],
            2,
        ),
    ] {
        let login = who.map(|(name, secret)| login(name, secret));
        let inventory = list(open(&harbor.url(), login).await, &wanted(patterns)).await;
        let repositories: std::collections::BTreeSet<_> =
            inventory.found.keys().map(|(repository, _)| repository).collect();
        assert_eq!(repositories.len(), seen, "{who:?} {patterns:?}");
        assert!(inventory.complete, "{who:?} {patterns:?}: {:?}", inventory.steps);
    }
    harbor.log().clear();
    let named = list(open(&harbor.url(), robot()).await, &wanted(&["tools/**"])).await;
    assert!(named.complete);
    assert_eq!(
        harbor.log().count(|seen| seen.path() == "/api/v2.0/projects"),
        0,
        "the patterns name the project"
    );
}

#[tokio::test]
async fn a_robot_that_may_not_list_projects_knows_its_own() {
    let harbor = start(3).await;
    harbor.faults().add(
        Rule::on("/api/v2.0/projects?"),
        Fault::Answer {
            status: 403,
            code: "FORBIDDEN",
            retry_after: None,
        },
    );
    let scan = Some(login("robot$acme+scan", "scan-secret"));
    let inventory = list(open(&harbor.url(), scan).await, &wanted(&[])).await;
    assert!(inventory.complete);
    assert_eq!(inventory.tried(), [(DiscoveryMethod::HarborProjects, 2, true)]);
}

#[tokio::test]
async fn a_denied_repository_does_not_stop_the_others() {
    let harbor = start(3).await;
    let scan = Some(login("robot$acme+scan", "scan-secret"));
    let registry = open(&harbor.url(), scan).await;
    // Nine in a row: each is asked for again with name and secret, as Harbor wants of whoever comes with a token that does not do.
    for _ in 0..9 {
        let mut tags = registry.tags(&"tools/lint".parse().unwrap());
        assert!(tags.next_page().await.unwrap_err().is_denied());
    }
    let own = list(registry, &wanted(&["acme/**"])).await;
    assert_eq!(
        own.found,
        expected(&harbor.content(), |name| name.starts_with("acme/"))
    );
}

#[tokio::test]
async fn no_more_is_asked_at_once_than_harbor_bears() {
    let harbor = start(1).await;
    let client = || {
        let mut access = access(&harbor.url(), robot());
        access.budget.concurrency = 64;
        RegistryClient::new(access).unwrap()
    };
    let resolve_often = async |client: &RegistryClient| {
        let tag = ReferenceTarget::Tag("stable".parse().unwrap());
        for _ in 0..80 {
            client
                .head_manifest(&"tools/lint".parse().unwrap(), &tag, None)
                .await
                .unwrap();
        }
        client.counts().concurrency
    };
    let unaware = client();
    assert!(resolve_often(&unaware).await > 8, "as many as are borne well");
    let registry = portolan_registry::Registry::open(client()).await.unwrap();
    assert_eq!(resolve_often(registry.client()).await, 8);
}

#[tokio::test]
async fn kinds_of_credentials_are_known_by_their_names() {
    let harbor = start(1).await;
    for (name, secret, kind) in [
        ("robot$ci", "robot-secret", CredentialKind::Robot),
        ("robot$acme+scan", "scan-secret", CredentialKind::ProjectRobot),
        ("jane", "jane-secret", CredentialKind::Password),
    ] {
        let registry = open(&harbor.url(), Some(login(name, secret))).await;
        let facts = registry.credential().await.unwrap().unwrap();
        assert_eq!((facts.kind, facts.owner.as_deref()), (kind, Some(name)));
    }
    assert_eq!(open(&harbor.url(), None).await.credential().await.unwrap(), None);
}

#[tokio::test]
async fn a_robot_whose_time_is_over_is_refused_once() {
    let harbor = start(1).await;
    let old = Some(login("robot$old", "old-secret"));
    let client = RegistryClient::new(access(&harbor.url(), old)).unwrap();
    let error = portolan_registry::Registry::open(client).await.err().unwrap();
    assert_eq!(error.finding().code, FindingCode::AuthenticationFailed);
    let shown = harbor
        .log()
        .count(|seen| seen.authorization.is_some() && seen.status == Some(401));
    assert_eq!(shown, 1);
}

#[tokio::test]
async fn listing_moves_no_pull_time_and_reading_by_digest_does() {
    let harbor = start(5).await;
    let inventory = list(open(&harbor.url(), robot()).await, &wanted(&[])).await;
    let client = inventory.registry.client();
    for (repository, tag) in inventory.found.keys() {
        let target = ReferenceTarget::Tag(tag.parse().unwrap());
        client
            .head_manifest(&repository.parse().unwrap(), &target, None)
            .await
            .unwrap();
    }
    assert_eq!(harbor.with(|harbor| harbor.pulls_in_all()), 0);
    let ((repository, _), digest) = inventory.found.first_key_value().unwrap();
    let repository = repository.parse().unwrap();
    client.get_manifest(&repository, digest).await.unwrap();
    assert_eq!(harbor.with(|harbor| harbor.pulls(repository.as_str(), digest)), 1);
    let target = ReferenceTarget::Digest(digest.clone());
    let known = client
        .head_manifest(&repository, &target, Some(digest))
        .await
        .unwrap();
    assert_eq!(known, portolan_registry::Head::NotModified);
    assert_eq!(harbor.with(|harbor| harbor.pulls_in_all()), 1);
}

#[tokio::test]
async fn a_blocked_image_is_listed_and_said_to_be_blocked() {
    let harbor = start(2).await;
    let digest = harbor.content().resolve("tools/lint", "stable").unwrap().clone();
    harbor.with(|harbor| harbor.block("tools/lint", &digest));
    let inventory = list(open(&harbor.url(), robot()).await, &wanted(&[])).await;
    assert_eq!(inventory.found, expected(&harbor.content(), |_| true));
    let client = inventory.registry.client();
    let repository = "tools/lint".parse().unwrap();
    let by_tag = ReferenceTarget::Tag("stable".parse().unwrap());
    let head = client
        .head_manifest(&repository, &by_tag, None)
        .await
        .unwrap_err();
    assert_eq!(head.finding().code, FindingCode::ManifestBlocked);
    let get = client.get_manifest(&repository, &digest).await.unwrap_err();
    assert_eq!(get.finding().code, FindingCode::ManifestBlocked);
    assert!(!get.concerns_whole_registry());
}

#[tokio::test]
async fn pages_that_take_too_long_are_made_smaller() {
    let harbor = start(250).await;
    harbor.with(|harbor| harbor.slow_above(50));
    let inventory = list(open(&harbor.url(), robot()).await, &wanted(&[])).await;
    assert_eq!(inventory.found, expected(&harbor.content(), |_| true));
    assert_eq!(inventory.listed(), [(ListingMethod::HarborArtifacts, 3, 0)]);
    let smaller = harbor.log().count(|seen| {
        seen.target.contains("/artifacts?")
            && seen.target.contains("page_size=50")
            && seen.status == Some(200)
    });
    assert!(smaller >= 3, "{smaller}");
    let too_large = harbor.log().count(|seen| seen.status == Some(504));
    assert_eq!(too_large, 2, "once more for luck, and never again");
}

#[tokio::test]
async fn a_refused_api_leads_to_the_general_way_and_is_recorded() {
    for (status, code) in [
        (401, "UNAUTHORIZED"),
        (403, "FORBIDDEN"),
        (404, "NOT_FOUND"),
        (500, "UNKNOWN"),
        (200, ""),
    ] {
        let harbor = start(2).await;
        // Only the ping that tells the product is left.
        let rule = harbor.faults().add(
            Rule::on("/api/v2.0/projects"),
            Fault::Answer {
                status,
                code,
                retry_after: None,
            },
        );
        let administrator = Some(login("admin", "Harbor12345"));
        let inventory = list(open(&harbor.url(), administrator).await, &wanted(&[])).await;
        assert_eq!(inventory.found, expected(&harbor.content(), |_| true), "{status}");
        let hits = harbor.faults().hits(rule);
        assert!(hits > 0 && (status != 401 || hits == 1), "{status}: {hits}");
        let refused = &inventory.steps[0];
        assert_eq!(refused.method, DiscoveryMethod::HarborProjects);
        assert!(!refused.complete && refused.finding.is_some(), "{status}");
        assert_eq!(
            inventory.tried()[1],
            (DiscoveryMethod::Catalog, 3, true),
            "{status}"
        );
        let listings = inventory.listings();
        assert_eq!(
            (listings[0].method, listings[0].given_up),
            (ListingMethod::HarborArtifacts, 3),
            "{status}"
        );
        assert!(listings[0].finding.is_some());
        assert_eq!(listings[1].repositories, 3, "{status}");
    }
}

#[tokio::test]
async fn a_bare_404_is_no_word_that_a_project_is_gone() {
    for (code, complete) in [("NOT_FOUND", true), ("", false)] {
        let harbor = start(2).await;
        harbor.faults().add(
            Rule::on("/api/v2.0/projects/"),
            Fault::Answer {
                status: 404,
                code,
                retry_after: None,
            },
        );
        let registry = open(&harbor.url(), robot()).await;
        let mut ladder = registry.repositories(&wanted(&["acme/**"]));
        while ladder.next_page().await.unwrap().is_some() {}
        assert_eq!(ladder.is_complete(), complete, "{code}");
    }
}

#[tokio::test]
async fn the_catalog_is_denied_to_robots_and_that_is_said() {
    let harbor = start(2).await;
    harbor.faults().add(
        Rule::on("/api/v2.0/projects"),
        Fault::Answer {
            status: 403,
            code: "FORBIDDEN",
            retry_after: None,
        },
    );
    let inventory = list(open(&harbor.url(), robot()).await, &wanted(&[])).await;
    assert!(inventory.found.is_empty() && !inventory.complete);
    let catalog = &inventory.steps[1];
    assert_eq!(catalog.method, DiscoveryMethod::Catalog);
    assert_eq!(catalog.finding.as_ref().unwrap().code, FindingCode::CatalogDenied);
    // The login is still good for what it was made for.
    let target = ReferenceTarget::Tag("stable".parse().unwrap());
    let client = inventory.registry.client();
    let head = client
        .head_manifest(&"tools/lint".parse().unwrap(), &target, None)
        .await;
    assert!(head.is_ok());
    assert_eq!(harbor.log().count(|seen| seen.method == Method::POST), 0);
}

#[tokio::test]
async fn a_cache_of_another_registry_is_listed_without_asking_that_one() {
    for patterns in [&[][..], &["tools/**", "acme/**"], &["tools/lint", "acme/shop"]] {
        let harbor = harbor()
            .mirror("tools")
            .start(content(3), None, &tasks())
            .await
            .unwrap();
        let inventory = list(open(&harbor.url(), robot()).await, &wanted(patterns)).await;
        let expected = expected(&harbor.content(), |name| {
            patterns.len() != 2 || patterns[0] == "tools/**" || name != "acme/shop/web"
        });
        assert_eq!(inventory.found, expected, "{patterns:?}");
        assert_eq!(harbor.with(|harbor| harbor.upstream()), 0, "{patterns:?}");
        // Harbor does not list what it files as an accessory: that is said, so that nothing counts as gone.
        let mut tags = inventory.registry.tags(&"tools/lint".parse().unwrap());
        while tags.next_page().await.unwrap().is_some() {}
        let shortfall = tags.shortfall().map(|finding| finding.code);
        assert_eq!(shortfall, Some(FindingCode::ListingIncomplete), "{patterns:?}");
        assert_eq!(harbor.with(|harbor| harbor.upstream()), 0, "{patterns:?}");
        let described = harbor
            .log()
            .count(|seen| seen.path() == "/api/v2.0/projects/tools");
        assert_eq!(described, usize::from(!patterns.is_empty()), "{patterns:?}");
    }
}
