//! Zot.

use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::products::Zot;
use portolan_shared::model::{DiscoveryMethod, FindingCode, Flavour, ListingMethod};

use super::inventory::{content, expected, list, login, open, tasks, wanted};

fn reader() -> Option<portolan_registry::Credential> {
    Some(login("reader", "s3cret"))
}

#[tokio::test]
async fn native_and_general_ways_come_to_the_same() {
    let by_password = Zot::new().account("reader", "s3cret", &["**"]);
    let by_token = Zot::new().account("reader", "s3cret", &["**"]).by_token();
    for (zot, login) in [(Zot::new(), None), (by_password, reader()), (by_token, reader())] {
        let zot = zot.start(content(120), None, &tasks()).await.unwrap();
        let all = expected(&zot.content(), |_| true);
        let native = list(open(&zot.url(), login.clone()).await, &wanted(&[])).await;
        let requests = zot.log().total();
        assert_eq!(native.registry.detection().flavour, Flavour::Zot);
        assert_eq!(native.found, all);
        assert!(native.complete);
        assert_eq!(native.tried(), [(DiscoveryMethod::Catalog, 3, true)]);
        assert_eq!(native.listed(), [(ListingMethod::ZotSearch, 3, 0)]);
        assert_eq!(native.asked, 1, "the signature is no image of its own");
        assert_eq!(native.pushed.len(), all.len() - 1);

        zot.log().clear();
        zot.faults().add(
            Rule::on("/v2/_zot/ext/search"),
            Fault::Answer {
                status: 500,
                code: "UNKNOWN",
                retry_after: None,
            },
        );
        let general = list(open(&zot.url(), login).await, &wanted(&[])).await;
        assert_eq!(general.found, all);
        let general_requests = zot.log().total();
        assert!(
            requests * 5 < general_requests,
            "{requests} and {general_requests}"
        );
        assert_eq!(zot.with(|zot| zot.downloads()), 0);
    }
}

#[tokio::test]
async fn without_the_extension_tags_are_listed_in_the_general_way() {
    let zot = Zot::new()
        .without_search()
        .start(content(2), None, &tasks())
        .await
        .unwrap();
    let inventory = list(open(&zot.url(), None).await, &wanted(&[])).await;
    assert_eq!(inventory.registry.detection().flavour, Flavour::Zot);
    assert_eq!(inventory.found, expected(&zot.content(), |_| true));
    let listings = inventory.listings();
    assert_eq!(
        (listings[0].method, listings[0].given_up),
        (ListingMethod::ZotSearch, 3)
    );
    assert_eq!(
        (listings[1].method, listings[1].repositories),
        (ListingMethod::TagsList, 3)
    );
}

#[tokio::test]
async fn an_older_schema_is_asked_for_what_it_knows() {
    let zot = Zot::new()
        .without_push_times()
        .start(content(2), None, &tasks())
        .await
        .unwrap();
    let inventory = list(open(&zot.url(), None).await, &wanted(&[])).await;
    assert_eq!(inventory.found, expected(&zot.content(), |_| true));
    assert_eq!(inventory.listed(), [(ListingMethod::ZotSearch, 3, 0)]);
    assert!(inventory.pushed.is_empty());
    let refused = zot.log().count(|seen| seen.status == Some(422));
    assert_eq!(refused, 1, "what was learnt is not asked again");
}

#[tokio::test]
async fn the_search_finds_repositories_where_the_catalog_fails() {
    let zot = Zot::new().start(content(2), None, &tasks()).await.unwrap();
    zot.faults().add(
        Rule::on("/v2/_catalog"),
        Fault::Answer {
            status: 403,
            code: "DENIED",
            retry_after: None,
        },
    );
    let inventory = list(open(&zot.url(), None).await, &wanted(&[])).await;
    assert_eq!(inventory.found, expected(&zot.content(), |_| true));
    assert_eq!(
        inventory.tried(),
        [
            (DiscoveryMethod::Catalog, 0, false),
            (DiscoveryMethod::ZotSearch, 3, true)
        ]
    );
    assert!(!inventory.complete, "the search is not known to show everything");
    let refused = inventory.steps[0].finding.as_ref().unwrap();
    assert_eq!(refused.code, FindingCode::CatalogDenied);
}

#[tokio::test]
async fn a_login_sees_what_it_may_read() {
    let zot = Zot::new()
        .account("reader", "s3cret", &["tools/**"])
        .open_to_strangers();
    let zot = zot.start(content(2), None, &tasks()).await.unwrap();
    let strangers = list(open(&zot.url(), None).await, &wanted(&[])).await;
    assert_eq!(strangers.found.len(), expected(&zot.content(), |_| true).len());

    let closed = Zot::new().account("reader", "s3cret", &["tools/**"]);
    let zot = closed.start(content(2), None, &tasks()).await.unwrap();
    let own = list(open(&zot.url(), reader()).await, &wanted(&[])).await;
    assert_eq!(
        own.found,
        expected(&zot.content(), |name| name.starts_with("tools/"))
    );
    assert!(own.complete);
}
