//! Artifactory.

use portolan_doubles::Content;
use portolan_doubles::content::{Attested, Image};
use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::products::{ArtifactoryDouble, ArtifactoryKind, ArtifactoryLogin};
use portolan_registry::{Credential, Registry, RegistryClient};
use portolan_shared::model::{DiscoveryMethod, FindingCode, Flavour, ListingMethod};

use super::inventory::{access, expected, list, login, open, tasks, wanted, within};

const AQL: &str = "/artifactory/api/search/aql";

pub(super) fn reader() -> Option<Credential> {
    Some(login("reader", "jfrog-secret"))
}

/// Images of the same name in two repositories, one of them below another, one with children; and a cache.
pub(super) fn content(many: usize) -> Content {
    let mut content = Content::new();
    for (name, count) in [
        ("docker-local/shop", many),
        ("docker-local/shop/api", 1),
        ("docker-prod/shop", 2),
        ("hub-cache/library/nginx", 1),
    ] {
        let mut shelf = content.shelf(name);
        for tag in 0..count {
            let image = shelf.image(&Image::new(&format!("{name} {tag}")));
            shelf.tag(&format!("1.{tag}"), &image);
            shelf.pushed(
                &format!("1.{tag}"),
                "2026-02-03T04:05:06Z",
                Some("2026-02-04T04:05:06Z"),
            );
        }
    }
    let mut shelf = content.shelf("docker-prod/shop");
    let index = shelf.multi_arch(&Image::new("many"), &["linux/amd64", "linux/arm64"], Attested::No);
    shelf.tag("multi", &index);
    content
}

pub(super) async fn start(content: Content) -> ArtifactoryDouble {
    let members = vec![
        "docker-local".to_owned(),
        "docker-prod".to_owned(),
        "hub".to_owned(),
    ];
    let repositories = [
        ("docker-local", ArtifactoryKind::Local),
        ("docker-prod", ArtifactoryKind::Local),
        ("hub", ArtifactoryKind::Remote),
        ("docker", ArtifactoryKind::Virtual(members)),
    ];
    let reader = ("reader", "jfrog-secret");
    ArtifactoryDouble::start(content, &repositories, reader, None, &tasks())
        .await
        .unwrap()
}

#[tokio::test]
async fn all_repositories_of_the_instance_are_read_in_one_connection() {
    for (login, root) in [
        (ArtifactoryLogin::Bearer, false),
        (ArtifactoryLogin::Basic, false),
        (ArtifactoryLogin::Bearer, true),
    ] {
        let artifactory = start(content(1_200)).await;
        artifactory.behave(|manners| (manners.login, manners.root) = (login, root));
        let all = expected(&content(1_200), |_| true);
        let url = artifactory.stage().url();
        let url = if root { url } else { format!("{url}/artifactory") };
        let native = list(open(&url, reader()).await, &wanted(&[])).await;
        assert_eq!(native.registry.detection().flavour, Flavour::Artifactory);
        assert_eq!(native.registry.detection().version.as_deref(), Some("7.90.9"));
        assert_eq!(native.found, all, "{login:?}");
        assert_eq!(
            native.tried(),
            [(DiscoveryMethod::ArtifactoryRepositories, 4, true)]
        );
        assert!(native.complete);
        assert_eq!(
            native.steps[0].finding.as_ref().unwrap().code,
            FindingCode::MergedPassedOver
        );
        assert_eq!(native.listed(), [(ListingMethod::ArtifactoryAql, 4, 0)]);
        assert_eq!((native.asked, native.pushed.len()), (0, all.len()));
        let moved = "2026-02-04T04:05:06Z".parse().unwrap();
        assert_eq!(
            native.pushed.values().filter(|pushed| **pushed == moved).count(),
            all.len() - 1
        );
        assert_eq!(
            artifactory.stage().log().count(|seen| seen.path() == AQL),
            5,
            "two pages of the large one"
        );
        let virtual_asked = artifactory
            .stage()
            .log()
            .count(|seen| seen.path().contains("/api/docker/docker/"));
        let remote_asked = artifactory
            .stage()
            .log()
            .count(|seen| seen.path().contains("/api/docker/hub/"));
        assert_eq!((virtual_asked, remote_asked), (0, 0));
    }
}

