//! GitLab's tags by the web host, where the registry's own lists fail.

use std::sync::Arc;
use std::time::Duration;

use portolan_doubles::content::FIXTURE_MANIFEST;
use portolan_doubles::faults::{Fault as Served, Rule};
use portolan_doubles::registry::Paging;
use portolan_doubles::web::{GitLab, Mode};
use portolan_registry::{Registry, RegistryClient};
use portolan_shared::model::{Finding, FindingCode, ListingMethod, ListingStep, MediaType};

use crate::client::access;
use crate::gitlab::{TOKEN, open, registry};
use crate::gitlab_double::{Fixture, name, read_all};
use crate::server::{Answer, Heard, Server};

/// Both of the registry's own lists of tags, `/v2/` and `/gitlab/v1/`.
const LISTS: &str = "/tags/list";

fn answers(status: u16, code: &'static str) -> Served {
    Served::Answer {
        status,
        code,
        retry_after: None,
    }
}

/// A GitLab whose lists of tags something in front of the registry answers so.
async fn behind_a_proxy(mode: Mode, status: u16) -> Fixture {
    let fixture = Fixture::start(mode).await;
    fixture
        .registry()
        .faults()
        .add(Rule::on(LISTS), answers(status, ""));
    fixture
}

fn steps(registry: &Registry) -> Vec<(ListingMethod, u64, u64)> {
    let of = |step: &ListingStep| (step.method, step.repositories, step.given_up);
    registry.listings().iter().map(of).collect()
}

/// The names of a repository's tags, and why they are not all.
async fn tags(registry: &Registry, repository: &str) -> (Vec<String>, Option<Finding>) {
    let mut list = registry.tags(&name(repository));
    let mut tags = Vec::new();
    while let Some(page) = list.next_page().await.unwrap() {
        assert!(page.tags.len() <= 1_000);
        tags.extend(page.tags.iter().map(|tag| tag.tag.to_string()));
    }
    (tags, list.shortfall())
}

/// Requests for tags that the web host was asked.
fn asked_web(fixture: &Fixture) -> usize {
    let log = fixture.gitlab.web().log();
    log.count(|seen| seen.path().starts_with("/api/v4/projects/") && seen.path().ends_with("/tags"))
}

#[tokio::test]
async fn a09_the_web_host_lists_tags_where_both_of_the_registrys_lists_fail() {
    for mode in [Mode::Database, Mode::Filesystem] {
        let fixture = Fixture::start(Mode::Filesystem).await;
        let expected = read_all(&fixture.open(GitLab::FULL).await).await;
        for status in [404, 405, 500, 503] {
            let fixture = behind_a_proxy(mode, status).await;
            let registry = fixture.open(GitLab::FULL).await;
            assert_eq!(read_all(&registry).await, expected, "{mode:?} {status}");
            let steps = steps(&registry);
            let own = (ListingMethod::GitLabV1, 0, 2);
            let others = [(ListingMethod::TagsList, 0, 2), (ListingMethod::GitLabRest, 2, 0)];
            match mode {
                Mode::Database => assert_eq!(steps, [&[own][..], &others].concat(), "{status}"),
                Mode::Filesystem => assert_eq!(steps, others, "{status}"),
            }
            for step in registry.listings() {
                let says_why = step.finding.is_some();
                assert_eq!(says_why, step.method != ListingMethod::GitLabRest, "{step:?}");
            }
            // What they point to is asked of the registry.
            let heads = fixture.registry().log();
            let heads = heads.count(|seen| seen.method == "HEAD" && seen.status == Some(200));
            assert_eq!(heads, 4, "all but that of schema 1");
            assert_eq!(
                fixture.asked_web("/api/v4/projects/acme%2Fshop%2Fapi/registry/repositories/2/tags"),
                0
            );
        }
    }
}

#[tokio::test]
async fn many_tags_are_listed_in_pages_by_name_or_by_number() {
    for mode in [Mode::Database, Mode::Filesystem] {
        let fixture = behind_a_proxy(mode, 404).await;
        fixture.registry().change(|content| {
            for (repository, count) in [("acme/shop/many", 250), ("acme/shop/even", 200)] {
                let mut shelf = content.shelf(repository);
                let digest = shelf.raw_manifest(&MediaType::OCI_MANIFEST, FIXTURE_MANIFEST);
                for number in 0..count {
                    shelf.tag(&format!("t{number:03}"), &digest);
                }
            }
        });
        let registry = fixture.open(GitLab::FULL).await;
        for (repository, count) in [("acme/shop/many", 250), ("acme/shop/even", 200)] {
            let (tags, shortfall) = tags(&registry, repository).await;
            assert_eq!((tags.len(), shortfall), (count, None), "{mode:?}");
        }
        let refused = fixture.gitlab.web().log();
        let refused = refused.count(|seen| seen.status == Some(405));
        assert_eq!(refused, if mode == Mode::Database { 0 } else { 2 });
        let asked = asked_web(&fixture);
        assert!((6..=8).contains(&asked), "{asked} requests for 450 tags");
    }
}

