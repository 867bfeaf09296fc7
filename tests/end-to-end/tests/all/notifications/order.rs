//! Events that come twice, in another order, or while everything is being read anyway.

use std::collections::BTreeMap;

use portolan_doubles::content::BenchShape;
use portolan_doubles::{Content, SmallImage};
use portolan_harness::{Door, Notified, wait_for};
use serde_json::json;

use super::said::{event, few, listener, some};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_again_is_looked_at_once() -> anyhow::Result<()> {
    let notified = Notified::start(Door::Listener, &few()).await?;
    let runs = notified.settled().await.len();
    let more = some("acme/more", &["1"]);
    notified.registry.add(&more)?;
    let said = [event("once", "push", "acme/more", Some("1"), None)];
    for _ in 0..3 {
        assert_eq!(notified.notify(&said).await?, 200);
    }
    let digest = more.expected()[&("acme/more".to_owned(), "1".to_owned())].to_string();
    notified.becomes("acme/more", "1", Some(&digest)).await;
    assert_eq!(notified.settled().await.len(), runs + 1);
    assert_eq!(notified.notify(&said).await?, 200);
    assert_eq!(notified.settled().await.len(), runs + 1, "also afterwards");
    let line = listener(&notified)?;
    assert_eq!(
        (&line["received"], &line["ignored"]),
        (&json!(1), &json!(3)),
        "{line:#}"
    );
    Ok(())
}

/// The control plane knows by itself what it was told.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_again_at_the_control_plane_is_looked_at_once() -> anyhow::Result<()> {
    let notified = Notified::start(Door::ControlPlane, &few()).await?;
    let runs = notified.settled().await.len();
    let more = some("acme/more", &["1"]);
    notified.registry.add(&more)?;
    let said = [event("once", "push", "acme/more", Some("1"), None)];
    for _ in 0..3 {
        assert_eq!(notified.notify(&said).await?, 200);
    }
    let digest = more.expected()[&("acme/more".to_owned(), "1".to_owned())].to_string();
    notified.becomes("acme/more", "1", Some(&digest)).await;
    assert_eq!(notified.settled().await.len(), runs + 1);
    assert_eq!(notified.notify(&said).await?, 200);
    assert_eq!(notified.settled().await.len(), runs + 1, "also afterwards");
    let api = notified.scene.control_plane.api()?;
    wait_for("all four to be counted", async || {
        let registry = api.get("/registries/gitlab", &[]).await.ok()?;
        let count = &registry["events"][0];
        (count["accepted"] == json!(1) && count["ignored"] == json!(3)).then_some(())
    })
    .await;
    Ok(())
}

/// A deletion that is told after the push that came behind it, and the other way round: what counts is what is there.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_order_events_come_in_the_registry_is_right() -> anyhow::Result<()> {
    let notified = Notified::start(Door::Listener, &some("acme/known", &["gone", "kept"])).await?;
    let there = notified.digest("acme/known", "kept").await?;
    assert!(there.is_some());
    notified.registry.untag("acme/known", "gone")?;
    let say = async |id: &str, action: &str, tag: &str| {
        let digest = SmallImage::new("any").digest();
        notified
            .notify(&[event(id, action, "acme/known", Some(tag), Some(&digest))])
            .await
    };
    for (at, (action, tag)) in [
        ("push", "kept"),
        ("delete", "kept"),
        ("delete", "gone"),
        ("push", "gone"),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(say(&format!("one {at}"), action, tag).await?, 200);
    }
    notified.becomes("acme/known", "gone", None).await;
    notified.settled().await;
    assert_eq!(notified.digest("acme/known", "kept").await?, there);
    assert_eq!(notified.digest("acme/known", "gone").await?, None);

    // One after the other, with a look in between.
    for (at, (action, tag)) in [("delete", "kept"), ("push", "gone")].iter().enumerate() {
        let runs = notified.runs().await?.len();
        assert_eq!(say(&format!("two {at}"), action, tag).await?, 200);
        wait_for("a look", async || {
            (notified.runs().await.ok()?.len() > runs).then_some(())
        })
        .await;
        notified.settled().await;
        assert_eq!(notified.digest("acme/known", "kept").await?, there);
        assert_eq!(notified.digest("acme/known", "gone").await?, None);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_while_the_registry_is_read_is_known_when_both_have_ended() -> anyhow::Result<()> {
    let content = Content::bench(BenchShape {
        repositories: 20,
        tags: 1_000,
        ..BenchShape::default()
    });
    let notified = Notified::start(Door::Listener, &few()).await?;
    notified.registry.add(&content)?;
    let api = notified.scene.control_plane.api()?;
    let pushers = [
        notified.pusher("bench/000").await?,
        notified.pusher("bench/019").await?,
    ];
    let run = notified.scene.queue(&notified.name).await?;
    wait_for("the run to be under way", async || {
        let run = api.get(&format!("/runs/{run}"), &[]).await.ok()?;
        (run["progress"]["repositories_total"].as_u64()? > 0 && run["ended"] != json!(true)).then_some(())
    })
    .await;
    let mut expected: BTreeMap<_, _> = content.expected();
    expected.extend(few().expected());
    for (pusher, repository) in pushers.iter().zip(["bench/000", "bench/019"]) {
        for n in 0..4 {
            let image = SmallImage::new(&format!("{repository} {n}"));
            // New ones, and one that is moved several times.
            for tag in [format!("pushed-{n}"), "0".to_owned()] {
                pusher.push(&image, &tag).await?;
                expected.insert((repository.to_owned(), tag), image.digest());
            }
        }
    }
    let under_way = api.get(&format!("/runs/{run}"), &[]).await?;
    let ended = notified.scene.ended(&run).await?;
    assert_eq!(ended["state"], json!("complete"), "{ended:#}");
    let runs = notified.settled().await;
    assert!(
        runs.iter().all(|run| run["state"] == json!("complete")),
        "{runs:#?}"
    );
    assert!(
        runs.iter().any(|run| run["trigger"] == json!("event")
            && run["ended_at"].as_str() > under_way["started_at"].as_str())
    );
    let expected: BTreeMap<_, _> = expected
        .into_iter()
        .map(|(place, digest)| (place, digest.to_string()))
        .collect();
    assert_eq!(notified.scene.inventory(&notified.name).await?, expected);
    Ok(())
}
