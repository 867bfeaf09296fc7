//! Several registries behind one address: each with its own path, token service and rights.

use portolan_doubles::faults::{Fault, Rule};
use portolan_shared::model::FindingCode;

use super::artifactory::{content, reader, start};
use super::inventory::{expected, list, open, wanted};

#[tokio::test]
async fn tokens_are_asked_of_the_service_of_each_repository_once() {
    let artifactory = start(content(3)).await;
    artifactory.behave(|manners| manners.queries = false);
    let inventory = list(open(&artifactory.stage().url(), reader()).await, &wanted(&[])).await;
    assert_eq!(inventory.found, expected(&content(3), |_| true));
    let tokens = |key: &str| {
        let path = format!("/artifactory/api/docker/{key}/v2/token");
        artifactory
            .stage()
            .log()
            .count(|seen| seen.path() == path && seen.status == Some(200))
    };
    assert_eq!(
        (tokens("docker-local"), tokens("docker-prod"), tokens("hub-cache")),
        (3, 2, 2),
        "the catalog's, and one an image"
    );
    let refused = |seen: &portolan_doubles::network::Seen| {
        seen.path().contains("/manifests/") && seen.status == Some(401)
    };
    assert_eq!(
        artifactory.stage().log().count(refused),
        0,
        "what the list's challenge named is used ahead"
    );
    assert_eq!(
        artifactory.stage().log().count(|seen| seen.status == Some(406)),
        0
    );
}

#[tokio::test]
async fn names_alone_are_routed_also_when_a_tag_is_asked_for_first() {
    let artifactory = start(content(2)).await;
    let registry = open(&format!("{}/artifactory", artifactory.stage().url()), reader()).await;
    let (name, tag) = ("docker-prod/shop".parse().unwrap(), "1.1".parse().unwrap());
    let target = portolan_shared::model::ReferenceTarget::Tag(tag);
    let head = registry
        .client()
        .head_manifest(&name, &target, None)
        .await
        .unwrap();
    let portolan_registry::Head::Found(found) = head else {
        panic!("it is there");
    };
    assert_eq!(Some(&found.digest), content(2).resolve("docker-prod/shop", "1.1"));
    let fetched = registry
        .client()
        .get_manifest(&name, &found.digest)
        .await
        .unwrap();
    assert_eq!(fetched.digest, found.digest);
    let outside = artifactory.stage().log().count(|seen| {
        seen.path().contains("/manifests/")
            && !seen
                .path()
                .starts_with("/artifactory/api/docker/docker-prod/v2/shop/")
    });
    assert_eq!(outside, 0);
}

#[tokio::test]
async fn a_login_without_rights_in_one_part_reads_the_others() {
    for status in [403, 404] {
        let artifactory = start(content(2)).await;
        artifactory.behave(|manners| manners.queries = false);
        let refused = Fault::Answer {
            status,
            code: "DENIED",
            retry_after: None,
        };
        let token = Rule::on("/artifactory/api/docker/docker-local/v2/token");
        artifactory.stage().faults().add(token, refused);
        let inventory = list(open(&artifactory.stage().url(), reader()).await, &wanted(&[])).await;
        assert_eq!(
            inventory.found,
            expected(&content(2), |name| !name.starts_with("docker-local/")),
            "{status}"
        );
        assert!(!inventory.complete);
        let finding = inventory.steps[0].finding.as_ref().unwrap();
        assert_eq!(finding.code, FindingCode::ViewIsPartial);
    }
}

#[tokio::test]
async fn a_login_that_is_refused_outright_is_refused_everywhere() {
    let artifactory = start(content(2)).await;
    let refused = Fault::Answer {
        status: 401,
        code: "UNAUTHORIZED",
        retry_after: None,
    };
    let rule = artifactory.stage().faults().add(Rule::on("/v2/token"), refused);
    let registry = open(&artifactory.stage().url(), reader()).await;
    let mut ladder = registry.repositories(&wanted(&[]));
    let error = loop {
        match ladder.next_page().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a refused login ends the search"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.finding().code, FindingCode::AuthenticationFailed);
    assert_eq!(artifactory.stage().faults().hits(rule), 1, "it is tried once");
}
