//! Sonatype Nexus Repository.

use portolan_doubles::Content;
use portolan_doubles::content::Image;
use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::products::{NexusDouble, NexusKind};
use portolan_registry::{Credential, Registry, RegistryClient};
use portolan_shared::model::{CredentialKind, DiscoveryMethod, FindingCode, Flavour, ListingMethod};

use super::inventory::{access, expected, list, login, open, tasks, wanted, within};

fn reader() -> Option<Credential> {
    Some(login("reader", "nexus-secret"))
}

/// Two repositories with an image of the same name each, and a group over both.
fn content(many: usize) -> Content {
    let mut content = Content::new();
    for (name, count) in [
        ("hosted/shop/api", many),
        ("hosted/shop", 1),
        ("proxied/shop/api", 2),
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
    content
}

async fn start(content: Content) -> NexusDouble {
    let members = vec!["hosted".to_owned(), "proxied".to_owned()];
    let repositories = [
        ("hosted", NexusKind::Hosted),
        ("proxied", NexusKind::Proxy),
        ("all", NexusKind::Group(members)),
    ];
    let reader = ("reader", "nexus-secret");
    NexusDouble::start(content, &repositories, reader, None, &tasks())
        .await
        .unwrap()
}

#[tokio::test]
async fn all_repositories_of_the_instance_are_read_in_one_connection() {
    let nexus = start(content(120)).await;
    let all = expected(&content(120), |_| true);
    let native = list(open(&nexus.stage().url(), reader()).await, &wanted(&[])).await;
    assert_eq!(native.registry.detection().flavour, Flavour::Nexus);
    assert_eq!(native.registry.detection().version.as_deref(), Some("3.68.1-02"));
    assert_eq!(native.found, all);
    assert_eq!(native.tried(), [(DiscoveryMethod::NexusComponents, 3, true)]);
    assert_eq!(native.listed(), [(ListingMethod::NexusComponents, 3, 0)]);
    assert!(native.complete);
    assert_eq!(
        native.steps[0].finding.as_ref().unwrap().code,
        FindingCode::MergedPassedOver
    );
    assert_eq!((native.asked, native.pushed.len()), (0, all.len()));
    let moved = "2026-02-04T04:05:06Z".parse().unwrap();
    assert!(native.pushed.values().all(|pushed| *pushed == moved));
    let asked = nexus
        .stage()
        .log()
        .count(|seen| seen.path().starts_with("/service/rest/"));
    assert_eq!(asked, 5, "the repositories, three pages of one, one of the other");
    let routed = nexus
        .stage()
        .log()
        .count(|seen| seen.path().starts_with("/repository/"));
    assert_eq!(routed, 0, "nothing else is needed");
}

#[tokio::test]
async fn one_repository_is_read_by_its_path_its_port_or_both_ways_alike() {
    let nexus = start(content(70)).await;
    let all = expected(&content(70), |_| true);
    let own = within("hosted", &all);
    let by_path = format!("{}/repository/hosted", nexus.stage().url());
    let native = list(open(&by_path, reader()).await, &wanted(&[])).await;
    assert_eq!(native.found, own);
    assert_eq!(native.tried(), [(DiscoveryMethod::NexusComponents, 2, true)]);
    assert_eq!(
        (native.asked, native.listed()),
        (0, vec![(ListingMethod::NexusComponents, 2, 0)])
    );

    let by_port = list(
        open(&nexus.connector("hosted").url(), reader()).await,
        &wanted(&[]),
    )
    .await;
    assert_eq!(by_port.registry.detection().flavour, Flavour::Nexus);
    assert_eq!(by_port.found, own);
    assert_eq!(
        by_port.tried(),
        [
            (DiscoveryMethod::NexusComponents, 0, false),
            (DiscoveryMethod::Catalog, 2, true)
        ]
    );
    let why = by_port.steps[0].finding.as_ref().unwrap();
    assert_eq!(why.code, FindingCode::NativeApiNotAsked);
    let facts = by_port.registry.credential().await.unwrap().unwrap();
    assert_eq!(facts.kind, CredentialKind::Password);
    assert_eq!(by_port.asked, own.len());
}

#[tokio::test]
async fn where_components_are_refused_tags_are_listed_in_the_general_way() {
    for (status, code) in [
        (401, "UNAUTHORIZED"),
        (403, "DENIED"),
        (404, ""),
        (500, "UNKNOWN"),
    ] {
        let nexus = start(content(3)).await;
        nexus.behave(|manners| manners.holes = true);
        let refused = Fault::Answer {
            status,
            code,
            retry_after: None,
        };
        nexus
            .stage()
            .faults()
            .add(Rule::on("/service/rest/v1/components"), refused);
        let by_path = format!("{}/repository/hosted", nexus.stage().url());
        let inventory = list(open(&by_path, reader()).await, &wanted(&[])).await;
        assert_eq!(
            inventory.found,
            within("hosted", &expected(&content(3), |_| true)),
            "{status}"
        );
        assert_eq!(
            inventory.tried(),
            [
                (DiscoveryMethod::NexusComponents, 0, false),
                (DiscoveryMethod::Catalog, 2, true)
            ]
        );
        assert!(inventory.steps[0].finding.is_some() && inventory.complete);
        assert_eq!(inventory.listed(), [(ListingMethod::TagsList, 2, 0)]);
    }
}

#[tokio::test]
async fn one_repository_that_may_not_be_browsed_does_not_stop_the_others() {
    let nexus = start(content(2)).await;
    nexus.behave(|manners| manners.closed = vec!["hosted".to_owned()]);
    let inventory = list(open(&nexus.stage().url(), reader()).await, &wanted(&[])).await;
    assert_eq!(
        inventory.found,
        expected(&content(2), |name| name.starts_with("proxied/"))
    );
    assert!(!inventory.complete);
    let finding = inventory.steps[0].finding.as_ref().unwrap();
    assert_eq!(finding.code, FindingCode::ViewIsPartial);
    assert!(finding.seen.contains("1 of 2"), "{finding}");
}

#[tokio::test]
async fn only_what_the_patterns_name_is_walked() {
    let nexus = start(content(2)).await;
    let inventory = list(
        open(&nexus.stage().url(), reader()).await,
        &wanted(&["proxied/**"]),
    )
    .await;
    assert_eq!(
        inventory.found,
        expected(&content(2), |name| name.starts_with("proxied/"))
    );
    assert!(inventory.complete);
    let asked = nexus
        .stage()
        .log()
        .count(|seen| seen.path().starts_with("/service/rest/"));
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn names_alone_are_routed_to_their_repository() {
    let nexus = start(content(2)).await;
    let inventory = list(
        open(&nexus.stage().url(), reader()).await,
        &wanted(&["proxied/shop/api"]),
    )
    .await;
    assert_eq!(
        inventory.found,
        expected(&content(2), |name| name == "proxied/shop/api")
    );
    assert_eq!(inventory.listed(), [(ListingMethod::TagsList, 1, 0)]);
    let routed =
        |seen: &portolan_doubles::network::Seen| seen.path().starts_with("/repository/proxied/v2/shop/api/");
    assert_eq!(
        nexus.stage().log().count(routed),
        4,
        "asked who we are, then the list and two tags"
    );
}

#[tokio::test]
async fn tokens_that_come_back_and_pages_without_end_end_the_walk() {
    let nexus = start(content(2)).await;
    nexus.behave(|manners| manners.circle = true);
    let by_path = format!("{}/repository/hosted", nexus.stage().url());
    let circle = list(open(&by_path, reader()).await, &wanted(&[])).await;
    assert_eq!(
        circle.found,
        within("hosted", &expected(&content(2), |_| true)),
        "the catalog makes good for it"
    );
    assert_eq!(
        circle.steps[0].finding.as_ref().unwrap().code,
        FindingCode::ListingIncomplete
    );
    assert_eq!(
        circle.listed(),
        [(ListingMethod::TagsList, 2, 0)],
        "half a list is kept by nobody"
    );
    let pages = |nexus: &NexusDouble| {
        nexus
            .stage()
            .log()
            .count(|seen| seen.path().ends_with("/components"))
    };
    assert_eq!(pages(&nexus), 2);

    let nexus = start(content(2)).await;
    nexus.stage().lie("/components", |query| {
        let length = query.len();
        format!(
            r#"{{"items":[{{"name":"shop","version":"v{length}"}}],"continuationToken":"{}"}}"#,
            "x".repeat(length)
        )
    });
    let by_path = format!("{}/repository/hosted", nexus.stage().url());
    let mut access = access(&by_path, reader());
    access.limits.pages = 7;
    let registry = Registry::open(RegistryClient::new(access).unwrap())
        .await
        .unwrap();
    let mut ladder = registry.repositories(&wanted(&[]));
    while ladder.next_page().await.unwrap().is_some() {}
    assert_eq!((pages(&nexus), ladder.steps()[0].complete), (7, false));
}

#[tokio::test]
async fn names_are_given_up_to_their_bound() {
    let nexus = start(content(2)).await;
    let mut access = access(&nexus.stage().url(), reader());
    access.limits.repositories = 2;
    let registry = Registry::open(RegistryClient::new(access).unwrap())
        .await
        .unwrap();
    let mut ladder = registry.repositories(&wanted(&[]));
    while ladder.next_page().await.unwrap().is_some() {}
    let step = &ladder.steps()[0];
    assert_eq!((step.found, step.complete), (2, false));
    assert_eq!(
        step.finding.as_ref().unwrap().code,
        FindingCode::ListingIncomplete
    );
}

#[tokio::test]
async fn more_tags_than_are_kept_are_listed_in_the_general_way() {
    let nexus = start(content(2)).await;
    nexus.stage().lie("/components", |query| {
        let page: usize = query
            .rsplit_once("at-")
            .and_then(|(_, page)| page.parse().ok())
            .unwrap_or(0);
        let row = |at: usize| format!(r#"{{"name":"shop/api","version":"{page}-{at}"}}"#);
        let rows = (0..9_000).map(row).collect::<Vec<_>>().join(",");
        let next = (page < 6).then(|| format!(r#""at-{}""#, page + 1));
        format!(
            r#"{{"items":[{rows}],"continuationToken":{}}}"#,
            next.unwrap_or_else(|| "null".to_owned())
        )
    });
    let url = format!("{}/repository/hosted", nexus.stage().url());
    let inventory = list(open(&url, reader()).await, &wanted(&[])).await;
    assert_eq!(inventory.tried(), [(DiscoveryMethod::NexusComponents, 1, true)]);
    assert_eq!(inventory.listed(), [(ListingMethod::TagsList, 1, 0)]);
    assert_eq!(inventory.found.len(), 2, "63,000 are not kept");
}

#[tokio::test]
async fn who_sees_no_repository_at_all_proves_nothing() {
    let nexus = start(content(2)).await;
    nexus
        .stage()
        .lie("/service/rest/v1/repositories", |_| "[]".to_owned());
    let inventory = list(open(&nexus.stage().url(), reader()).await, &wanted(&[])).await;
    assert!(!inventory.complete && inventory.found.is_empty());
    assert_eq!(
        inventory.steps[0].finding.as_ref().unwrap().code,
        FindingCode::NothingVisible
    );
}

#[tokio::test]
async fn rows_that_cannot_be_read_are_counted_and_no_tag_is_taken_for_gone() {
    let nexus = start(content(2)).await;
    nexus.stage().lie("/components", |_| {
        r#"{"items":[{"name":"shop/api","version":"1.0","assets":{}},{"name":"shop/api","version":"1.1"},{"name":["x"]},7]}"#.to_owned()
    });
    let by_path = format!("{}/repository/hosted", nexus.stage().url());
    let inventory = list(open(&by_path, reader()).await, &wanted(&[])).await;
    assert_eq!(
        inventory.steps[0].finding.as_ref().unwrap().code,
        FindingCode::ListingIncomplete
    );
    assert_eq!(inventory.found.len(), 3, "every tag, by the general way");
    assert_eq!(inventory.listed(), [(ListingMethod::TagsList, 2, 0)]);
}

#[tokio::test]
async fn a_token_of_the_wrong_kind_and_no_list_are_no_end() {
    for lie in [
        r#"{"items":[{"name":"shop/api","version":"1.0"}],"continuationToken":7}"#,
        r#"{"items":null,"continuationToken":null}"#,
    ] {
        let nexus = start(content(2)).await;
        nexus.stage().lie("/components", |_| lie.to_owned());
        let by_path = format!("{}/repository/hosted", nexus.stage().url());
        let inventory = list(open(&by_path, reader()).await, &wanted(&[])).await;
        assert!(!inventory.steps[0].complete, "{lie}");
        assert!(inventory.steps[0].finding.is_some(), "{lie}");
    }
}

#[tokio::test]
async fn another_host_is_not_taken_for_the_instance() {
    let nexus = start(content(2)).await;
    let other = start(content(2)).await;
    nexus.stage().faults().add(
        Rule::on("/service/rest/v1/components"),
        Fault::Redirect {
            status: 307,
            location: format!(
                "{}/service/rest/v1/components?repository=hosted",
                other.stage().url()
            ),
        },
    );
    let by_path = format!("{}/repository/hosted", nexus.stage().url());
    let inventory = list(open(&by_path, reader()).await, &wanted(&[])).await;
    assert_eq!(inventory.tried()[0], (DiscoveryMethod::NexusComponents, 0, false));
    assert_eq!(
        inventory.found,
        within("hosted", &expected(&content(2), |_| true))
    );
    assert_eq!(
        other.stage().log().count(|seen| seen.authorization.is_some()),
        0,
        "the login stays"
    );
}

#[tokio::test]
async fn a_nexus_in_trouble_is_no_instance() {
    let nexus = start(content(1)).await;
    nexus.stage().faults().add(Rule::on("/v2/"), Fault::unavailable());
    let client = RegistryClient::new(access(&nexus.stage().url(), reader())).unwrap();
    let error = Registry::open(client).await.err().unwrap();
    assert_eq!(error.finding().code, FindingCode::Unavailable);
}
