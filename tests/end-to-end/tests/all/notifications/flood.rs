//! Very many events at once.

use std::time::Duration;

use futures::future::try_join_all;
use portolan_doubles::SmallImage;
use portolan_harness::{Door, Notified, wait_for, wait_for_within};
use serde_json::{Value, json};

use super::said::{event, few, listener, sessions};

/// Rounds of 2,000 events.
const ROUNDS: usize = 50;
/// Most memory of an agent at any moment, in KiB.
const MEMORY: u64 = 64 * 1_024;

fn accepted(shown: &Value) -> u64 {
    let received = shown["received"].as_array().into_iter().flatten();
    received.filter_map(|count| count["accepted"].as_u64()).sum()
}

/// Waits until the control plane has noted so many events.
async fn noted(notified: &Notified, events: u64) -> anyhow::Result<()> {
    let api = notified.scene.control_plane.api()?;
    wait_for_within(Duration::from_secs(120), "all events to be noted", async || {
        let shown = api.get("/registries/gitlab/webhook", &[]).await.ok()?;
        (accepted(&shown) >= events).then_some(())
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_events_of_one_repository_are_looked_at_once() -> anyhow::Result<()> {
    let mut notified = Notified::start(Door::Listener, &few()).await?;
    let image = SmallImage::new("flood");
    // Known before, so that what is counted afterwards is the flood's.
    notified.pusher("acme/flood").await?.push(&image, "t1").await?;
    notified
        .becomes("acme/flood", "t1", Some(&image.digest().to_string()))
        .await;
    let before = notified.settled().await.len();
    let asked = notified.registry.requests().len();
    let opened = sessions(&notified);

    let envelopes: Vec<Vec<Value>> = (0..10)
        .map(|envelope| {
            let tags = (0..1_000).map(|n| format!("t{}", envelope * 1_000 + n));
            tags.map(|tag| event(&format!("flood {tag}"), "push", "acme/flood", Some(&tag), None))
                .collect()
        })
        .collect();
    try_join_all(envelopes.iter().map(|events| notified.tell(events))).await?;
    noted(&notified, 10_001).await?;
    let runs = notified.settled().await;
    let looks = &runs[..runs.len() - before];
    let [look] = looks else {
        panic!("one look, when all have come: {looks:#?}")
    };
    assert_eq!(look["state"], json!("complete"), "{look:#}");
    assert_eq!(look["repositories"], json!(["acme/flood"]), "{look:#}");
    // The tag list, a HEAD for what is there, and little else: not 10,000.
    let requests = notified.registry.requests().len() - asked;
    assert!(requests <= 240, "{requests} requests");
    assert_eq!(sessions(&notified), opened, "the session goes on");
    let process = notified.scene.agent.process().expect("the agent runs");
    let peak = process.memory_kib("VmHWM").expect("the kernel tells it");
    assert!(peak <= MEMORY, "{peak} KiB");
    println!("10,000 events: one run, {requests} requests, agent at most {peak} KiB");
    Ok(())
}

/// As many different repositories as a message takes, again and again: the agent tells them no faster than a control plane listens.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_different_things_never_costs_the_session() -> anyhow::Result<()> {
    let notified = Notified::start(Door::Listener, &few()).await?;
    notified.settled().await;
    let opened = sessions(&notified);
    let said = |n: usize| {
        let events: Vec<Value> = (0..500)
            .map(|at| {
                let repository = format!("flood/r{}", at % 60);
                event(
                    &format!("{n}/{at}"),
                    "push",
                    &repository,
                    Some(&format!("t{n}-{at}")),
                    None,
                )
            })
            .collect();
        let notified = &notified;
        async move { notified.tell(&events).await }
    };
    // Far more messages than the burst that a control plane bears, if each were told at once.
    for round in 0..ROUNDS {
        try_join_all((0..4).map(|n| said(round * 4 + n))).await?;
    }
    wait_for("everything to be told", async || {
        (listener(&notified).ok()?["waiting"] == json!(0)).then_some(())
    })
    .await;
    noted(&notified, 500 * 4 * ROUNDS as u64).await?;
    assert_eq!(sessions(&notified), opened, "{}", notified.scene.agent.log());
    Ok(())
}
