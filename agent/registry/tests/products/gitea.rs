//! Gitea and Forgejo.

use portolan_doubles::Content;
use portolan_doubles::content::Image;
use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::products::{GiteaAge, GiteaDouble};
use portolan_registry::{Credential, RegistryClient};
use portolan_shared::model::{CredentialKind, DiscoveryMethod, FindingCode, Flavour, ListingMethod};

use super::inventory::{access, content, expected, list, login, open, tasks, wanted};

const NAMED: [&str; 2] = ["acme/**", "tools/**"];

fn reader() -> Option<Credential> {
    Some(login("reader", "gitea-secret"))
}

async fn start(content: Content, age: GiteaAge) -> GiteaDouble {
    let (reader, owners) = (("reader", "gitea-secret"), ["acme", "tools"]);
    GiteaDouble::start(content, age, reader, &owners, None, &tasks())
        .await
        .unwrap()
}

#[tokio::test]
async fn packages_and_catalog_come_to_the_same() {
    for age in [GiteaAge::Newer, GiteaAge::Older] {
        let gitea = start(content(120), age).await;
        let all = expected(&content(120), |_| true);
        let native = list(open(&gitea.stage().url(), reader()).await, &wanted(&NAMED)).await;
        assert_eq!(native.registry.detection().flavour, Flavour::Gitea, "{age:?}");
        assert_eq!(native.found, all);
        assert_eq!(native.tried(), [(DiscoveryMethod::GiteaPackages, 3, true)]);
        assert!(native.complete);
        assert_eq!(native.listed(), [(ListingMethod::TagsList, 3, 0)]);
        let pages = gitea
            .stage()
            .log()
            .count(|seen| seen.path().starts_with("/api/v1/packages/"));
        assert_eq!(
            pages, 6,
            "three pages of acme's versions, one of tools', and an empty one of each"
        );

        let general = list(open(&gitea.stage().url(), reader()).await, &wanted(&[])).await;
        assert_eq!(general.found, all);
        assert_eq!(
            general.tried(),
            [
                (DiscoveryMethod::GiteaPackages, 0, false),
                (DiscoveryMethod::Catalog, 3, true)
            ]
        );
        assert!(general.complete);
        let why = general.steps[0].finding.as_ref().unwrap();
        assert_eq!(why.code, FindingCode::NativeApiNotAsked);
        assert!(why.seen.contains("not every pattern names one"), "{why}");
        let facts = general.registry.credential().await.unwrap().unwrap();
        assert_eq!(
            (facts.kind, facts.owner.as_deref(), facts.expires_at),
            (CredentialKind::Unknown, Some("reader"), None),
            "a password, or a token in its place"
        );
    }
}

#[tokio::test]
async fn names_are_in_lower_case_as_the_registry_knows_them() {
    let mut content = Content::new();
    let mut shelf = content.shelf("acme/app");
    let image = shelf.image(&Image::new("app"));
    shelf.tag("1", &image);
    let gitea = start(content, GiteaAge::Newer).await;
    gitea.stage().lie("/api/v1/packages/", |query| {
        let first = query.contains("page=1");
        let rows = r#"[{"name":"App","version":"1"},{"name":7},{"name":"a b","version":"1"},null]"#;
        if first { rows.to_owned() } else { "[]".to_owned() }
    });
    let inventory = list(open(&gitea.stage().url(), reader()).await, &wanted(&["acme/**"])).await;
    assert_eq!(inventory.found.len(), 1);
    // A row that cannot be read may be one that matters, so the catalog is asked as well.
    assert_eq!(
        inventory.tried(),
        [
            (DiscoveryMethod::GiteaPackages, 1, false),
            (DiscoveryMethod::Catalog, 0, true)
        ]
    );
    let finding = inventory.steps[0].finding.as_ref().unwrap();
    assert_eq!(finding.code, FindingCode::ListingIncomplete);
}

#[tokio::test]
async fn a_refused_api_leads_to_the_catalog() {
    for status in [401, 403, 404, 500] {
        let gitea = start(content(2), GiteaAge::Newer).await;
        let code = if status == 403 { "" } else { "DENIED" };
        gitea.stage().faults().add(
            Rule::on("/api/v1/packages/"),
            Fault::Answer {
                status,
                code,
                retry_after: None,
            },
        );
        let inventory = list(open(&gitea.stage().url(), reader()).await, &wanted(&NAMED)).await;
        assert_eq!(inventory.found, expected(&content(2), |_| true), "{status}");
        assert_eq!(
            inventory.tried(),
            [
                (DiscoveryMethod::GiteaPackages, 0, false),
                (DiscoveryMethod::Catalog, 3, true)
            ]
        );
        assert!(inventory.complete && inventory.steps[0].finding.is_some());
    }
}

#[tokio::test]
async fn one_owner_that_cannot_be_listed_does_not_stop_the_others() {
    let gitea = start(content(2), GiteaAge::Newer).await;
    let patterns = ["acme/**", "hidden/**", "tools/**"];
    let inventory = list(open(&gitea.stage().url(), reader()).await, &wanted(&patterns)).await;
    assert_eq!(inventory.found, expected(&content(2), |_| true));
    assert_eq!(
        inventory.tried(),
        [
            (DiscoveryMethod::GiteaPackages, 3, false),
            (DiscoveryMethod::Catalog, 0, true)
        ]
    );
    let finding = inventory.steps[0].finding.as_ref().unwrap();
    assert_eq!(finding.code, FindingCode::ViewIsPartial);
    assert!(finding.seen.contains("1 of 3"), "{finding}");
}

#[tokio::test]
async fn pages_that_repeat_or_never_end_end_the_walk() {
    let gitea = start(content(2), GiteaAge::Newer).await;
    gitea.stage().lie("/api/v1/packages/acme", |_| {
        r#"[{"name":"shop","version":"1"}]"#.to_owned()
    });
    gitea.stage().lie("/api/v1/packages/tools", |query| {
        format!(r#"[{{"name":"lint","version":"{query}"}}]"#)
    });
    let mut access = access(&gitea.stage().url(), reader());
    access.limits.pages = 5;
    let registry = portolan_registry::Registry::open(RegistryClient::new(access).unwrap())
        .await
        .unwrap();
    let mut ladder = registry.repositories(&wanted(&NAMED));
    while ladder.next_page().await.unwrap().is_some() {}
    let step = &ladder.steps()[0];
    assert_eq!((step.found, step.complete), (2, false));
    let finding = step.finding.as_ref().unwrap();
    assert_eq!(finding.code, FindingCode::ListingIncomplete, "{finding}");
    let asked = |owner: &str| gitea.stage().log().count(|seen| seen.path().ends_with(owner));
    assert_eq!((asked("/acme"), asked("/tools")), (2, 5));
    assert_eq!(ladder.steps()[1].method, DiscoveryMethod::Catalog);
}
