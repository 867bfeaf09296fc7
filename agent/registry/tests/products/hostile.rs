//! Lists of these products' own that lie, lead in circles, or never end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::header;
use portolan_doubles::network::Server;
use portolan_registry::{Limits, Registry, RegistryClient};
use portolan_shared::model::{DiscoveryMethod, FindingCode, Flavour, ListingMethod};
use portolan_shared::process::Tasks;

use super::inventory::{access, list, login, tasks, wanted};

pub(crate) const DIGEST: &str = "sha256:fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae";

/// What is asked, by path and query.
type Script = Arc<dyn Fn(&str, &BTreeMap<String, String>) -> String + Send + Sync>;

/// A server that lets everybody in and says of itself that it is a certain product; everything else is as the script says.
pub(crate) struct Liar {
    pub(crate) server: Server,
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: Tasks,
}

impl Liar {
    pub(crate) async fn start(
        flavour: Flavour,
        script: impl Fn(&str, &BTreeMap<String, String>) -> String + Send + Sync + 'static,
    ) -> Self {
        let script: Script = Arc::new(script);
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&asked);
        let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let (script, log) = (Arc::clone(&script), Arc::clone(&log));
            async move {
                let target = request.uri().to_string();
                let host = request.headers()[header::HOST].to_str().unwrap().to_owned();
                let signed_in = request.headers().contains_key(header::AUTHORIZATION);
                log.lock().unwrap().push(target);
                let query = request.uri().query().unwrap_or_default();
                let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes())
                    .into_owned()
                    .collect();
                greeting(flavour, request.uri().path(), &host, signed_in)
                    .unwrap_or_else(|| counted(script(request.uri().path(), &query)))
            }
        });
        let tasks = tasks();
        let server = Server::start("a liar", None, router, &tasks).await.unwrap();
        Self {
            server,
            asked,
            _tasks: tasks,
        }
    }

    pub(crate) fn count(&self, text: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|target| target.contains(text)).count()
    }

    pub(crate) async fn open(&self, limits: impl FnOnce(&mut Limits)) -> Registry {
        let mut access = access(&self.server.url(), Some(login("$oauthtoken", "secret")));
        limits(&mut access.limits);
        Registry::open(RegistryClient::new(access).unwrap())
            .await
            .unwrap()
    }
}

