//! The registry double's catalog and tag lists, in every way of paging.

use portolan_doubles::registry::{Flavour, Paging};
use portolan_doubles::{Content, RegistryDouble};
use reqwest::StatusCode;

use crate::client::{ADMIN, Scene, header, json};
use crate::registry_double::Registry;

#[tokio::test]
async fn lists_in_pages() {
    let registry = Registry::new().await;
    let admin = registry
        .scene
        .token(&registry.tokens, ADMIN, &["registry:catalog:*"])
        .await;
    let answer = registry.get_as(&admin, "/v2/_catalog?n=1").await;
    assert_eq!(
        header(&answer, "link"),
        "</v2/_catalog?last=acme%2Fopen&n=1>; rel=\"next\"",
        "R5"
    );
    assert_eq!(
        json(answer).await["repositories"],
        serde_json::json!(["acme/open"]),
        "R5"
    );
    let answer = registry.get_as(&admin, "/v2/_catalog?n=1001").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "R6");
    assert_eq!(
        json(answer).await["errors"][0]["code"],
        "PAGINATION_NUMBER_INVALID",
        "R6"
    );
    let answer = registry.get("/v2/acme/shop/api/tags/list?n=1").await;
    assert_eq!(
        header(&answer, "link"),
        "</v2/acme/shop/api/tags/list?last=1.0.0&n=1>; rel=\"next\"",
        "R7"
    );
    registry
        .double
        .behave(|behaviour| behaviour.flavour = Flavour::GitLabFilesystem);
    let answer = registry.get("/v2/acme/shop/api/tags/list?n=1").await;
    assert_eq!(header(&answer, "link"), "", "R7 on the file system");
    assert_eq!(
        json(answer).await["tags"].as_array().unwrap().len(),
        5,
        "R7 on the file system"
    );
    let empty = registry
        .get("/v2/acme/shop/tags/list")
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(empty.trim(), r#"{"name":"acme/shop","tags":null}"#, "R8");
    let answer = registry.get("/v2/acme/shop/nope/tags/list").await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND, "R9");
    assert_eq!(
        json(answer).await["errors"][0]["detail"]["name"],
        "acme/shop/nope",
        "R9"
    );
}

#[tokio::test]
async fn every_way_of_paging_is_what_it_says() {
    let scene = Scene::new();
    let double = RegistryDouble::builder(Content::gitlab_fixture())
        .start(scene.tls(), &scene.tasks)
        .await
        .unwrap();
    let path = "/v2/acme/shop/api/tags/list";
    for (paging, link) in [
        (Paging::Relative, format!("<{path}?last=1.0.1&n=2>; rel=\"next\"")),
        (
            Paging::Absolute,
            format!(
                "<https://{}{path}?last=1.0.1&n=2>; rel=\"next\"",
                double.address()
            ),
        ),
        (
            Paging::WrongHost,
            format!("<https://registry.internal.example:5443{path}?last=1.0.1&n=2>; rel=\"next\""),
        ),
        (
            Paging::PreviousAndNext,
            format!("<{path}?before=a&n=1>; rel=\"previous\", <{path}?last=1.0.1&n=2>; rel=\"next\""),
        ),
        (
            Paging::Sloppy,
            format!("<{path}?last=1.0.1&n=2>; title=more; REL=next; type=json"),
        ),
        (
            Paging::OpaqueCursor,
            format!("<{path}?n=2&next_page=c-2>; rel=\"next\""),
        ),
        (Paging::NoLink, String::new()),
        (Paging::Loop, format!("<{path}?n=2>; rel=\"next\"")),
        (
            Paging::Endless,
            format!("<{path}?n=2&next_page=c-1>; rel=\"next\""),
        ),
    ] {
        double.behave(|behaviour| behaviour.paging = paging);
        let answer = scene
            .get(&format!("{}{path}?n=2", double.url()))
            .send()
            .await
            .unwrap();
        assert_eq!(header(&answer, "link"), link, "{paging:?}");
    }
    for paging in [Paging::Relative, Paging::OpaqueCursor, Paging::EmptyLastPage] {
        double.behave(|behaviour| behaviour.paging = paging);
        let (mut next, mut tags, mut pages) = (format!("{path}?n=2"), Vec::new(), 0);
        while !next.is_empty() {
            let answer = scene
                .get(&format!("{}{next}", double.url()))
                .send()
                .await
                .unwrap();
            let link = header(&answer, "link");
            next = link.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
            tags.extend(
                json(answer).await["tags"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|tag| tag.as_str().unwrap().to_owned()),
            );
            pages += 1;
        }
        assert_eq!(
            tags,
            ["1.0.0", "1.0.1", "latest", "legacy", "multi"],
            "{paging:?}"
        );
        assert_eq!(
            pages,
            if paging == Paging::EmptyLastPage { 4 } else { 3 },
            "{paging:?}"
        );
    }
}
