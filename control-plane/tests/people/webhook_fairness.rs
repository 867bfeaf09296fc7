//! Nobody who is told of changes, or tries an endpoint out, waits for what others do.

use std::sync::Arc;

use axum::http::Method;
use futures::FutureExt as _;
use portolan_shared::model::{
    Budget, CaTrust, RegistryId, RepositoryPatterns, SensorId, TagFilter, TenantId, WebhookId, limits,
};
use portolan_store::{NewRegistry, NewWebhook, Schedule, Tenant};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::shop::commit;
use crate::webhook_endpoint::{Endpoint, Manner, Scene, until};
use crate::world::{enrol, note};

const HOOKS: &str = "/api/v1/webhooks";

#[tokio::test]
async fn webhooks_of_a_registry_in_which_nothing_happens_cost_the_others_nothing() {
    let scene = Scene::new().await;
    let (world, shop) = (&scene.world, &scene.shop);
    world
        .registry("quiet", "https://quiet.example.com", "berlin-1")
        .await;
    let endpoint = Endpoint::open(Manner::Answers(Vec::new())).await;
    for number in 0..60 {
        let body = json!({"name": format!("a{number:02}"), "url": endpoint.url(), "registry": "quiet"});
        assert_eq!(world.post(HOOKS, body).await.status, 201);
    }
    let live = Endpoint::open(Manner::Answers(Vec::new())).await;
    let body = json!({"name": "live", "url": live.url(), "registry": "gl"});
    assert_eq!(world.post(HOOKS, body).await.status, 201);
    let (store, tenant) = (&world.app.store, world.tenant);
    let where_they_are = async || {
        let page = portolan_store::PageRequest {
            after: None,
            limit: 60,
        };
        let quiet = store.webhooks(tenant, &page).await.unwrap().items;
        quiet
            .into_iter()
            .map(|webhook| webhook.position)
            .collect::<Vec<_>>()
    };
    let before = where_they_are().await;
    let deliverer = scene.deliver();
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    for number in 0..200 {
        commit(world, &fence, &format!("acme/r{number}"), &[("1", &shop.image)]).await;
        scene.wake();
        if number == 100 {
            // It does not wait for the last commit.
            live.has_heard(1).await;
        }
    }
    until(async || scene.webhook("live").await["behind"] == 0).await;
    assert_eq!(
        where_they_are().await,
        before,
        "nothing was written for the quiet ones"
    );
    assert_eq!(scene.webhook("a00").await["behind"], 0, "and they miss nothing");
    // So that what is forgotten does not overtake them, all are moved now and then.
    scene.later(60);
    let end = store.feed_end(tenant).await.unwrap();
    until(async || where_they_are().await.iter().all(|position| *position == end)).await;
    assert!(endpoint.heard().is_empty());
    deliverer.cut().await;
}

/// A tenant of its own, with webhooks that all lead to one endpoint.
async fn tenant(scene: &Scene, name: &str, webhooks: usize, endpoint: &Endpoint) -> (TenantId, SensorId) {
    let app = &scene.world.app;
    let id = TenantId::generate(&*app.clock, &*app.rng);
    let created_at = app.clock.now();
    let name = name.to_owned();
    let tenant = Tenant { id, name, created_at };
    app.store.add_tenant(&tenant).await.unwrap();
    for number in 0..webhooks {
        let webhook = NewWebhook {
            id: WebhookId::generate(&*app.clock, &*app.rng),
            tenant: id,
            name: format!("w{number}").parse().unwrap(),
            url: endpoint.url().parse().unwrap(),
            registry: None,
            position: app.store.feed_end(id).await.unwrap(),
            created_by: "system".to_owned(),
            now: created_at,
        };
        let entry = note(created_at);
        app.store.add_webhook(&webhook, &entry).await.unwrap();
    }
    (id, enrol(app, id, "edge", None).await)
}

/// The least that the feed of a tenant tells of: a registry goes.
async fn registry_goes(scene: &Scene, (tenant, sensor): (TenantId, SensorId)) {
    let (app, now) = (&scene.world.app, scene.world.app.clock.now());
    let registry = NewRegistry {
        id: RegistryId::generate(&*app.clock, &*app.rng),
        tenant,
        name: "gone".parse().unwrap(),
        url: "https://registry.example.com".parse().unwrap(),
        ca: CaTrust::default(),
        repositories: RepositoryPatterns::all(),
        tags: TagFilter::default(),
        credential: None,
        budget: Budget::default(),
        schedule: Schedule::default(),
        sensors: vec![sensor],
    };
    app.store.add_registry(&registry, now, &note(now)).await.unwrap();
    let removed = app
        .store
        .remove_registry(tenant, registry.id, &note(now), &|_| None)
        .await;
    assert!(removed.unwrap().is_some());
    scene.wake();
}

/// Whether all webhooks of a tenant have been told everything.
async fn all_told(scene: &Scene, (tenant, _): (TenantId, SensorId)) -> bool {
    let all = portolan_store::PageRequest {
        after: None,
        limit: 100,
    };
    let webhooks = scene.world.app.store.webhooks(tenant, &all).await.unwrap();
    webhooks.items.iter().all(|webhook| webhook.behind == 0)
}

