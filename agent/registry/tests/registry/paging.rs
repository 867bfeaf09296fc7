//! Listings, as servers page them.

use portolan_registry::{RegistryClient, RegistryError, Walk, WalkEnd};
use portolan_shared::model::{FindingCode, TagName};

use crate::client::{access, client, repository};
use crate::server::{Answer, Heard, Server, tags_page};

/// Page size of the servers here.
const SIZE: usize = 7;
/// Tags that they hold.
const TAGS: usize = 25;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("t{index:06}")).collect()
}

async fn walk(walk: &mut Walk<TagName>) -> Result<Vec<String>, RegistryError> {
    let mut all = Vec::new();
    while let Some(page) = walk.next_page().await? {
        assert!(!page.items.is_empty(), "a page that is given out holds something");
        all.extend(page.items.iter().map(ToString::to_string));
    }
    Ok(all)
}

async fn listed(client: &RegistryClient) -> (Vec<String>, Option<WalkEnd>) {
    let mut tags = client.tags(&repository());
    let all = walk(&mut tags).await.unwrap();
    (all, tags.end())
}

/// A server that pages by name and writes its link as told.
async fn linking(link: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> Server {
    Server::start(move |heard| {
        let all = names(TAGS);
        let after = heard.parameter("last");
        let from = after.map_or(0, |last| all.partition_point(|name| *name <= last));
        let page = &all[from..TAGS.min(from + SIZE)];
        let answer = Answer::json(tags_page(page));
        match page.last() {
            Some(last) if from + SIZE < TAGS => answer.with("link", link(last, &heard.path)),
            _ => answer,
        }
    })
    .await
}

#[tokio::test]
async fn links_are_followed_wherever_they_point() {
    type Form = fn(&str, &str) -> String;
    let forms: [(&str, Form); 9] = [
        ("relative", |last, path| {
            format!(r#"<{path}?n=7&last={last}>; rel="next""#)
        }),
        ("query only", |last, _| format!(r#"<?last={last}>; rel="next""#)),
        ("absolute with a wrong host", |last, _| {
            format!(r#"<https://internal.invalid:1/v2/a/b/tags/list?last={last}>; rel="next""#)
        }),
        ("lost prefix", |last, _| {
            format!(r#"</v2/a/b/tags/list?last={last}>; rel="next""#)
        }),
        ("added prefix", |last, _| {
            format!(r#"</repository/x/v2/a/b/tags/list?last={last}>; rel="next""#)
        }),
        ("previous and next", |last, path| {
            format!(r#"<{path}?before=x>; rel="previous", <{path}?last={last}>; rel="next""#)
        }),
        ("unquoted, more parameters", |last, path| {
            format!("<{path}?last={last}>;title=\"a, b\";REL=Next;x=y")
        }),
        ("metadata address", |last, _| {
            format!(r#"<http://169.254.169.254/v2/x?last={last}>; rel="next""#)
        }),
        ("no scheme", |last, _| {
            format!(r#"<internal.invalid/v2/a/b/tags/list?last={last}>; rel=next"#)
        }),
    ];
    for (what, form) in forms {
        let server = linking(form).await;
        let registry = format!("{}/artifactory/api/docker/r", server.url());
        let (all, end) = listed(&client(&registry)).await;
        assert_eq!((all, end), (names(TAGS), Some(WalkEnd::Complete)), "{what}");
        let paths = server
            .heard()
            .iter()
            .map(|heard| heard.path.clone())
            .collect::<std::collections::BTreeSet<_>>();
        assert_eq!(
            paths.into_iter().collect::<Vec<_>>(),
            ["/artifactory/api/docker/r/v2/a/b/tags/list"],
            "{what}: never asked elsewhere"
        );
    }
}

#[tokio::test]
async fn listings_are_asked_for_as_json_that_may_be_compressed() {
    let server = linking(|last, path| format!(r#"<{path}?last={last}>; rel="next""#)).await;
    listed(&client(&server.url())).await;
    for heard in server.heard() {
        assert_eq!(
            heard.header("accept"),
            Some("application/json"),
            "Artifactory answers 406 to manifest types here"
        );
        assert_eq!(heard.header("accept-encoding"), Some("gzip"));
    }
    assert_eq!(server.heard()[0].query, "n=1000");
}

#[tokio::test]
async fn an_unescaped_cursor_and_an_opaque_one() {
    let server = Server::start(|heard| match heard.parameter("token").as_deref() {
        None => {
            Answer::json(r#"{"tags":["a"]}"#).with("link", r#"</v2/a/b/tags/list?token=x "1"|2>; rel="next""#)
        }
        Some("x \"1\"|2") => Answer::json(r#"{"tags":["b"]}"#),
        Some(other) => panic!("{other}"),
    })
    .await;
    assert_eq!(listed(&client(&server.url())).await.0, ["a", "b"]);
}

#[tokio::test]
async fn a_link_that_leads_nowhere_new_ends_the_walk() {
    let same = |heard: &Heard| {
        let link = format!(r#"<{}?{}>; rel="next""#, heard.path, heard.query);
        Answer::json(tags_page(&names(5))).with("link", link)
    };
    let server = Server::start(same).await;
    let (all, end) = listed(&client(&server.url())).await;
    assert_eq!((all, end), (names(5), Some(WalkEnd::Circle)));
    assert_eq!(server.heard().len(), 2);
    let server = Server::start(|heard| {
        let page = if heard.parameter("last").is_none() {
            names(5)
        } else {
            Vec::new()
        };
        Answer::json(tags_page(&page)).with("link", r#"</v2/a/b/tags/list?last=t000004>; rel="next""#)
    })
    .await;
    let (all, end) = listed(&client(&server.url())).await;
    assert_eq!(
        (all, end),
        (names(5), Some(WalkEnd::Complete)),
        "a link on the last page, then an empty one"
    );
}

#[tokio::test]
async fn without_links_full_pages_are_asked_on() {
    for cut in [1000, 100] {
        let server = Server::start(move |heard| {
            let all = names(2500);
            let n = heard.parameter("n").unwrap().parse::<usize>().unwrap().min(cut);
            let from = heard
                .parameter("last")
                .map_or(0, |last| all.partition_point(|name| *name <= last));
            Answer::json(tags_page(&all[from..2500.min(from + n)]))
        })
        .await;
        let (all, end) = listed(&client(&server.url())).await;
        assert_eq!(
            (all.len(), end),
            (2500, Some(WalkEnd::Complete)),
            "pages of {cut}"
        );
    }
}

#[tokio::test]
async fn too_large_a_page_size_is_lowered_and_remembered() {
    for (status, most) in [
        (400, 100),
        (405, 100),
        (413, 10),
        (422, 100),
        (500, 100),
        (503, 10),
    ] {
        let server = Server::start(move |heard| {
            let n: usize = heard.parameter("n").map_or(0, |n| n.parse().unwrap());
            if n > most {
                Answer::status(status)
                    .with("content-type", "text/plain")
                    .body("n is too large")
            } else {
                Answer::json(tags_page(&names(3)))
            }
        })
        .await;
        let client = client(&server.url());
        assert_eq!(
            listed(&client).await,
            (names(3), Some(WalkEnd::Complete)),
            "{status}"
        );
        let before = server.heard().len();
        listed(&client).await;
        let again = server.heard().len() - before;
        if status < 500 {
            assert_eq!(
                again, 1,
                "{status}: the next repository starts with the size that works"
            );
        } else {
            assert!(again > 1, "{status}: a failure teaches nothing about sizes");
        }
    }
}

#[tokio::test]
async fn a_list_above_the_bound_is_cut_and_said_to_be() {
    let body = tags_page(&names(500_000));
    let server = Server::start(move |_| Answer::json(body.clone())).await;
    let client = client(&server.url());
    let mut tags = client.tags(&repository());
    let all = walk(&mut tags).await.unwrap();
    assert_eq!((all.len(), tags.end()), (100_000, Some(WalkEnd::ItemBound)));
    assert!(!tags.is_complete());
    assert_eq!(tags.shortfall().unwrap().code, FindingCode::RepositoryTruncated);
}

#[tokio::test]
async fn unsorted_pages_that_overlap_give_each_name_once() {
    let server = Server::start(|heard| {
        let (page, next) = match heard.parameter("c").as_deref() {
            None => (r#"["z","a","z"]"#, Some("1")),
            Some("1") => (r#"["a","m"]"#, Some("2")),
            _ => (r#"["z","b"]"#, None),
        };
        let answer = Answer::json(format!(r#"{{"tags":{page}}}"#));
        match next {
            Some(next) => answer.with("link", format!(r#"<?c={next}>; rel="next""#)),
            None => answer,
        }
    })
    .await;
    let (all, end) = listed(&client(&server.url())).await;
    assert_eq!(
        (all, end),
        (
            ["z", "a", "m", "b"].map(str::to_owned).to_vec(),
            Some(WalkEnd::Complete)
        )
    );
}

#[tokio::test]
async fn odd_rows_cost_nobody_else() {
    for (body, expected, malformed) in [
        (r#"{"name":"a/b","tags":null}"#, vec![], 0),
        (r#"{"tags":[null,"a"]}"#, vec!["a"], 0),
        (r#"{"tags":["a","in valid","b",7],"extra":{}}"#, vec!["a", "b"], 2),
    ] {
        let server = Server::start(move |_| Answer::json(body)).await;
        let client = client(&server.url());
        let mut tags = client.tags(&repository());
        assert_eq!(walk(&mut tags).await.unwrap(), expected, "{body}");
        assert_eq!(
            (tags.end(), tags.malformed()),
            (Some(WalkEnd::Complete), malformed),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_cursor_that_is_lost_starts_the_walk_again() {
    for (status, refusals) in [(404, 1), (400, 2), (404, 9)] {
        let refused = std::sync::atomic::AtomicUsize::new(0);
        let server = Server::start(move |heard| {
            if heard.parameter("last").is_none() {
                return Answer::json(r#"{"tags":["a","b"]}"#).with("link", r#"<?last=b>; rel="next""#);
            }
            if refused.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < refusals {
                return Answer::status(status);
            }
            Answer::json(r#"{"tags":["c"]}"#)
        })
        .await;
        let (all, end) = listed(&client(&server.url())).await;
        if refusals < 3 {
            assert_eq!((all.len(), end), (3, Some(WalkEnd::Complete)), "{status}");
        } else {
            assert_eq!(
                (all.len(), end),
                (2, Some(WalkEnd::CursorLost)),
                "given up, and said so"
            );
        }
    }
}

#[tokio::test]
async fn an_error_in_mid_walk_is_no_end() {
    let server = Server::start(|heard| {
        if heard.query.contains("last") {
            Answer::status(502)
        } else {
            Answer::json(r#"{"tags":["a"]}"#).with("link", r#"<?last=a>; rel="next""#)
        }
    })
    .await;
    let client = client(&server.url());
    let mut tags = client.tags(&repository());
    assert_eq!(tags.next_page().await.unwrap().unwrap().items.len(), 1);
    // A gateway's error may be one of the cursor: it is started again, at smaller sizes, before it counts.
    let outcome = tags.next_page().await;
    assert!(!tags.is_complete(), "{outcome:?}");
    assert!(
        matches!(outcome, Err(ref error) if error.is_transient()) || tags.end() == Some(WalkEnd::CursorLost)
    );
}

#[tokio::test]
async fn the_catalog_tells_denied_from_unsupported_from_nonsense() {
    for (answer, code) in [
        (Answer::error(403, "DENIED"), FindingCode::CatalogDenied),
        (Answer::error(401, "UNAUTHORIZED"), FindingCode::CatalogDenied),
        (Answer::error(404, "UNSUPPORTED"), FindingCode::CatalogUnsupported),
        (Answer::error(405, "UNSUPPORTED"), FindingCode::CatalogUnsupported),
        (
            Answer::json("<!doctype html>").with("content-type", "text/html"),
            FindingCode::Protocol,
        ),
        (Answer::json(r#"{"repos":[]}"#), FindingCode::Protocol),
    ] {
        let status = answer.status;
        let server = Server::start(move |_| answer.clone()).await;
        let error = client(&server.url()).catalog().next_page().await.unwrap_err();
        assert_eq!(error.finding().code, code, "{status}: {error}");
    }
    let server = Server::start(|_| Answer::error(404, "NAME_UNKNOWN")).await;
    let error = client(&server.url())
        .tags(&repository())
        .next_page()
        .await
        .unwrap_err();
    assert!(error.is_missing());
    assert_eq!(error.finding().code, FindingCode::RepositoryMissing);
    assert_eq!(
        server.heard().len(),
        1,
        "a repository that is not there is asked for once"
    );
}

#[tokio::test]
async fn a_page_above_its_bound_is_refused() {
    let body = tags_page(&names(100));
    let length = body.len();
    for (bound, fits) in [(length, true), (length - 1, false)] {
        let body = body.clone();
        let server = Server::start(move |_| Answer::json(body.clone())).await;
        let mut access = access(&server.url());
        access.limits.list_bytes = bound;
        let client = RegistryClient::new(access).unwrap();
        let outcome = client.tags(&repository()).next_page().await;
        match outcome {
            Ok(page) => assert!(fits && page.is_some()),
            Err(error) => assert!(!fits && error.finding().code == FindingCode::TooLarge, "{error}"),
        }
    }
}
