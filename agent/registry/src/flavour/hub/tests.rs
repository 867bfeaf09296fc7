use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use portolan_doubles::Content;
use portolan_doubles::content::Image;
use portolan_doubles::faults::{Fault as Served, Rule};
use portolan_doubles::products::HubDouble;
use portolan_shared::model::{
    CaTrust, Digest, DiscoveryMethod, DiscoveryStep, FindingCode, Flavour, ListingMethod, ListingStep,
    ReferenceTarget, RepositoryPatterns,
};
use portolan_shared::process::{RetryPolicy, Shutdown, Tasks};
use portolan_shared::secret::Secret;
use portolan_shared::tls::{RegistryTrust, SystemRoots};
use url::Url;

use super::Hub;
use crate::api::Head;
use crate::auth::Credential;
use crate::client::{Access, RegistryClient};
use crate::error::Fault;
use crate::flavour::ladder::{Ladder, Wanted};
use crate::flavour::product::Product as _;
use crate::flavour::registry::Registry;
use crate::flavour::tag_list::{Listings, TagList};
use crate::http::{Gate, Hop, Limits, Pass, Purpose, Refusal};

const LOGIN: (&str, &str) = ("acme", "dckr_pat_secret");

fn content(many: usize) -> Content {
    let mut content = Content::new();
    for (name, count) in [("acme/shop", many), ("acme/web", 1), ("library/alpine", 2)] {
        let mut shelf = content.shelf(name);
        for tag in 0..count {
            let image = shelf.image(&Image::new(&format!("{name} {tag}")));
            shelf.tag(&format!("1.{tag}"), &image);
            shelf.pushed(&format!("1.{tag}"), "2026-02-03T04:05:06Z", None);
        }
    }
    content
}

async fn start(content: Content) -> HubDouble {
    HubDouble::start(content, LOGIN, None, &Tasks::new(Shutdown::new()))
        .await
        .unwrap()
}

fn client(hub: &HubDouble, login: bool, limits: impl FnOnce(&mut Limits)) -> RegistryClient {
    client_behind(hub, login, |access| limits(&mut access.limits))
}

fn client_behind(hub: &HubDouble, login: bool, change: impl FnOnce(&mut Access)) -> RegistryClient {
    let trust = RegistryTrust::new(SystemRoots::none(), &CaTrust::default(), None).unwrap();
    let mut access = Access::new(hub.registry().url().parse().unwrap(), trust);
    access.limits.retry = RetryPolicy {
        first: Duration::from_millis(2),
        longest: Duration::from_millis(20),
        retries: 1,
    };
    change(&mut access);
    if login {
        access.credentials = Arc::new(Credential::Login {
            username: LOGIN.0.to_owned(),
            secret: Secret::new(LOGIN.1.to_owned()),
        });
    }
    RegistryClient::new(access).unwrap()
}

#[derive(Default)]
struct Seen {
    found: BTreeMap<(String, String), Digest>,
    dated: usize,
    asked: usize,
    steps: Vec<DiscoveryStep>,
    listings: Vec<ListingStep>,
    complete: bool,
}

/// Lists what the patterns want, through a web API at `api`.
async fn list(client: &RegistryClient, api: &str, patterns: &[&str]) -> Seen {
    let hub = Hub::new(Some(Url::parse(api).unwrap()));
    let wanted = Wanted {
        patterns: RepositoryPatterns::new(patterns.iter().map(ToString::to_string).collect()).unwrap(),
        ..Wanted::default()
    };
    let listings = Arc::<Listings>::default();
    let mut ladder = Ladder::new(&hub, client, &wanted);
    let mut seen = Seen::default();
    while let Some(names) = ladder.next_page().await.unwrap() {
        for name in names {
            let native = hub.tags(client, &name);
            let mut tags = TagList::new(client.clone(), name.clone(), native, Arc::clone(&listings));
            while let Some(page) = tags.next_page().await.unwrap() {
                for tag in page.tags {
                    seen.dated += usize::from(tag.pushed_at.is_some());
                    let digest = match tag.digest {
                        Some(digest) => digest,
                        None => {
                            seen.asked += 1;
                            let target = ReferenceTarget::Tag(tag.tag.clone());
                            let Head::Found(head) = client.head_manifest(&name, &target, None).await.unwrap()
                            else {
                                panic!("{name}:{} is listed and not there", tag.tag);
                            };
                            head.digest
                        }
                    };
                    assert_eq!(
                        seen.found.insert((name.to_string(), tag.tag.to_string()), digest),
                        None
                    );
                }
            }
        }
    }
    seen.steps = ladder.steps().to_vec();
    seen.complete = ladder.is_complete();
    seen.listings = listings.steps();
    seen
}

