//! What metrics tell of registries, and the rules for alerts that operators are given.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use crate::shop::Shop;
use crate::world::{World, note};

#[tokio::test]
async fn metrics_tell_ages_and_never_a_secret() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    world
        .registry("never", "https://never.example.com", "berlin-1")
        .await;
    world.clock.advance(Duration::from_secs(60));
    let text = world.app.registry_figures().await;
    for line in [
        "portolan_registry_last_success_age_seconds{registry=\"gl\",tenant=\"acme\"} 60",
        "portolan_registry_last_success_timestamp_seconds{registry=\"gl\",tenant=\"acme\"} 1800000000",
        "portolan_registry_last_success_age_seconds{registry=\"never\",tenant=\"acme\"} 60",
        "portolan_registry_last_success_timestamp_seconds{registry=\"never\",tenant=\"acme\"} 0",
        "portolan_registry_series_left_out 0",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
    }
    assert!(
        !text.contains("next_start_timestamp_seconds{") && !text.contains("example.com"),
        "{text}"
    );
    let (tenant, gl) = (world.tenant, shop.registry);
    let gone = world
        .app
        .store
        .remove_registry(tenant, gl, &note(world.app.clock.now()), &|_| None)
        .await;
    assert!(gone.unwrap().is_some());
    assert!(
        !world.app.registry_figures().await.contains("\"gl\""),
        "what was removed is gone at once"
    );
}

/// The rules that operators are given.
const ALERTS: &str = include_str!("../../../deploy/control-plane/alerts.yml");

#[tokio::test]
async fn alerts_name_metrics_that_exist() {
    let world = World::new().await;
    Shop::open(&world).await;
    let schedule = json!({"schedule": {"expression": "every 6h"}});
    let path = "/api/v1/registries/gl";
    world
        .ask(&world.operator, Method::PATCH, path, Some(schedule))
        .await;
    let _loop = crate::clockwork::keep(&world.app);
    let gl = world.get(path).await.json()["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    world.planned(gl, None).await;
    let text = portolan::app::Meters::new().unwrap().render() + &world.app.registry_figures().await;
    let told: BTreeSet<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let names = regex::Regex::new("portolan_[a-z_]+").unwrap();
    let named: BTreeSet<_> = names.find_iter(ALERTS).map(|name| name.as_str()).collect();
    assert!(named.is_subset(&told), "{named:?} are not all of {told:?}");
    assert!(
        named
            .iter()
            .any(|name| name.ends_with("last_success_age_seconds"))
    );
    let count = |text: &str| ALERTS.matches(text).count();
    let alerts = count("- alert: ");
    assert!(alerts > 3);
    for part in ["expr: ", "severity: ", "summary: ", "description: "] {
        assert_eq!(count(part), alerts, "{part}");
    }
}