#[tokio::test]
async fn the_general_way_comes_to_the_same_whatever_refuses_the_query() {
    for (status, code) in [
        (401, "UNAUTHORIZED"),
        (403, "DENIED"),
        (404, ""),
        (500, "UNKNOWN"),
        (200, ""),
    ] {
        let artifactory = start(content(3)).await;
        let refused = Fault::Answer {
            status,
            code,
            retry_after: None,
        };
        artifactory.stage().faults().add(Rule::on(AQL), refused);
        let inventory = list(open(&artifactory.stage().url(), reader()).await, &wanted(&[])).await;
        let all = expected(&content(3), |_| true);
        assert_eq!(inventory.found, all, "{status}");
        assert_eq!(inventory.asked, all.len());
        let listings = inventory.listings();
        assert_eq!(
            (listings[0].method, listings[0].given_up),
            (ListingMethod::ArtifactoryAql, 3)
        );
        assert!(listings[0].finding.is_some());
        assert_eq!(
            (listings[1].method, listings[1].repositories),
            (ListingMethod::TagsList, 4)
        );
    }
}

#[tokio::test]
async fn one_repository_is_read_by_its_path_and_by_its_port() {
    let artifactory = start(content(3)).await;
    let own = within("docker-local", &expected(&content(3), |_| true));
    let by_path = format!(
        "{}/artifactory/api/docker/docker-local",
        artifactory.stage().url()
    );
    let inventory = list(open(&by_path, reader()).await, &wanted(&[])).await;
    assert_eq!(inventory.found, own);
    assert_eq!(inventory.tried(), [(DiscoveryMethod::Catalog, 2, true)]);
    assert_eq!(
        (inventory.asked, inventory.listed()),
        (0, vec![(ListingMethod::ArtifactoryAql, 2, 0)])
    );

    // Its port has nothing but its own registry: the query language is not there.
    let by_port = list(
        open(&artifactory.port("docker-local").url(), reader()).await,
        &wanted(&[]),
    )
    .await;
    assert_eq!(by_port.registry.detection().flavour, Flavour::Artifactory);
    assert_eq!(by_port.found, own);
    assert_eq!(by_port.listings()[0].given_up, 2);

    artifactory.behave(|manners| manners.login = ArtifactoryLogin::Basic);
    let by_port = list(
        open(&artifactory.port("docker-local").url(), reader()).await,
        &wanted(&[]),
    )
    .await;
    assert_eq!(by_port.found, own);
    assert_eq!(
        by_port.listed(),
        [(ListingMethod::TagsList, 2, 0)],
        "nothing tells what its port is"
    );
    assert_eq!(
        by_port.tried(),
        [
            (DiscoveryMethod::ArtifactoryRepositories, 0, false),
            (DiscoveryMethod::Catalog, 2, true)
        ]
    );
    let why = by_port.steps[0].finding.as_ref().unwrap();
    assert_eq!(why.code, FindingCode::NativeApiNotAsked);
}

#[tokio::test]
async fn a_virtual_repository_alone_is_read_in_the_general_way() {
    let artifactory = start(content(3)).await;
    let virtual_one = format!("{}/artifactory/api/docker/docker", artifactory.stage().url());
    let inventory = list(open(&virtual_one, reader()).await, &wanted(&[])).await;
    let all = expected(&content(3), |_| true);
    let names: std::collections::BTreeSet<_> = all
        .keys()
        .map(|(name, tag)| (name.split_once('/').unwrap().1, tag.as_str()))
        .collect();
    let found: std::collections::BTreeSet<_> = inventory
        .found
        .keys()
        .map(|(name, tag)| (name.as_str(), tag.as_str()))
        .collect();
    assert_eq!(found, names, "what members hold is filed under these");
    assert_eq!(inventory.listings()[0].given_up, 3);
}

#[tokio::test]
async fn where_the_catalog_is_refused_the_query_finds_the_images() {
    let artifactory = start(content(1_100)).await;
    let closed = ["docker-local", "docker-prod"].map(str::to_owned);
    artifactory.behave(|manners| manners.closed = closed.to_vec());
    let inventory = list(open(&artifactory.stage().url(), reader()).await, &wanted(&[])).await;
    assert_eq!(inventory.found, expected(&content(1_100), |_| true));
    assert_eq!(
        inventory.tried(),
        [(DiscoveryMethod::ArtifactoryRepositories, 4, true)]
    );
    assert!(inventory.complete);
}