#[tokio::test]
async fn what_the_registry_says_of_a_repository_is_not_asked_of_the_web_host() {
    for (repository, unknown) in [("acme/shop/gone", true), ("acme/hidden", false)] {
        let fixture = Fixture::start(Mode::Filesystem).await;
        let registry = fixture.open(GitLab::FULL).await;
        let error = registry.tags(&name(repository)).next_page().await.unwrap_err();
        assert_eq!(
            (error.is_unknown_repository(), error.is_denied()),
            (unknown, !unknown),
            "{error:?}"
        );
        assert_eq!(fixture.asked_web("/api/"), 0, "{repository}");
        assert!(registry.listings().is_empty());
    }
}

#[tokio::test]
async fn a_registry_that_is_asked_too_much_is_not_asked_in_another_way() {
    let fixture = behind_a_proxy(Mode::Filesystem, 429).await;
    let mut access = fixture.access(&fixture.gitlab.registry_url(), GitLab::FULL);
    access.limits.patience = Duration::from_millis(1);
    access.limits.longest_wait = Duration::from_millis(5);
    let registry = Registry::open(RegistryClient::new(access).unwrap())
        .await
        .unwrap();
    let error = registry
        .tags(&name("acme/shop/api"))
        .next_page()
        .await
        .unwrap_err();
    assert_eq!(error.finding().code, FindingCode::RateLimited, "{error:?}");
    assert_eq!(fixture.asked_web("/api/"), 0);
    assert!(registry.listings().is_empty());
}

#[tokio::test]
async fn a_deploy_token_is_not_shown_to_the_web_host_and_the_failure_stays_the_lists_own() {
    let fixture = behind_a_proxy(Mode::Filesystem, 405).await;
    let registry = fixture.open(GitLab::DEPLOY).await;
    let error = registry
        .tags(&name("acme/shop/api"))
        .next_page()
        .await
        .unwrap_err();
    assert_eq!(error.finding().code, FindingCode::Protocol, "{error:?}");
    assert_eq!(fixture.asked_web("/api/"), 0);
    assert!(registry.listings().is_empty(), "{:?}", registry.listings());
}

#[tokio::test]
async fn a_token_without_the_api_gives_the_way_up_after_a_few_repositories() {
    let fixture = behind_a_proxy(Mode::Filesystem, 404).await;
    let registry = fixture.open(GitLab::REGISTRY_ONLY).await;
    let mut asked = Vec::new();
    for _ in 0..5 {
        let error = registry
            .tags(&name("acme/shop/api"))
            .next_page()
            .await
            .unwrap_err();
        assert_eq!(error.finding().code, FindingCode::RepositoryMissing, "{error:?}");
        asked.push(fixture.asked_web("/api/v4/projects/"));
    }
    assert_eq!(asked, [1, 2, 3, 3, 3]);
    let [step] = &registry.listings()[..] else {
        panic!("{:?}", registry.listings())
    };
    assert_eq!((step.method, step.given_up), (ListingMethod::GitLabRest, 3));
    assert_eq!(step.finding.as_ref().unwrap().code, FindingCode::NativeApiRefused);
}

#[tokio::test]
async fn a_list_without_end_is_completed_by_the_web_host() {
    let fixture = Fixture::start(Mode::Database).await;
    let faults = fixture.registry().faults();
    faults.add(Rule::on("/gitlab/v1/"), answers(503, ""));
    fixture
        .registry()
        .behave(|behaviour| behaviour.paging = Paging::Endless);
    let open = async |login| {
        let mut access = fixture.access(&fixture.gitlab.registry_url(), login);
        access.limits.pages = 2;
        Registry::open(RegistryClient::new(access).unwrap())
            .await
            .unwrap()
    };
    let registry = open(GitLab::FULL).await;
    let (mut all, shortfall) = tags(&registry, "acme/shop/api").await;
    all.retain(|tag| !tag.starts_with("made-up"));
    all.sort();
    assert_eq!(
        all,
        ["1.0.0", "1.0.1", "latest", "legacy", "multi"],
        "what is there is given, once"
    );
    assert_eq!(shortfall, None);
    assert_eq!(
        steps(&registry)[1..],
        [(ListingMethod::TagsList, 0, 1), (ListingMethod::GitLabRest, 1, 0)]
    );
    // Without the API it is said that there is no end.
    let registry = open(GitLab::DEPLOY).await;
    let (_, shortfall) = tags(&registry, "acme/shop/api").await;
    assert_eq!(shortfall.unwrap().code, FindingCode::ListingIncomplete);
}

