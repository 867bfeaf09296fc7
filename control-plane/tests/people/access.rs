//! API tokens.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;

use crate::desk::Desk;
use crate::world::{NOW, World, request};

#[tokio::test]
async fn a_token_works_from_its_making_to_its_revocation() {
    let world = World::new().await;
    let made = world
        .post("/api/v1/tokens", json!({"name": "ci", "role": "operator"}))
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(made.header(header::CACHE_CONTROL), Some("no-store"));
    let (id, text) = (
        made.json()["id"].clone(),
        made.json()["token"].as_str().unwrap().to_owned(),
    );
    assert!(text.starts_with("ptl_api_"));

    let who = world.ask(&text, Method::GET, "/api/v1/whoami", None).await;
    assert_eq!(who.json()["token_name"], "ci");
    assert_eq!(who.json()["role"], "operator");

    let path = format!("/api/v1/tokens/{}", id.as_str().unwrap());
    let revoked = world.ask(&world.admin, Method::DELETE, &path, None).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    let refused = world.ask(&text, Method::GET, "/api/v1/whoami", None).await;
    assert_eq!(refused.refusal(), (401, "unauthenticated".to_owned()));
    let again = world.ask(&world.admin, Method::DELETE, &path, None).await;
    assert_eq!(again.refusal(), (404, "not_found".to_owned()));

    let listed = world.ask(&world.admin, Method::GET, "/api/v1/tokens", None).await;
    assert!(
        !String::from_utf8_lossy(&listed.bytes).contains("ptl_api_"),
        "a list shows no text of a token"
    );
    let audit = world.done_by_people().await;
    let actions: Vec<_> = audit.iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["token.revoke", "token.create"]);
    assert_eq!(audit[0]["actor"], "token:admin");
    let audit = world.get("/api/v1/audit").await.json();
    assert!(!audit.to_string().contains("ptl_api_"));
}

#[tokio::test]
async fn a_token_ends_when_it_says() {
    let world = World::new().await;
    let end = jiff::Timestamp::from_second(NOW + 60).unwrap();
    let made = world
        .post(
            "/api/v1/tokens",
            json!({"name": "short", "role": "viewer", "expires_at": end}),
        )
        .await;
    let text = made.json()["token"].as_str().unwrap().to_owned();
    let who = || world.ask(&text, Method::GET, "/api/v1/whoami", None);
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(who().await.status, StatusCode::OK);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(who().await.status, StatusCode::UNAUTHORIZED);
    let past = world
        .post(
            "/api/v1/tokens",
            json!({"name": "past", "role": "viewer", "expires_at": end}),
        )
        .await;
    assert_eq!(past.refusal(), (422, "invalid".to_owned()));
}

#[tokio::test]
async fn names_roles_and_uniqueness_are_checked() {
    let world = World::new().await;
    for body in [
        json!({"name": "", "role": "viewer"}),
        json!({"name": "a\nb", "role": "viewer"}),
        json!({"name": "x".repeat(129), "role": "viewer"}),
        json!({"name": "x", "role": "root"}),
    ] {
        let answer = world.post("/api/v1/tokens", body.clone()).await;
        assert_eq!(answer.refusal(), (422, "invalid".to_owned()), "{body}");
    }
    let taken = world
        .post("/api/v1/tokens", json!({"name": "viewer", "role": "viewer"}))
        .await;
    assert_eq!(taken.refusal(), (409, "taken".to_owned()));
}

#[tokio::test]
async fn only_one_bearer_header_counts() {
    let world = World::new().await;
    let mut basic = request(None, Method::GET, "/api/v1/whoami", None);
    let value = HeaderValue::from_str(&format!("Basic {}", world.viewer)).unwrap();
    basic.headers_mut().insert(header::AUTHORIZATION, value);
    assert_eq!(world.send(basic).await.status, StatusCode::UNAUTHORIZED);

    let mut two = request(Some(&world.viewer), Method::GET, "/api/v1/whoami", None);
    let value = HeaderValue::from_str(&format!("Bearer {}", world.admin)).unwrap();
    two.headers_mut().append(header::AUTHORIZATION, value);
    assert_eq!(world.send(two).await.status, StatusCode::UNAUTHORIZED);

    let in_query = format!("/api/v1/whoami?token={}", world.viewer);
    let query = world.send(request(None, Method::GET, &in_query, None)).await;
    assert_eq!(query.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_use_of_a_token_is_told_of_once_a_day_with_the_kind_of_network() {
    let world = World::new().await;
    let uses = async || {
        let audit = world.get("/api/v1/audit?limit=1000").await.json();
        let all = audit["items"].as_array().unwrap().clone();
        let of_admin =
            |entry: &serde_json::Value| entry["action"] == "token.use" && entry["actor"] == "token:admin";
        all.into_iter().filter(of_admin).collect::<Vec<_>>()
    };
    let desk = Desk::open(&world).await;
    for _ in 0..3 {
        assert_eq!(desk.say("registry list").await.exit, portolan::cli::Exit::Done);
    }
    let first = uses().await;
    assert_eq!(first.len(), 1);
    let details = &first[0]["details"];
    assert_eq!(
        *details,
        json!({"name": "admin", "role": "admin", "first": true, "source": "loopback"})
    );
    world.clock.advance(Duration::from_secs(86_399));
    world.post("/api/v1/registries", json!({})).await;
    assert_eq!(uses().await.len(), 1);
    world.clock.advance(Duration::from_secs(1));
    let mut from_afar = request(Some(&world.admin), Method::GET, "/api/v1/whoami", None);
    let remote: SocketAddr = "198.51.100.7:1".parse().unwrap();
    from_afar.extensions_mut().insert(ConnectInfo(remote));
    for request in [
        from_afar,
        request(Some(&world.admin), Method::GET, "/api/v1/whoami", None),
    ] {
        assert_eq!(world.send(request).await.status, StatusCode::OK);
    }
    let again = uses().await;
    assert_eq!(again.len(), 2);
    assert_eq!(
        (&again[0]["details"]["source"], &again[0]["details"]["first"]),
        (&json!("public"), &json!(false))
    );
    // A token that is no good is not used.
    let refused = world.ask("ptl_api_x", Method::GET, "/api/v1/whoami", None).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(uses().await.len(), 2);
    desk.shutdown.start_drain();
}

/// Once a minute for each token, however often it is tried; of a text that is no token of anybody there is nobody to tell.
#[tokio::test]
async fn a_token_that_is_no_good_is_told_of_in_the_log_of_its_tenant() {
    let world = World::new().await;
    let text = crate::world::token(&world.app, world.tenant, "old", portolan_store::Role::Viewer).await;
    let id = portolan::app::ApiTokenText::parse(&text).unwrap().id;
    let now = world.app.clock.now();
    let entry = crate::world::note(now);
    world
        .app
        .store
        .revoke_api_token(world.tenant, id, now, &entry)
        .await
        .unwrap();
    for _ in 0..5 {
        let refused = world.ask(&text, Method::GET, "/api/v1/whoami", None).await;
        assert_eq!(refused.status, 401);
    }
    let audit = world.get("/api/v1/audit").await.json();
    let told: Vec<_> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["action"] == "token.refused")
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["object"], format!("token:{id}"));
    assert_eq!(told[0]["details"]["why"], "revoked");
}
