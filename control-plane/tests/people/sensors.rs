//! Sensors and invitations.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use portolan::app::SENSOR_ONLINE_SECONDS;
use portolan_shared::secret::EnrolmentToken;
use portolan_store::Seen;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_sensor_is_shown_by_name_and_by_id() {
    let world = World::new().await;
    let id = world.sensor("berlin-1").await;
    let before = world.get("/api/v1/sensors/berlin-1").await.json();
    assert_eq!(
        (&before["state"], &before["online"]),
        (&json!("provisional"), &json!(false))
    );
    world.session(id).await;
    let shown = world.get(&format!("/api/v1/sensors/{id}")).await.json();
    assert_eq!(shown["name"], "berlin-1");
    assert_eq!(shown["state"], "active");
    assert_eq!(shown["host"]["hostname"], "host-1");
    assert_eq!(shown["enrolled_from"], "192.0.2.7");
    assert_eq!(shown["policy_hash"].as_str().unwrap().len(), 64);
    assert_eq!(shown["certificate_ends_at"], "2027-02-14T08:00:00Z");
}

#[tokio::test]
async fn a_sensor_is_online_while_it_was_heard_of_lately() {
    let world = World::new().await;
    let id = world.sensor("berlin-1").await;
    world.session(id).await;
    let seen = Seen {
        tenant: world.tenant,
        sensor: id,
        at: world.app.clock.now(),
    };
    world.app.store.record_seen(&[seen]).await.unwrap();
    let online = || async { world.get("/api/v1/sensors").await.json()["items"][0]["online"].clone() };
    let nearly = u64::try_from(SENSOR_ONLINE_SECONDS).unwrap() - 1;
    world.clock.advance(Duration::from_secs(nearly));
    assert_eq!(online().await, true);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(online().await, false);
}

#[tokio::test]
async fn revoking_shuts_out_wakes_and_is_noted_once() {
    let world = World::new().await;
    let id = world.sensor("berlin-1").await;
    world.session(id).await;
    let path = "/api/v1/sensors/berlin-1/revoke";
    let revoked = world.ask(&world.admin, Method::POST, path, None).await;
    assert_eq!(revoked.json()["state"], "revoked");
    assert!(revoked.json()["revoked_at"].is_string());
    // The permit is there already: the task that cuts streams does not wait for its timer.
    world.app.signals.denials.notified().await;
    assert_eq!(world.app.store.denial_epoch().await.unwrap(), 1);
    let again = world.ask(&world.admin, Method::POST, path, None).await;
    assert_eq!(again.status, StatusCode::OK);
    let audit = world.done_by_people().await;
    assert_eq!(audit.len(), 1);
    assert_eq!(audit[0]["action"], "sensor.revoke");
    assert_eq!(audit[0]["object"], format!("sensor:{id}"));
}

#[tokio::test]
async fn an_invitation_carries_what_the_machine_needs_and_can_be_withdrawn() {
    let world = World::new().await;
    let made = world
        .post(
            "/api/v1/invitations",
            json!({"sensor_name": "berlin-1", "ttl_seconds": 600}),
        )
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    let token = EnrolmentToken::parse(made.json()["token"].as_str().unwrap()).unwrap();
    assert_eq!(token.url, "https://portolan.example.com:7443");
    assert_eq!(token.pins.len(), 1);
    assert_eq!(made.json()["id"], token.invitation.to_string());
    assert_eq!(made.json()["expires_at"], token.expires_at.to_string());

    let listed = world
        .ask(&world.admin, Method::GET, "/api/v1/invitations", None)
        .await
        .json();
    assert_eq!(listed["items"][0]["state"], "open");
    assert_eq!(listed["items"][0]["created_by"], "admin");
    let path = format!("/api/v1/invitations/{}", token.invitation);
    let gone = world.ask(&world.admin, Method::DELETE, &path, None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let again = world.ask(&world.admin, Method::DELETE, &path, None).await;
    assert_eq!(again.refusal(), (404, "not_found".to_owned()));
    let bad = world
        .post(
            "/api/v1/invitations",
            json!({"sensor_name": "berlin-1", "ttl_seconds": 1}),
        )
        .await;
    assert_eq!(bad.refusal(), (422, "invalid".to_owned()));
}

#[tokio::test]
async fn lists_are_paged_to_their_end_without_repeating_anything() {
    let world = World::new().await;
    let mut names: Vec<String> = (0..7).map(|n| format!("sensor-{n}")).collect();
    for name in &names {
        world.sensor(name).await;
    }
    let (mut seen, mut pages, mut path) = (Vec::new(), 0, "/api/v1/sensors?limit=3".to_owned());
    loop {
        let page = world.get(&path).await.json();
        let items = page["items"].as_array().unwrap().clone();
        assert!(items.len() <= 3);
        seen.extend(
            items
                .iter()
                .map(|sensor| sensor["name"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/sensors?limit=3&cursor={next}"),
            None => break,
        }
    }
    names.sort();
    assert_eq!((seen, pages), (names, 3));
}
