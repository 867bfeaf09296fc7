//! What a page says of the next one.

use super::*;

#[tokio::test]
async fn next_is_a_text_or_nothing_and_only_says_that_there_is_more() {
    // Whatever host it names, the web API itself is asked, page by page.
    let elsewhere = start(content(1)).await;
    for host in [None, Some(elsewhere.api().url())] {
        let hub = start(content(250)).await;
        hub.behave(|manners| manners.next_host = host);
        let seen = list(&client(&hub, true, |_| {}), &hub.api().url(), &["acme/**"]).await;
        assert_eq!((seen.found, seen.complete), (expected(250, "acme/"), true));
        let pages = hub.api().log().count(|seen| seen.path().ends_with("/shop/tags"));
        assert_eq!(pages, 3);
    }
    assert_eq!(elsewhere.api().log().total(), 0);

    for next in ["2", "true", "[]", "{}", r#"{"href":"https://x/"}"#] {
        let hub = start(content(3)).await;
        for (path, row) in [("/tags", "1.0"), ("/repositories", "shop")] {
            let page = format!(r#"{{"count":1,"next":{next},"results":[{{"name":"{row}"}}]}}"#);
            hub.api().lie(path, move |_| page.clone());
        }
        let client = client(&hub, true, |_| {});
        let product = Hub::new(Some(Url::parse(&hub.api().url()).unwrap()));
        let (_, mut pages) = product.tags(&client, &"acme/shop".parse().unwrap()).unwrap();
        let error = pages.next_page().await.unwrap_err();
        assert!(
            matches!(error.fault(), Fault::Protocol { .. }),
            "{next}: {error:?}"
        );

        // Neither list counts as whole: tags are listed as anywhere, and of repositories only what was named is known.
        let seen = list(&client, &hub.api().url(), &["acme/**", "acme/shop"]).await;
        assert_eq!(
            (seen.found, seen.complete),
            (expected(3, "acme/shop"), false),
            "{next}"
        );
        let [hub, general] = &seen.listings[..] else {
            panic!("{:?}", seen.listings)
        };
        assert_eq!(
            (hub.method, hub.repositories, hub.given_up),
            (ListingMethod::HubTags, 0, 1)
        );
        assert_eq!(
            (general.method, general.repositories),
            (ListingMethod::TagsList, 1)
        );
        let refused = seen.steps[0].finding.as_ref().unwrap();
        assert_eq!(
            (refused.code, seen.steps[0].complete),
            (FindingCode::NativeApiRefused, false)
        );
    }
}