fn expected(many: usize, below: &str) -> BTreeMap<(String, String), Digest> {
    let mut all = content(many).expected();
    all.retain(|(name, _), _| name.starts_with(below));
    all
}

#[tokio::test]
async fn native_and_general_ways_come_to_the_same_and_pull_nothing() {
    let hub = start(content(250)).await;
    let client = client(&hub, true, |_| {});
    let native = list(&client, &hub.api().url(), &["acme/**"]).await;
    assert_eq!(native.found, expected(250, "acme/"));
    assert!(native.complete);
    assert_eq!((native.asked, native.dated), (0, native.found.len()));
    let step = &native.steps[0];
    assert_eq!(
        (step.method, step.found, step.complete),
        (DiscoveryMethod::HubRepositories, 2, true)
    );
    let listing = &native.listings[0];
    assert_eq!(
        (listing.method, listing.repositories, listing.given_up),
        (ListingMethod::HubTags, 2, 0)
    );
    let asked = |path: &str| hub.api().log().count(|seen| seen.path().ends_with(path));
    assert_eq!(
        (asked("/auth/token"), asked("/repositories"), asked("/tags")),
        (1, 1, 4)
    );

    hub.behave(|manners| manners.digests = false);
    let without_digests = list(&client, &hub.api().url(), &["acme/**"]).await;
    assert_eq!(without_digests.found, native.found);
    assert_eq!(
        without_digests.asked,
        native.found.len(),
        "each is asked for by HEAD"
    );
    assert_eq!(without_digests.dated, native.found.len());

    let api = hub.api().faults();
    api.add(Rule::on("/tags"), Served::unavailable());
    let general = list(&client, &hub.api().url(), &["acme/**"]).await;
    assert_eq!(general.found, native.found);
    assert_eq!(general.listings[0].given_up, 2);
    assert_eq!(general.listings[1].method, ListingMethod::TagsList);
    assert_eq!(hub.pulls(), 0, "only reading a manifest counts");
}

#[tokio::test]
async fn without_a_namespace_in_the_patterns_the_logins_own_is_listed_and_said_to_be_part() {
    let hub = start(content(1)).await;
    let own = list(&client(&hub, true, |_| {}), &hub.api().url(), &[]).await;
    assert_eq!(own.found, expected(1, "acme/"));
    assert!(!own.complete);
    let finding = own.steps[0].finding.as_ref().unwrap();
    assert_eq!(finding.code, FindingCode::ViewIsPartial);
    assert!(
        own.steps
            .iter()
            .all(|step| step.method != DiscoveryMethod::Catalog),
        "nobody is shown one"
    );

    let stranger = list(&client(&hub, false, |_| {}), &hub.api().url(), &["library/**"]).await;
    assert_eq!(stranger.found, expected(1, "library/"));
    assert!(stranger.complete);
    let strangers = hub
        .api()
        .log()
        .count(|seen| seen.path().starts_with("/v2/namespaces/library/") && seen.authorization.is_some());
    assert_eq!(strangers, 0);
}

#[tokio::test]
async fn a_token_that_has_ended_is_renewed_once() {
    let hub = start(content(250)).await;
    let ended = Served::Answer {
        status: 401,
        code: "UNAUTHORIZED",
        retry_after: None,
    };
    hub.api().faults().add(Rule::on("page=2").once(), ended);
    let seen = list(&client(&hub, true, |_| {}), &hub.api().url(), &["acme/**"]).await;
    assert_eq!((seen.found, seen.asked), (expected(250, "acme/"), 0));
    assert_eq!(
        hub.api().log().count(|seen| seen.path().ends_with("/auth/token")),
        2
    );
}

#[tokio::test]
async fn a_login_that_the_web_api_refuses_still_reads_the_registry() {
    let hub = start(content(2)).await;
    let refused = Served::Answer {
        status: 401,
        code: "UNAUTHORIZED",
        retry_after: None,
    };
    let rule = hub.api().faults().add(Rule::on("/auth/token"), refused);
    let client = client(&hub, true, |_| {});
    let seen = list(&client, &hub.api().url(), &["acme/**", "acme/shop"]).await;
    assert_eq!(
        seen.found,
        expected(2, "acme/shop"),
        "what is named is read in the general way"
    );
    assert_eq!(
        hub.api().faults().hits(rule),
        1,
        "a refused login is not tried again"
    );
    let step = &seen.steps[0];
    assert_eq!((step.found, step.complete), (0, false));
    assert_eq!(step.finding.as_ref().unwrap().code, FindingCode::NativeApiRefused);
}

