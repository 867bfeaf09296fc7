//! Authentication: the challenges that registries send (case 19).

use portolan_registry::{Login, RegistryClient};
use portolan_shared::model::FindingCode;

use crate::auth::{content, read, registry, usual};
use crate::client::{BASIC, access_by_name, client, with_login};
use crate::server::{Answer, Server};

#[tokio::test]
async fn c19_every_form_of_challenge_leads_to_a_token_for_reading() {
    type Form = fn(&str) -> String;
    let forms: [(&str, Form); 12] = [
        ("usual", usual),
        ("push is never asked for", |h| {
            format!(r#"Bearer realm="http://{h}/token",service="r",scope="repository:a/b:pull,push""#)
        }),
        ("two in a line", |h| {
            format!(r#"Bearer realm="http://{h}/token",service="r",scope="*",Basic realm="r""#)
        }),
        ("the other order", |h| {
            format!(r#"Basic realm="r", Bearer realm="http://{h}/token",service="r""#)
        }),
        ("odd case", |h| {
            format!(r#"bEARER REALM="http://{h}/token",Service="r""#)
        }),
        ("unquoted", |h| format!("Bearer realm=http://{h}/token,service=r")),
        ("relative", |_| r#"Bearer realm="/token",service="r""#.to_owned()),
        ("no scope", |h| {
            format!(r#"Bearer realm="http://{h}/token",service="r""#)
        }),
        ("empty scope", |h| {
            format!(r#"Bearer realm="http://{h}/token",service="r",scope="""#)
        }),
        ("several scopes", |h| {
            format!(
                r#"Bearer realm="http://{h}/token",service="r",scope="registry:catalog:* repository:a/b:pull""#
            )
        }),
        ("any scope", |h| {
            format!(r#"Bearer realm="http://{h}/token",service="r",scope="*""#)
        }),
        ("escaped", |h| {
            format!(r#"Bearer realm="http://{h}\/token",service="\r""#)
        }),
    ];
    for (what, form) in forms {
        let server = registry(
            form,
            |_| Answer::json(r#"{"token":"t"}"#),
            |sent| sent == "Bearer t",
        )
        .await;
        read(&with_login(&server.url())).await.unwrap();
        let heard = server.heard();
        let asked = heard.iter().find(|heard| heard.path == "/token").unwrap();
        assert_eq!(asked.parameters("scope"), ["repository:a/b:pull"], "{what}");
        assert_eq!(asked.parameters("service"), ["r"], "{what}");
        assert_eq!(asked.parameters("account"), ["reader"], "{what}");
        assert_eq!(asked.header("authorization"), Some(BASIC), "{what}");
        let sent: Vec<_> = heard.iter().filter(|heard| heard.path != "/token").collect();
        assert_eq!(sent.len(), 2, "{what}");
        assert_eq!(
            sent[0].header("authorization"),
            None,
            "{what}: nothing is sent before it is asked for"
        );
    }
}

#[tokio::test]
async fn c19_two_headers_and_no_service() {
    let server = Server::start(
        |heard| match (heard.path.as_str(), heard.header("authorization")) {
            ("/token", _) => Answer::json(r#"{"token":"t"}"#),
            (_, Some("Bearer t")) => content(heard),
            _ => Answer::status(401)
                .with("www-authenticate", "Bearer realm=\"/token\"")
                .and("www-authenticate", "Basic"),
        },
    )
    .await;
    read(&client(&server.url())).await.unwrap();
    let asked = server
        .heard()
        .into_iter()
        .find(|heard| heard.path == "/token")
        .unwrap();
    assert!(asked.parameter("service").is_none());
    assert_eq!(asked.header("authorization"), None, "a stranger asks as one");
}

#[tokio::test]
async fn c19_insufficient_scope_is_asked_for_once_more() {
    let server = registry(
        |host| {
            format!(
                r#"Bearer realm="http://{host}/token",service="r",scope="repository:proxy/a/b:pull",error="insufficient_scope""#
            )
        },
        |heard| Answer::json(format!(r#"{{"token":"{}"}}"#, heard.parameter("scope").unwrap().replace([':', '/'], "."))),
        |sent| sent == "Bearer repository.proxy.a.b.pull",
    )
    .await;
    let client = with_login(&server.url());
    read(&client).await.unwrap();
    read(&client).await.unwrap();
    assert_eq!(server.count("/token"), 1, "and remembered");
}

#[tokio::test]
async fn c19_refused_without_a_challenge() {
    let server = Server::start(
        |heard| match (heard.path.as_str(), heard.header("authorization")) {
            ("/token", _) => Answer::json(r#"{"token":"t"}"#),
            (_, Some("Bearer t")) => content(heard),
            ("/v2/", _) => {
                Answer::status(401).with("www-authenticate", "Bearer realm=\"/token\",service=\"r\"")
            }
            _ => Answer::status(401),
        },
    )
    .await;
    let client = with_login(&server.url());
    client.ping().await.unwrap();
    read(&client).await.unwrap();
}

#[tokio::test]
async fn c19_realm_on_another_host() {
    let tokens = Server::start(|_| Answer::json(r#"{"token":"t"}"#)).await;
    let realm = tokens.url_as("auth.elsewhere.example");
    let registry = Server::start(move |heard| match heard.header("authorization") {
        Some("Bearer t") => content(heard),
        _ => Answer::status(401).with("www-authenticate", format!(r#"Bearer realm="{realm}/token""#)),
    })
    .await;
    let client = RegistryClient::new(access_by_name(&registry.url_as("registry.example.com"))).unwrap();
    let ping = client.ping().await.unwrap();
    assert!(!ping.accepted && matches!(ping.login, Login::Bearer { .. }));
    assert_eq!(
        tokens.heard().len(),
        0,
        "a stranger needs no token to learn what the API is"
    );
    read(&client).await.unwrap();
    assert_eq!(tokens.heard()[0].header("authorization"), None);
}

#[tokio::test]
async fn c19_challenge_on_a_good_answer() {
    // Zot shows strangers what is public, and names a challenge for whoever wants to see the rest.
    for challenge in ["bearer realm=\"/token\"", "Basic realm=\"zot\""] {
        let server = Server::start(
            move |heard| match (heard.path.as_str(), heard.header("authorization")) {
                ("/token", Some(BASIC)) => Answer::json(r#"{"token":"t"}"#),
                ("/v2/", None) => Answer::json("{}").with("www-authenticate", challenge),
                (_, None) => Answer::json(r#"{"tags":["public"]}"#),
                (_, Some("Bearer t" | BASIC)) => Answer::json(r#"{"tags":["public","private"]}"#),
                _ => Answer::status(401).with("www-authenticate", challenge),
            },
        )
        .await;
        let with = with_login(&server.url());
        assert!(with.ping().await.unwrap().accepted);
        let tags = with
            .tags(&crate::client::repository())
            .next_page()
            .await
            .unwrap()
            .unwrap();
        assert_eq!(tags.items.len(), 2, "{challenge}: seen with the login");
        let stranger = client(&server.url());
        let ping = stranger.ping().await.unwrap();
        assert_eq!((ping.login, ping.accepted), (Login::NotAsked, true));
        read(&stranger).await.unwrap();
    }
}

#[tokio::test]
async fn c19_basic_without_or_with_odd_parameters() {
    for challenge in ["Basic", "BASIC", "Basic realm=openshift,error=\"x\""] {
        let server = Server::start(move |heard| match heard.header("authorization") {
            Some(BASIC) => content(heard),
            _ => Answer::status(401).with("www-authenticate", challenge),
        })
        .await;
        read(&with_login(&server.url())).await.unwrap();
    }
}

#[tokio::test]
async fn c19_token_service_behind_a_redirect_or_a_login_page() {
    let server = registry(
        |_| r#"Bearer realm="/moved""#.to_owned(),
        |_| Answer::json(r#"{"token":"t"}"#),
        |sent| sent == "Bearer t",
    )
    .await;
    // The same origin: the login may follow.
    let moved = Server::start(
        move |heard| match (heard.path.as_str(), heard.header("authorization")) {
            ("/moved", _) => Answer::status(307).with("location", format!("/token?{}", heard.query)),
            ("/token", Some(BASIC)) => Answer::json(r#"{"token":"t"}"#),
            (_, Some("Bearer t")) => content(heard),
            _ => Answer::status(401).with("www-authenticate", "Bearer realm=\"/moved\""),
        },
    )
    .await;
    read(&with_login(&moved.url())).await.unwrap();
    drop(server);
    let page = registry(
        usual,
        |_| {
            Answer::status(302)
                .with("location", "/v2/login")
                .with("content-type", "text/html")
        },
        |_| false,
    )
    .await;
    let error = read(&with_login(&page.url())).await.unwrap_err();
    assert_ne!(error.finding().code, FindingCode::Internal, "{error:?}");
}
