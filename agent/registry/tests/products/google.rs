//! Google's registries.

use portolan_doubles::Content;
use portolan_doubles::content::Image;
use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::products::Google;
use portolan_registry::{Head, RegistryClient};
use portolan_shared::model::{
    CredentialKind, DiscoveryMethod, FindingCode, Flavour, ListingMethod, ReferenceTarget,
};

use super::inventory::{Found, access, content, expected, list, login, open, tasks, wanted};

fn token() -> Option<portolan_registry::Credential> {
    Some(login("oauth2accesstoken", "ya29-secret"))
}

fn google() -> Google {
    Google::new().access_token("ya29-secret", &["acme", "tools"])
}

#[tokio::test]
async fn native_and_general_ways_come_to_the_same() {
    for google in [google(), google().times_as_numbers()] {
        let google = google
            .with_catalog()
            .start(content(150), None, &tasks())
            .await
            .unwrap();
        let all = expected(&google.content(), |_| true);
        let patterns = wanted(&["acme/**", "tools/**"]);
        let native = list(open(&google.url(), token()).await, &patterns).await;
        let requests = google.log().total();
        assert_eq!(native.registry.detection().flavour, Flavour::Google);
        assert_eq!(native.found, all);
        assert!(native.complete);
        assert_eq!(native.tried(), [(DiscoveryMethod::GoogleChildren, 3, true)]);
        assert_eq!(native.listed(), [(ListingMethod::GoogleTagsList, 3, 0)]);
        assert_eq!((native.asked, native.pushed.len()), (0, all.len()));
        let heads = google.log().count(|seen| seen.method == http::Method::HEAD);
        assert_eq!(heads, 0);

        google.log().clear();
        assert_eq!(in_the_general_way(&google.url(), &google.content()).await, all);
        let general = google.log().total();
        assert!(requests * 5 < general, "{requests} requests and {general}");
    }
}

/// What everybody's list and a HEAD for each tag come to.
async fn in_the_general_way(url: &str, content: &Content) -> Found {
    let client = RegistryClient::new(access(url, token())).unwrap();
    let mut found = Found::new();
    for repository in content.repositories().keys() {
        let mut walk = client.tags(repository);
        while let Some(page) = walk.next_page().await.unwrap() {
            for tag in page.items {
                let target = ReferenceTarget::Tag(tag.clone());
                let Head::Found(head) = client.head_manifest(repository, &target, None).await.unwrap() else {
                    panic!("{repository}:{tag} is not there");
                };
                found.insert((repository.to_string(), tag.to_string()), head.digest);
            }
        }
    }
    found
}

#[tokio::test]
async fn an_answer_like_everybody_elses_is_read_as_such() {
    let google = google()
        .with_catalog()
        .start(content(4), None, &tasks())
        .await
        .unwrap();
    google
        .faults()
        .add(Rule::on("/acme/shop/tags/list"), Fault::Garble);
    let inventory = open(&google.url(), token()).await;
    // A body that is no JSON any more fails in both ways.
    let mut tags = inventory.tags(&"acme/shop".parse().unwrap());
    assert!(tags.next_page().await.is_err());
    google.faults().clear();
    let all = list(inventory, &wanted(&[])).await;
    assert_eq!(
        all.tried(),
        [
            (DiscoveryMethod::GoogleChildren, 0, false),
            (DiscoveryMethod::Catalog, 3, true)
        ]
    );
    let why = all.steps[0].finding.as_ref().unwrap();
    assert_eq!(
        why.code,
        FindingCode::NativeApiNotAsked,
        "no pattern names a path"
    );
    assert_eq!(all.found, expected(&google.content(), |_| true));
}

#[tokio::test]
async fn a_path_that_may_not_be_read_leaves_the_others() {
    let mut content = Content::new();
    for name in ["acme/repo/a", "acme/repo/a/deep/er", "acme/other/b", "secret/c"] {
        let mut shelf = content.shelf(name);
        let image = shelf.image(&Image::new(name));
        shelf.tag("latest", &image);
    }
    let google = google().start(content, None, &tasks()).await.unwrap();
    let patterns = wanted(&["acme/**", "secret/**"]);
    let inventory = list(open(&google.url(), token()).await, &patterns).await;
    assert_eq!(
        inventory.found,
        expected(&google.content(), |name| name.starts_with("acme/"))
    );
    assert!(!inventory.complete);
    assert!(inventory.steps[0].finding.is_some() && !inventory.steps[0].complete);
    assert_eq!(inventory.tried()[1].0, DiscoveryMethod::Catalog);
}

#[tokio::test]
async fn a_denied_repository_is_asked_for_once() {
    let google = google().start(content(1), None, &tasks()).await.unwrap();
    let registry = open(&google.url(), token()).await;
    for name in ["hidden/a", "hidden/b", "hidden/c", "hidden/d"] {
        let before = google.log().count(|seen| seen.path().ends_with("/tags/list"));
        let mut tags = registry.tags(&name.parse().unwrap());
        assert!(tags.next_page().await.unwrap_err().is_denied());
        let after = google.log().count(|seen| seen.path().ends_with("/tags/list"));
        assert_eq!(after - before, 1, "{name}");
    }
    let mut tags = registry.tags(&"tools/lint".parse().unwrap());
    let page = tags.next_page().await.unwrap().unwrap();
    assert!(page.tags[0].digest.is_some(), "its own list is still trusted");
}

#[tokio::test]
async fn access_tokens_are_known_by_the_name_beside_them() {
    let google = google().start(content(1), None, &tasks()).await.unwrap();
    let facts = open(&google.url(), token()).await.credential().await.unwrap();
    assert_eq!(facts.unwrap().kind, CredentialKind::OauthToken);
}

#[tokio::test]
async fn thousands_of_tags_come_in_one_answer_and_are_passed_on_in_pieces() {
    let google = google().start(content(2_300), None, &tasks()).await.unwrap();
    let registry = open(&google.url(), token()).await;
    google.log().clear();
    let mut tags = registry.tags(&"acme/shop".parse().unwrap());
    let (mut pieces, mut held) = (Vec::new(), Vec::new());
    while let Some(page) = tags.next_page().await.unwrap() {
        pieces.push(page.tags.len());
        held.push(tags.held());
    }
    assert_eq!((pieces, held), (vec![1_000, 1_000, 300], vec![1_300, 300, 0]));
    assert_eq!(google.log().count(|seen| seen.path().ends_with("/tags/list")), 1);
}

#[tokio::test]
async fn names_among_the_patterns_need_not_be_found() {
    let google = google().start(content(1), None, &tasks()).await.unwrap();
    let patterns = wanted(&["acme/shop/**", "tools/lint"]);
    let inventory = list(open(&google.url(), token()).await, &patterns).await;
    assert_eq!(
        inventory.tried(),
        [
            (DiscoveryMethod::GoogleChildren, 2, true),
            (DiscoveryMethod::Explicit, 1, true)
        ]
    );
    assert!(inventory.complete);
    assert_eq!(inventory.found, expected(&google.content(), |_| true));
}
