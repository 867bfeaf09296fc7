//! Schedules, as far as they need no waiting: what the clock does is proven on virtual time, beside the scheduler.

use std::time::Duration;

use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::{Content, SmallImage};
use portolan_harness::{Door, Notified, Scene, wait_for};
use serde_json::{Value, json};

fn command(scene: &Scene, arguments: &[&str]) -> anyhow::Result<String> {
    let done = scene.control_plane.cli(arguments)?;
    anyhow::ensure!(done.status.success(), "{}{}", done.output, done.errors);
    Ok(done.output)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_says_when_it_starts_next_and_the_preview_says_the_same() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    scene.enrol(&[]).await?;
    let further = [
        "--schedule",
        "daily 03:30",
        "--zone",
        "Europe/Berlin",
        "--jitter",
        "5m",
    ];
    scene.add_registry("gitlab", "https://registry.acme.example", &further)?;
    let api = scene.control_plane.api()?;
    let next = |registry: &Value| {
        registry["schedule"]["next"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let registry = api.get("/registries/gitlab", &[]).await?;
    assert_eq!(next(&registry).len(), 5, "{registry:#}");
    let preview = [
        "schedule",
        "preview",
        "daily 03:30",
        "--zone",
        "Europe/Berlin",
        "--jitter",
        "5m",
    ];
    let preview = command(
        &scene,
        &[&preview[..], &["--registry", "gitlab", "-o", "json"]].concat(),
    )?;
    let preview: Value = serde_json::from_str(&preview)?;
    assert_eq!(preview["starts"], json!(next(&registry)), "{preview:#}");

    command(&scene, &["registry", "pause", "gitlab"])?;
    let paused = api.get("/registries/gitlab", &[]).await?;
    assert_eq!(paused["schedule"]["paused"], json!(true), "{paused:#}");
    assert_eq!(next(&paused), Vec::<Value>::new(), "{paused:#}");
    command(&scene, &["registry", "resume", "gitlab"])?;
    command(
        &scene,
        &[
            "registry",
            "set",
            "gitlab",
            "--schedule",
            "weekly sun 01:00",
            "--zone",
            "Asia/Tokyo",
        ],
    )?;
    let changed = api.get("/registries/gitlab", &[]).await?;
    assert_eq!(changed["schedule"]["paused"], json!(false));
    assert_eq!(next(&changed).len(), 5);
    assert_ne!(next(&changed), next(&registry), "a change holds at once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_a_run_that_waits_joins_it_with_a_reason_of_its_own() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &["--schedule", "hourly"])?;
    scene.agent.kill();
    let (first, second) = (scene.queue(&gitlab).await?, scene.queue(&gitlab).await?);
    assert_eq!(first, second, "a run that waits is joined");
    let api = scene.control_plane.api()?;
    let run = api.get(&format!("/runs/{first}"), &[]).await?;
    let reasons: Vec<_> = run["reasons"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|reason| &reason["trigger"])
        .collect();
    assert_eq!(reasons, [&json!("manual"), &json!("manual")], "{run:#}");
    scene.agent.start()?;
    let ended = scene.ended(&first).await?;
    assert_eq!(ended["state"], json!("complete"), "{ended:#}");
    let runs = api.all("/runs", &[("registry", "gitlab")]).await?;
    assert_eq!(runs.len(), 1, "{runs:#?}");
    Ok(())
}

/// What is under way has listed the repositories already.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_syncs_while_a_run_is_under_way_waits_for_one_that_sees_what_he_has_pushed()
-> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    registry
        .faults()
        .add(Rule::all(), Fault::Delay(Duration::from_millis(50)));
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &["--concurrency", "4"])?;
    let under_way = scene.queue(&gitlab).await?;
    registry.log().reached(100).await;
    registry.change(|content| {
        let mut late = content.shelf("acme/late");
        let chart = late.helm_chart("late", "1.0.0");
        late.tag("1.0.0", &chart);
    });
    let synced = scene.control_plane.cli(&["sync", "gitlab", "--wait"])?;
    assert!(synced.status.success(), "{}{}", synced.output, synced.errors);
    let words = format!("is queued behind run {under_way}");
    assert!(synced.errors.contains(&words), "{}", synced.errors);
    let seen = scene.inventory(&gitlab).await?;
    let late = ("acme/late".to_owned(), "1.0.0".to_owned());
    assert!(seen.contains_key(&late), "{:?}", seen.keys());
    assert_eq!(scene.ended(&under_way).await?["state"], json!("complete"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_while_a_registry_is_paused_waits_for_its_resumption() -> anyhow::Result<()> {
    let notified = Notified::start(Door::Listener, &Content::gitlab_fixture()).await?;
    let runs = notified.settled().await.len();
    command(&notified.scene, &["registry", "pause", "gitlab"])?;
    let image = SmallImage::new("paused");
    notified.skopeo()?.push(&image, "acme/paused", "1").await?;
    let api = notified.scene.control_plane.api()?;
    wait_for("the event to be noted", async || {
        let registry = api.get("/registries/gitlab", &[]).await.ok()?;
        registry["last_event_at"].as_str().map(|_| ())
    })
    .await;
    assert_eq!(notified.settled().await.len(), runs, "nothing starts by itself");
    let run = notified.scene.queue(&notified.name).await?;
    let run = notified.scene.ended(&run).await?;
    assert_eq!(
        run["state"],
        json!("complete"),
        "what a person asks for does: {run:#}"
    );
    command(&notified.scene, &["registry", "resume", "gitlab"])?;
    notified
        .becomes("acme/paused", "1", Some(&image.digest().to_string()))
        .await;
    Ok(())
}

/// It is told that somebody has set up notifications for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_registry_that_is_read_once_a_day_are_counted_and_said() -> anyhow::Result<()> {
    let notified = Notified::start(Door::Listener, &Content::gitlab_fixture()).await?;
    command(
        &notified.scene,
        &["registry", "set", "gitlab", "--schedule", "daily"],
    )?;
    let runs = notified.settled().await.len();
    let image = SmallImage::new("daily");
    notified.skopeo()?.push(&image, "acme/daily", "1").await?;
    let api = notified.scene.control_plane.api()?;
    let codes = async || -> anyhow::Result<Vec<Value>> {
        let mut registry = api.get("/registries/gitlab", &[]).await?;
        let findings = registry["findings"].as_array_mut().into_iter().flatten();
        Ok(findings.map(|finding| finding["code"].take()).collect())
    };
    wait_for("the finding", async || {
        codes()
            .await
            .ok()?
            .contains(&json!("events.unused"))
            .then_some(())
    })
    .await;
    assert_eq!(notified.settled().await.len(), runs, "nothing starts for it");
    command(
        &notified.scene,
        &["registry", "set", "gitlab", "--schedule", "on-push"],
    )?;
    assert!(!codes().await?.contains(&json!("events.unused")));
    let digest = image.digest().to_string();
    notified.scene.sync(&notified.name).await?;
    notified.becomes("acme/daily", "1", Some(&digest)).await;
    Ok(())
}