/// A GitLab without the database and without a list of tags, whose web host has one repository with these pages of tags, by number.
fn paged(heard: &Heard, page: impl Fn(&str) -> Answer) -> Answer {
    let has_token = heard.header("authorization").is_some();
    match heard.path.as_str() {
        path if path.ends_with(LISTS) && has_token => Answer::status(405),
        path if path.starts_with("/gitlab/v1/") && has_token => {
            Answer::status(404).with("gitlab-container-registry-version", "4.39.0-gitlab")
        }
        "/api/v4/projects/acme%2Fshop/registry/repositories" => {
            Answer::json(r#"[{"id":6,"path":"acme/shop/other"},{"id":7,"path":"Acme/Shop"}]"#)
        }
        "/api/v4/projects/acme%2Fshop/registry/repositories/7/tags" => match heard.parameter("pagination") {
            Some(_) => Answer::json(r#"{"error":"Method Not Allowed"}"#).but(405),
            None => page(&heard.parameter("page").unwrap()).with("x-page", "1"),
        },
        _ => registry(heard),
    }
}

#[tokio::test]
async fn pages_that_do_not_add_up_are_no_whole_list() {
    let row = |tag: &str| Answer::json(format!(r#"[{{"name":"{tag}"}}]"#)).with("x-next-page", "");
    for (total, is_whole) in [(Some("1"), true), (Some("2"), false), (None, false)] {
        let server = Server::start(move |heard| {
            paged(heard, |_| match total {
                Some(total) => row("1.0").with("x-total", total),
                None => row("1.0"),
            })
        })
        .await;
        let registry = open(&server, "reader", TOKEN).await;
        let (tags, shortfall) = tags(&registry, "acme/shop").await;
        assert_eq!(tags, ["1.0"]);
        let code = shortfall.map(|finding| finding.code);
        assert_eq!(code.is_none(), is_whole, "{total:?}");
        assert!(is_whole || code == Some(FindingCode::ListingIncomplete));
    }
    // A row that cannot be read is no name, and its page no list.
    for body in [r#"[{"name":"1.0"},{"name":7}]"#, r#"{"name":"1.0"}"#, "<html>"] {
        let server = Server::start(move |heard| paged(heard, |_| Answer::json(body))).await;
        let registry = open(&server, "reader", TOKEN).await;
        let error = registry.tags(&name("acme/shop")).next_page().await.unwrap_err();
        assert_eq!(
            error.finding().code,
            FindingCode::Protocol,
            "{body}: the list's own failure"
        );
        assert_eq!(steps(&registry)[1..], [(ListingMethod::GitLabRest, 0, 1)]);
    }
}

#[tokio::test]
async fn tags_beyond_the_bound_are_left_out_and_every_request_counts() {
    let page = |_: &str| {
        let rows = r#"[{"name":"1"},{"name":"2"},{"name":"3"}]"#;
        Answer::json(rows)
            .with("x-next-page", "2")
            .with("x-total", "1000000")
    };
    let server = Server::start(move |heard| paged(heard, page)).await;
    let mut access = access(&server.url());
    access.credentials = Arc::new(crate::client::login());
    access.limits.tags = 2;
    let client = RegistryClient::new(access.clone()).unwrap();
    let registry = Registry::open(client).await.unwrap();
    let (tags, shortfall) = tags(&registry, "acme/shop").await;
    assert_eq!(tags, ["1", "2"]);
    assert_eq!(shortfall.unwrap().code, FindingCode::RepositoryTruncated);

    // One request less than that took.
    let taken = u64::try_from(server.heard().len()).unwrap();
    for (left, is_enough) in [(taken, true), (taken - 1, false)] {
        access.requests_left = Some(left);
        let registry = Registry::open(RegistryClient::new(access.clone()).unwrap())
            .await
            .unwrap();
        let outcome = registry.tags(&name("acme/shop")).next_page().await;
        assert_eq!(outcome.is_ok(), is_enough, "{left} of {taken}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_list_that_breaks_off_is_finished_by_the_web_host_and_nothing_comes_twice() {
    let page = |_: &str| {
        let rows = r#"[{"name":"1"},{"name":"2"},{"name":"2"},{"name":"3"}]"#;
        Answer::json(rows).with("x-next-page", "").with("x-total", "4")
    };
    let server = Server::start(move |heard| {
        let has_token = heard.header("authorization").is_some();
        match heard.parameter("last") {
            None if has_token && heard.path == "/v2/acme/shop/tags/list" => {
                Answer::json(r#"{"name":"acme/shop","tags":["1","2"]}"#)
                    .with("link", "</v2/acme/shop/tags/list?last=2&n=2>; rel=\"next\"")
            }
            _ => paged(heard, page),
        }
    })
    .await;
    let registry = open(&server, "reader", TOKEN).await;
    let (tags, shortfall) = tags(&registry, "acme/shop").await;
    assert_eq!(
        (tags, shortfall),
        (vec!["1".into(), "2".into(), "3".into()], None)
    );
    assert_eq!(
        steps(&registry)[1..],
        [(ListingMethod::TagsList, 0, 1), (ListingMethod::GitLabRest, 1, 0)]
    );
}