#[tokio::test]
async fn endpoints_that_answer_late_wait_among_themselves() {
    let scene = Scene::new().await;
    let answers = Arc::new(Semaphore::new(0));
    let late = Endpoint::open(Manner::Late(Arc::clone(&answers))).await;
    let quick = Endpoint::open(Manner::Answers(Vec::new())).await;
    let tenants = [
        tenant(&scene, "one", 20, &late).await,
        tenant(&scene, "two", 20, &late).await,
        tenant(&scene, "three", 1, &quick).await,
    ];
    let happen = async || {
        for tenant in tenants {
            registry_goes(&scene, tenant).await;
        }
    };
    happen().await;
    let deliverer = scene.deliver();
    scene.wake();
    // Nobody knows yet that they are late, and it does not matter: nobody has answered when the third tenant is told.
    quick.has_heard(1).await;
    late.has_heard(40).await;
    scene.later(3);
    answers.add_permits(40);
    for tenant in tenants {
        until(async || all_told(&scene, tenant).await).await;
    }
    // Now it is known: they have slots of their own, and neither of the two tenants all of these.
    happen().await;
    quick.has_heard(2).await;
    let most = 2 * limits::SLOW_DELIVERIES_PER_TENANT;
    late.has_heard(40 + most).await;
    until(async || all_told(&scene, tenants[2]).await).await;
    happen().await;
    quick.has_heard(3).await;
    assert_eq!(late.heard().len(), 40 + most, "the others of them wait for these");
    until(async || {
        let delivered = deliverer
            .meters
            .webhook_deliveries
            .with_label_values(&["delivered"]);
        delivered.get() == 43
    })
    .await;
    deliverer.cut().await;
}

/// Adds a webhook in the neighbours' tenant.
async fn of_neighbours(scene: &Scene, url: &str) {
    let neighbour = &scene.world.neighbour;
    let body = Some(json!({"name": "theirs", "url": url}));
    let added = scene.world.ask(neighbour, Method::POST, HOOKS, body).await;
    assert_eq!(added.status, 201, "{:?}", added.json());
}

#[tokio::test]
async fn a_test_is_finished_and_noted_though_nobody_waits_and_hinders_no_other_tenant() {
    let scene = Scene::new().await;
    let answers = Arc::new(Semaphore::new(0));
    let late = Endpoint::open(Manner::Late(Arc::clone(&answers))).await;
    scene.add("late", &late.url()).await;
    let good = Endpoint::open(Manner::Answers(Vec::new())).await;
    of_neighbours(&scene, &good.url()).await;
    let most = limits::WEBHOOK_TESTS_PER_TENANT;
    {
        // Whoever asks hangs up as soon as the endpoint has heard of it.
        let tests = (0..most).map(|_| scene.act("late", "test"));
        let mut tests = futures::future::join_all(tests).fuse();
        futures::select_biased! {
            _ = tests => panic!("nobody has answered"),
            _ = late.has_heard(most).fuse() => {}
        }
    }
    let test = format!("{HOOKS}/late/test");
    let refused = scene.world.post(&test, json!({})).await;
    assert_eq!(refused.refusal(), (429, "too_many_tests".to_owned()));
    assert_eq!(refused.json()["details"]["most"], most);
    let theirs = format!("{HOOKS}/theirs/test");
    let tested = scene
        .world
        .ask(&scene.world.neighbour, Method::POST, &theirs, Some(json!({})))
        .await;
    assert_eq!(tested.json()["arrived"], true);
    assert!(
        scene.deliveries("late").await.is_empty(),
        "what was refused was not sent"
    );
    answers.add_permits(most);
    until(async || scene.deliveries("late").await.len() == most).await;
    assert_eq!(late.heard().len(), most);
    for delivery in scene.deliveries("late").await {
        assert_eq!(
            (&delivery["test"], &delivery["failure"]),
            (&json!(true), &Value::Null)
        );
    }
    let done = scene.world.done_by_people().await;
    let noted = done.iter().filter(|entry| entry["action"] == "webhook.test");
    assert_eq!(noted.count(), most);
    answers.add_permits(1);
    until(async || scene.world.post(&test, json!({})).await.status == 200).await;
}

#[tokio::test]
async fn metrics_tell_how_webhooks_are() {
    let scene = Scene::new().await;
    let broken = Endpoint::open(Manner::Answers(vec!["503 Unavailable\r\n"; 9])).await;
    for name in ["paused", "broken"] {
        scene.add(name, &broken.url()).await;
    }
    scene.act("paused", "pause").await;
    let deliverer = scene.deliver();
    scene.happen("acme/one", &["1"]).await;
    until(async || scene.webhook("broken").await["attempts"] == 1).await;
    let app = &scene.world.app;
    scene.world.clock.advance(std::time::Duration::from_secs(4));
    let text = app.webhook_figures().await;
    for line in [
        "portolan_webhooks{state=\"active\"} 1",
        "portolan_webhooks{state=\"paused\"} 1",
        "portolan_webhooks{state=\"disabled\"} 0",
        "portolan_webhooks_failing 1",
        "portolan_webhook_longest_failure_seconds 4",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
    }
    until(async || {
        let counted = deliverer.meters.render();
        counted.contains("portolan_webhook_deliveries_total{outcome=\"again\"} 1")
    })
    .await;
    deliverer.cut().await;
}