pub(crate) fn answer(
    status: u16,
    headers: &[(&'static str, String)],
    body: String,
) -> axum::response::Response {
    let mut response = axum::response::Response::new(axum::body::Body::from(body));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

/// An answer; a number on a line in front of it is how many rows there are.
fn counted(body: String) -> axum::response::Response {
    match body.split_once('\n') {
        Some((total, body)) => answer(200, &[("x-total-count", total.to_owned())], body.to_owned()),
        None => answer(200, &[], body),
    }
}

fn greeting(flavour: Flavour, path: &str, host: &str, signed_in: bool) -> Option<axum::response::Response> {
    let (realm, service) = match flavour {
        Flavour::Harbor => ("/service/token", "harbor-registry"),
        Flavour::Quay => ("/v2/auth", host),
        Flavour::Google => ("/v2/token", host),
        _ => ("/zot/token", "zot"),
    };
    if path == realm {
        return Some(answer(200, &[], r#"{"token":"t","expires_in":300}"#.to_owned()));
    }
    if path == "/v2/_zot/ext/mgmt" && flavour == Flavour::Zot {
        return Some(answer(200, &[], r#"{"distSpecVersion":"1.1.1"}"#.to_owned()));
    }
    if !path.starts_with("/v2/") || signed_in {
        return (path == "/v2/").then(|| answer(200, &[], "{}".to_owned()));
    }
    let bearer = if flavour == Flavour::Zot {
        "bearer"
    } else {
        "Bearer"
    };
    let challenge = format!("{bearer} realm=\"http://{host}{realm}\",service=\"{service}\"");
    let mut headers = vec![("www-authenticate", challenge)];
    if flavour == Flavour::Quay {
        headers.push(("x-sparse-manifest-support", "true".to_owned()));
    }
    Some(answer(401, &headers, String::new()))
}

/// Every tag of one repository, and what the list came to.
pub(crate) async fn tags_of(registry: &Registry) -> (usize, Option<FindingCode>) {
    let mut tags = registry.tags(&"acme/shop".parse().unwrap());
    let mut found = 0;
    while let Some(page) = tags.next_page().await.unwrap() {
        found += page.tags.len();
    }
    (found, tags.shortfall().map(|finding| finding.code))
}

#[tokio::test]
async fn artifacts_without_end_end_at_the_bound() {
    let harbor = Liar::start(Flavour::Harbor, |path, query| {
        let page = query.get("page").cloned().unwrap_or_default();
        if path.ends_with("/artifacts") {
            let row = |at: usize| {
                format!(r#"{{"digest":"sha256:{at}-{page}","tags":[{{"name":"t-{page}-{at}"}}]}}"#)
            };
            format!("[{}]", (0..100).map(row).collect::<Vec<_>>().join(","))
        } else {
            r#"{"tags":[]}"#.to_owned()
        }
    })
    .await;
    let registry = harbor.open(|limits| limits.tags = 250).await;
    assert_eq!(registry.detection().flavour, Flavour::Harbor);
    assert_eq!(tags_of(&registry).await, (250, None));
    assert_eq!(harbor.count("/artifacts"), 3);
}

#[tokio::test]
async fn a_page_that_repeats_itself_ends_the_walk() {
    let harbor = Liar::start(Flavour::Harbor, |path, _| {
        if path.ends_with("/artifacts") {
            let row = |at: usize| format!(r#"{{"digest":"sha256:{at}","tags":[{{"name":"t-{at}"}}]}}"#);
            format!("[{}]", (0..100).map(row).collect::<Vec<_>>().join(","))
        } else if path.starts_with("/api/v2.0/projects") {
            let names: Vec<_> = (0..100).map(|at| format!(r#"{{"name":"acme/p{at}"}}"#)).collect();
            format!("[{}]", names.join(","))
        } else {
            r#"{"tags":["t-0","t-100"]}"#.to_owned()
        }
    })
    .await;
    let registry = harbor.open(|_| {}).await;
    assert_eq!(
        tags_of(&registry).await,
        (101, None),
        "what it left out is in everybody's list"
    );
    assert_eq!(harbor.count("/artifacts"), 2);
    let mut ladder = registry.repositories(&wanted(&["acme/**"]));
    let mut found = 0;
    while let Some(page) = ladder.next_page().await.unwrap() {
        found += page.len();
    }
    assert_eq!(found, 100);
    let step = &ladder.steps()[0];
    assert!(!step.complete);
    assert_eq!(
        step.finding.as_ref().unwrap().code,
        FindingCode::ListingIncomplete
    );
}

#[tokio::test]
async fn a_list_that_shrank_while_it_was_read_is_read_once_more() {
    for shrinks_again in [false, true] {
        let pages = Arc::new(AtomicUsize::new(0));
        let harbor = Liar::start(Flavour::Harbor, move |path, query| {
            if !path.ends_with("/repositories") {
                return "[]".to_owned();
            }
            // The first row goes away between the first page and the second one, so that the hundredth moves to the first page.
            let read = pages.fetch_add(1, Ordering::SeqCst);
            let gone = if shrinks_again { read } else { read.min(1) };
            let page: usize = query["page"].parse().unwrap();
            let rows: Vec<usize> = (gone..150).collect();
            let rows = rows.iter().skip((page - 1) * 100).take(100);
            let rows: Vec<String> = rows.map(|row| format!(r#"{{"name":"acme/r{row}"}}"#)).collect();
            format!("{}\n[{}]", 150 - gone, rows.join(","))
        })
        .await;
        let registry = harbor.open(|_| {}).await;
        let (found, steps) = list_names(&registry, &["acme/**"]).await;
        assert_eq!(found, 150, "one that is gone by now, and the one that moved");
        assert_eq!(harbor.count("/repositories"), 4);
        assert_eq!(steps[0].complete, !shrinks_again);
    }
}

#[tokio::test]
async fn odd_rows_cost_only_themselves() {
    let harbor = Liar::start(Flavour::Harbor, |path, query| {
        let first = query.get("page").is_none_or(|page| page == "1");
        if path.ends_with("/artifacts") && first {
            format!(
                r#"[{{"digest":"nonsense","tags":[{{"name":"a"}},{{"name":"no tag"}}]}},{{"digest":"{DIGEST}","manifest_media_type":"a b","push_time":"soon","tags":[{{"name":"b","push_time":"0001-01-01T00:00:00.000Z"}},{{"name":"b"}}]}},{{"digest":"{DIGEST}x","tags":null}}]"#
            )
        } else if path.ends_with("/tags/list") {
            r#"{"tags":["a","b","no tag"]}"#.to_owned()
        } else {
            "[]".to_owned()
        }
    })
    .await;
    let registry = harbor.open(|_| {}).await;
    let mut tags = registry.tags(&"acme/shop".parse().unwrap());
    let (mut found, mut malformed) = (Vec::new(), 0);
    while let Some(page) = tags.next_page().await.unwrap() {
        malformed += page.malformed;
        found.extend(page.tags);
    }
    let found: Vec<_> = found
        .iter()
        .map(|tag| (tag.tag.as_str(), tag.digest.is_some(), tag.pushed_at))
        .collect();
    assert_eq!(found, [("a", false, None), ("b", true, None)]);
    assert_eq!(malformed, 1, "each name once");
    assert_eq!(registry.listings()[0].method, ListingMethod::HarborArtifacts);
}

#[tokio::test]
async fn a_cursor_that_comes_again_ends_the_walk() {
    let quay = Liar::start(Flavour::Quay, |path, query| {
        if path == "/api/v1/repository" {
            let at = query.get("next_page").cloned().unwrap_or_default();
            format!(
                r#"{{"repositories":[{{"namespace":"acme","name":"r{at}","kind":"image"}},{{"namespace":"acme"}},9],"next_page":"again"}}"#
            )
        } else {
            r#"{"repositories":[]}"#.to_owned()
        }
    })
    .await;
    let registry = quay.open(|_| {}).await;
    let inventory = list_names(&registry, &["acme/**"]).await;
    assert_eq!(inventory.0, 2);
    assert_eq!(quay.count("/api/v1/repository"), 2);
    let step = &inventory.1[0];
    assert_eq!(step.method, DiscoveryMethod::QuayRepositories);
    assert_eq!(
        step.finding.as_ref().unwrap().code,
        FindingCode::ListingIncomplete
    );
}

#[tokio::test]
async fn cursors_without_end_end_at_the_bound() {
    let pages = Arc::new(AtomicUsize::new(0));
    let quay = Liar::start(Flavour::Quay, move |path, _| {
        let at = pages.fetch_add(1, Ordering::SeqCst);
        match path {
            "/api/v1/repository" => format!(r#"{{"repositories":[],"next_page":"c{at}"}}"#),
            path if path.contains("/tag/") => {
                format!(
                    r#"{{"tags":[{{"name":"t{at}","manifest_digest":"{DIGEST}"}}],"has_additional":true}}"#
                )
            }
            _ => r#"{"repositories":[],"tags":[]}"#.to_owned(),
        }
    })
    .await;
    let registry = quay.open(|limits| limits.pages = 20).await;
    let (found, steps) = list_names(&registry, &["acme/**"]).await;
    assert_eq!((found, quay.count("/api/v1/repository?")), (0, 20));
    assert!(!steps[0].complete);
    assert_eq!(
        tags_of(&registry).await,
        (20, None),
        "everybody's list has no others"
    );
    assert_eq!(quay.count("/tag/"), 20);
}

#[tokio::test]
async fn a_search_without_end_ends_at_the_bound() {
    let zot = Liar::start(Flavour::Zot, |path, query| {
        if path.ends_with("/search") {
            let asked = query.get("query").cloned().unwrap_or_default();
            let offset: usize = asked
                .split("offset:")
                .nth(1)
                .and_then(|rest| rest.split(',').next()?.parse().ok())
                .unwrap_or(0);
            let row = |at: usize| format!(r#"{{"Tag":"t{}","Digest":"{DIGEST}"}}"#, offset + at);
            let rows = (0..1000).map(row).collect::<Vec<_>>().join(",");
            format!(r#"{{"data":{{"ImageList":{{"Page":{{"TotalCount":99999999}},"Results":[{rows}]}}}}}}"#)
        } else {
            r#"{"tags":[],"repositories":[]}"#.to_owned()
        }
    })
    .await;
    let registry = zot.open(|limits| limits.tags = 2_500).await;
    assert_eq!(registry.detection().flavour, Flavour::Zot);
    assert_eq!(tags_of(&registry).await, (2_500, None));
    assert_eq!(zot.count("/search"), 3);
}

#[tokio::test]
async fn answers_of_the_wrong_kind_lead_to_the_general_way() {
    for body in [
        "[]",
        "{}",
        "null",
        "7",
        "<html>sign in</html>",
        r#"{"data":{"ImageList":{"Results":7}}}"#,
        r#"{"tags":{"a":1}}"#,
        "",
    ] {
        for flavour in [Flavour::Harbor, Flavour::Zot, Flavour::Quay] {
            // To Harbor, an empty list is one.
            if flavour == Flavour::Harbor && ["[]", "null"].contains(&body) {
                continue;
            }
            let body = body.to_owned();
            let liar = Liar::start(flavour, move |path, _| match path {
                "/v2/_catalog" => r#"{"repositories":["acme/shop"]}"#.to_owned(),
                path if path.ends_with("/tags/list") => r#"{"tags":["1","2"]}"#.to_owned(),
                _ => body.clone(),
            })
            .await;
            let registry = liar.open(|_| {}).await;
            assert_eq!(registry.detection().flavour, flavour);
            let (found, _) = list_names(&registry, &["acme/**"]).await;
            assert_eq!(found, 1, "{flavour}");
            assert_eq!(tags_of(&registry).await, (2, None), "{flavour}");
            let listings = registry.listings();
            assert_eq!(
                (listings[0].given_up, listings[1].repositories),
                (1, 1),
                "{flavour}"
            );
        }
    }
}

#[tokio::test]
async fn children_without_end_end_at_the_bound() {
    let google = Liar::start(Flavour::Google, |_, _| {
        let children: Vec<String> = (0..50).map(|child| format!("\"c{child}\"")).collect();
        format!(
            r#"{{"child":[{},"../up","c0",7],"tags":["a"],"manifest":{{"{DIGEST}":{{"tag":["a"]}}}}}}"#,
            children.join(",")
        )
    })
    .await;
    let registry = google.open(|limits| limits.repositories = 120).await;
    let (found, steps) = list_names(&registry, &["acme/**"]).await;
    assert_eq!(
        found, 120,
        "the root, and what is taken below it up to the bound of all"
    );
    assert!(!steps[0].complete);
    assert_eq!(
        steps[0].finding.as_ref().unwrap().code,
        FindingCode::ListingIncomplete
    );
    // A repository in place of what is listed: a name that leads elsewhere is none.
    assert_eq!(google.count(".."), 0);
    let inventory = list(registry, &wanted(&["acme/shop"])).await;
    assert_eq!(inventory.found.len(), 1);
}

pub(crate) async fn list_names(
    registry: &Registry,
    patterns: &[&str],
) -> (usize, Vec<portolan_shared::model::DiscoveryStep>) {
    let mut ladder = registry.repositories(&wanted(patterns));
    let mut found = 0;
    while let Some(page) = ladder.next_page().await.unwrap() {
        found += page.len();
    }
    (found, ladder.steps().to_vec())
}
