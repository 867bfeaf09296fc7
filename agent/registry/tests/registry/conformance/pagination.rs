//! Pagination.

use std::sync::atomic::{AtomicUsize, Ordering};

use portolan_registry::{Registry, WalkEnd, Wanted};
use portolan_shared::model::FindingCode;

use crate::client::{client, repository};
use crate::paging::{follow, listed, names, walk};
use crate::server::{Answer, Heard, Server, tags_page};

#[tokio::test]
async fn c01_relative_link() {
    let walked = follow(|last, path| format!(r#"<{path}?n=7&last={last}>; rel="next""#)).await;
    assert_eq!(walked.note(), None);
}

#[tokio::test]
async fn c02_absolute_link() {
    // `follow` has a registry whose port is drawn anew, so the link is made from what was asked.
    let server = Server::start(|heard| {
        let host = heard.header("host").unwrap();
        match heard.parameter("last") {
            None => Answer::json(r#"{"tags":["a"]}"#).with(
                "link",
                format!(r#"<http://{host}/v2/a/b/tags/list?last=a>; rel="next""#),
            ),
            Some(_) => Answer::json(r#"{"tags":["b"]}"#),
        }
    })
    .await;
    let client = client(&server.url());
    let mut tags = client.tags(&repository());
    assert_eq!(walk(&mut tags).await.unwrap(), ["a", "b"]);
    assert_eq!(tags.note(), None, "that is where it was asked");
}

#[tokio::test]
async fn c03_absolute_link_with_a_wrong_host() {
    let walked =
        follow(|last, _| format!(r#"<https://internal.invalid:1/v2/a/b/tags/list?last={last}>; rel="next""#))
            .await;
    let note = walked.note().unwrap();
    assert_eq!(note.code, FindingCode::ForwardedHeaders);
    assert!(note.seen.contains("https://internal.invalid:1"), "{note}");
}

#[tokio::test]
async fn c03_a_wrong_host_is_recorded_with_how_the_registry_was_listed() {
    let server = Server::start(|heard| {
        let (member, first, second) = match heard.path.as_str() {
            "/v2/_catalog" => ("repositories", "a/b", "a/c"),
            path if path.ends_with("/tags/list") => ("tags", "1", "2"),
            "/v2/" => return Answer::json("{}"),
            _ => return Answer::status(404),
        };
        let page = |name: &str| Answer::json(format!(r#"{{"{member}":["{name}"]}}"#));
        match heard.parameter("last") {
            None => page(first).with(
                "link",
                format!(
                    r#"<https://internal.invalid:1{}?last={first}>; rel="next""#,
                    heard.path
                ),
            ),
            Some(_) => page(second),
        }
    })
    .await;
    let registry = Registry::open(client(&server.url())).await.unwrap();
    let mut ladder = registry.repositories(&Wanted::default());
    let mut found = 0;
    while let Some(names) = ladder.next_page().await.unwrap() {
        for name in names {
            let mut tags = registry.tags(&name);
            while tags.next_page().await.unwrap().is_some() {}
            found += 1;
        }
    }
    assert_eq!((found, ladder.is_complete()), (2, true));
    let code = FindingCode::ForwardedHeaders;
    assert_eq!(ladder.steps()[0].finding.as_ref().unwrap().code, code);
    let listings = registry.listings();
    assert_eq!((listings.len(), listings[0].repositories), (1, 2));
    assert_eq!(listings[0].finding.as_ref().unwrap().code, code, "once");
}

#[tokio::test]
async fn c04_lost_path_prefix() {
    follow(|last, _| format!(r#"</v2/a/b/tags/list?last={last}>; rel="next""#)).await;
}

#[tokio::test]
async fn c05_previous_and_next_in_one_header() {
    follow(|last, path| format!(r#"<{path}?before=x>; rel="previous", <{path}?last={last}>; rel="next""#))
        .await;
}

#[tokio::test]
async fn c06_link_without_quotes_with_upper_case_rel_and_extra_parameters() {
    follow(|last, path| format!("<{path}?last={last}>;title=\"a, b\";REL=Next;x=y")).await;
    follow(|last, path| format!("<{path}?last={last}>; rel=next")).await;
}

#[tokio::test]
async fn c07_link_to_the_same_page() {
    let same = |heard: &Heard| {
        let link = format!(r#"<{}?{}>; rel="next""#, heard.path, heard.query);
        Answer::json(tags_page(&names(5))).with("link", link)
    };
    let server = Server::start(same).await;
    let (all, end) = listed(&client(&server.url())).await;
    assert_eq!((all, end), (names(5), Some(WalkEnd::Circle)));
    assert_eq!(server.heard().len(), 2);
}

#[tokio::test]
async fn c08_link_on_the_final_page_then_an_empty_page() {
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
async fn c09_no_link_with_more_data() {
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
async fn c10_opaque_cursor() {
    // Only the link's own value leads on; the last name would be refused.
    let server =
        Server::start(
            |heard| match (heard.parameter("next_page").as_deref(), heard.parameter("last")) {
                (_, Some(_)) => Answer::status(400),
                (None, None) => Answer::json(r#"{"tags":["b","a"]}"#).with(
                    "link",
                    r#"</v2/a/b/tags/list?n=2&next_page=gAAAAAB%2Fx%3D%3D>; rel="next""#,
                ),
                (Some("gAAAAAB/x=="), None) => Answer::json(r#"{"tags":["c"]}"#),
                (Some(other), None) => panic!("{other}"),
            },
        )
        .await;
    let (all, end) = listed(&client(&server.url())).await;
    assert_eq!((all.join(""), end), ("bac".to_owned(), Some(WalkEnd::Complete)));
}

#[tokio::test]
async fn c11_page_size_refused_as_too_large() {
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
async fn c12_page_size_ignored_with_half_a_million_tags() {
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
async fn c13_unsorted_with_duplicates_across_pages() {
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
async fn c14_null_lists_null_rows_missing_name_and_extra_members() {
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
async fn c15_unknown_last_is_refused() {
    for (status, refusals) in [(404, 1), (400, 2), (404, 9)] {
        let refused = AtomicUsize::new(0);
        let server = Server::start(move |heard| {
            if heard.parameter("last").is_none() {
                return Answer::json(r#"{"tags":["a","b"]}"#).with("link", r#"<?last=b>; rel="next""#);
            }
            if refused.fetch_add(1, Ordering::SeqCst) < refusals {
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
async fn c16_a_tag_deleted_in_mid_walk() {
    // The tag that the cursor names is deleted after the first page, so that the server does not know the cursor any more (Zot).
    let pages = AtomicUsize::new(0);
    let server = Server::start(move |heard| {
        let page = pages.fetch_add(1, Ordering::SeqCst);
        match (page, heard.parameter("last").as_deref()) {
            (0, None) => Answer::json(r#"{"tags":["a","b"]}"#).with("link", r#"<?last=b>; rel="next""#),
            (_, Some("b")) => Answer::status(404),
            (_, None) => Answer::json(r#"{"tags":["a","c"]}"#).with("link", r#"<?last=c>; rel="next""#),
            (_, Some(_)) => Answer::json(r#"{"tags":["d"]}"#),
        }
    })
    .await;
    let (all, end) = listed(&client(&server.url())).await;
    assert_eq!((all.join(""), end), ("abcd".to_owned(), Some(WalkEnd::Complete)));
}

#[tokio::test]
async fn c17_characters_that_are_not_escaped_in_the_link() {
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
async fn c18_the_full_list_again_after_the_cursor_has_expired() {
    // OpenShift keeps cursors for a minute, and then begins anew without a word.
    let server = Server::start(|heard| match heard.parameter("last").as_deref() {
        None => Answer::json(r#"{"tags":["a","b"]}"#).with("link", r#"<?n=2&last=1>; rel="next""#),
        Some(_) => Answer::json(tags_page(&["a", "b", "c", "d"].map(str::to_owned))),
    })
    .await;
    let (all, end) = listed(&client(&server.url())).await;
    assert_eq!(
        (all.join(""), end),
        ("abcd".to_owned(), Some(WalkEnd::Complete)),
        "each once"
    );
}