#[tokio::test]
async fn repositories_that_the_patterns_name_are_looked_in_without_asking_which_there_are() {
    let artifactory = start(content(2)).await;
    artifactory.stage().faults().add(
        Rule::on("/artifactory/api/repositories"),
        Fault::Answer {
            status: 403,
            code: "DENIED",
            retry_after: None,
        },
    );
    let patterns = ["docker-prod/**", "hub-cache/**"];
    let inventory = list(
        open(&artifactory.stage().url(), reader()).await,
        &wanted(&patterns),
    )
    .await;
    assert_eq!(
        inventory.found,
        expected(&content(2), |name| !name.starts_with("docker-local/"))
    );
    assert!(inventory.complete);
    let unnamed = list(open(&artifactory.stage().url(), reader()).await, &wanted(&[])).await;
    assert_eq!((unnamed.found.len(), unnamed.complete), (0, false));
    assert_eq!(
        unnamed.steps[0].finding.as_ref().unwrap().code,
        FindingCode::NativeApiRefused
    );
}

#[tokio::test]
async fn one_closed_repository_does_not_stop_the_others() {
    let artifactory = start(content(2)).await;
    artifactory.behave(|manners| {
        manners.closed = vec!["docker-local".to_owned()];
        manners.queries = false;
    });
    let inventory = list(open(&artifactory.stage().url(), reader()).await, &wanted(&["**"])).await;
    assert_eq!(
        inventory.found,
        expected(&content(2), |name| !name.starts_with("docker-local/"))
    );
    assert!(!inventory.complete);
    let finding = inventory.steps[0].finding.as_ref().unwrap();
    assert_eq!(finding.code, FindingCode::ViewIsPartial);
    assert!(finding.seen.contains("1 of 3"), "{finding}");
}

#[tokio::test]
async fn a_query_that_lies_is_bounded_and_completed() {
    for rows in [
        r#"{"path":"shop/1.0","sha256":7},null,{"path":1},{"path":"other/1.0"},{"path":"shop/a b"}"#,
        r#"{"path":"shop/../../1.0"},{"path":"shop/"}"#,
    ] {
        let artifactory = start(content(3)).await;
        artifactory
            .stage()
            .lie(AQL, move |_| format!(r#"{{"results":[{rows}]}}"#));
        let inventory = list(
            open(&artifactory.stage().url(), reader()).await,
            &wanted(&["docker-local/shop"]),
        )
        .await;
        assert_eq!(
            inventory.found,
            expected(&content(3), |name| name == "docker-local/shop"),
            "{rows}"
        );
    }
    let artifactory = start(content(3)).await;
    artifactory.stage().lie(AQL, |_| {
        let row = |at: usize| format!(r#"{{"path":"shop/t{at}"}}"#);
        format!(
            r#"{{"results":[{}]}}"#,
            (0..1_000).map(row).collect::<Vec<_>>().join(",")
        )
    });
    let registry = open(&artifactory.stage().url(), reader()).await;
    let mut tags = registry.tags(&"docker-local/shop".parse().unwrap());
    let mut found = 0;
    while let Some(page) = tags.next_page().await.unwrap() {
        found += page.tags.len();
    }
    assert_eq!(found, 1_003, "the same page again ends the walk");
    assert_eq!(artifactory.stage().log().count(|seen| seen.path() == AQL), 2);
}

#[tokio::test]
async fn a_login_that_is_not_known_and_one_that_may_not_list_are_told_apart() {
    for (secret, status, code) in [
        ("wrong", None, FindingCode::AuthenticationFailed),
        ("jfrog-secret", Some(403), FindingCode::NativeApiRefused),
        ("jfrog-secret", Some(404), FindingCode::NativeApiRefused),
    ] {
        let artifactory = start(content(1)).await;
        if let Some(status) = status {
            let refused = Fault::Answer {
                status,
                code: "DENIED",
                retry_after: None,
            };
            let list = Rule::on("/artifactory/api/repositories");
            artifactory.stage().faults().add(list, refused);
        }
        let login = Some(login("reader", secret));
        let client = RegistryClient::new(access(&artifactory.stage().url(), login)).unwrap();
        let registry = Registry::open(client).await.unwrap();
        let mut ladder = registry.repositories(&wanted(&[]));
        while ladder.next_page().await.unwrap().is_some() {}
        let step = &ladder.steps()[0];
        assert_eq!(
            (step.found, step.complete, ladder.is_complete()),
            (0, false, false)
        );
        assert_eq!(step.finding.as_ref().unwrap().code, code, "{status:?}");
    }
}