#[tokio::test]
async fn the_next_link_is_never_followed_to_another_host_and_lists_without_end_end() {
    let hub = start(content(250)).await;
    hub.behave(|manners| manners.next_host = Some("http://169.254.169.254".to_owned()));
    let seen = list(&client(&hub, true, |_| {}), &hub.api().url(), &["acme/**"]).await;
    assert_eq!((seen.found, seen.asked), (expected(250, "acme/"), 0));

    let hub = start(content(1)).await;
    hub.api().lie("/v2/namespaces/acme/repositories", |query| {
        format!(
            r#"{{"next":"https://x/","results":[{{"name":"made-up-{}"}},{{"name":["a"]}},3]}}"#,
            query.len()
        )
    });
    let client = client(&hub, true, |limits| limits.pages = 12);
    let api = Hub::new(Some(Url::parse(&hub.api().url()).unwrap()));
    let wanted = Wanted {
        patterns: RepositoryPatterns::new(vec!["acme/**".to_owned()]).unwrap(),
        ..Wanted::default()
    };
    let mut ladder = Ladder::new(&api, &client, &wanted);
    while ladder.next_page().await.unwrap().is_some() {}
    let step = &ladder.steps()[0];
    assert_eq!(
        step.finding.as_ref().unwrap().code,
        FindingCode::ListingIncomplete
    );
    assert!(!ladder.is_complete() && step.found < 12);
    assert!(hub.api().log().total() <= 13);
}

#[tokio::test]
async fn whoever_only_calls_himself_docker_hub_has_no_web_api() {
    let hub = start(content(1)).await;
    let registry = Registry::open(client(&hub, true, |_| {})).await.unwrap();
    assert_eq!(registry.detection().flavour, Flavour::DockerHub);
    let wanted = Wanted {
        patterns: RepositoryPatterns::new(vec!["acme/**".to_owned(), "acme/shop".to_owned()]).unwrap(),
        ..Wanted::default()
    };
    let mut ladder = registry.repositories(&wanted);
    assert_eq!(
        ladder.next_page().await.unwrap(),
        Some(vec!["acme/shop".parse().unwrap()])
    );
    assert_eq!(ladder.next_page().await.unwrap(), None);
    assert_eq!(ladder.steps()[0].method, DiscoveryMethod::Explicit);
    assert_eq!(hub.api().log().total(), 0);
}

/// Lets nobody be asked but the registry and its token service.
struct NoWebApi(u16);

#[async_trait::async_trait]
impl Gate for NoWebApi {
    async fn ready(&self) {}

    async fn place(&self) -> Pass {
        Pass::default()
    }

    fn contacted(&self, _: &Hop<'_>) {}

    fn received(&self, _: &Hop<'_>, _: usize) -> Result<(), Refusal> {
        Ok(())
    }

    fn check_host(&self, hop: &Hop<'_>) -> Result<(), Refusal> {
        if hop.port == self.0 {
            assert_eq!(hop.purpose, Purpose::Realm);
            return Err(Refusal::by("policy.realm"));
        }
        Ok(())
    }

    fn check_address(&self, _: &Hop<'_>, _: IpAddr) -> Result<(), Refusal> {
        Ok(())
    }
}

#[tokio::test]
async fn a_stranger_without_patterns_is_told_why_nothing_was_asked() {
    let hub = start(content(1)).await;
    let seen = list(&client(&hub, false, |_| {}), &hub.api().url(), &[]).await;
    let step = &seen.steps[0];
    assert_eq!((step.found, step.complete), (0, false));
    assert_eq!(
        step.finding.as_ref().unwrap().code,
        FindingCode::NativeApiNotAsked
    );
    assert_eq!(hub.api().log().total(), 0);
}

#[tokio::test]
async fn a_policy_that_forbids_the_web_api_forbids_nothing_else() {
    let hub = start(content(2)).await;
    let api = Url::parse(&hub.api().url()).unwrap();
    let gate = NoWebApi(api.port().unwrap());
    let client = client_behind(&hub, true, |access| access.gate = Arc::new(gate));
    let seen = list(&client, api.as_str(), &["acme/**", "acme/shop"]).await;
    assert_eq!(seen.found, expected(2, "acme/shop"));
    assert_eq!(
        seen.steps[0].finding.as_ref().unwrap().code,
        FindingCode::PolicyRefused
    );
    assert_eq!(seen.listings[0].given_up, 1);
    assert_eq!(hub.api().log().total(), 0);
}

#[path = "next_tests.rs"]
mod next;
