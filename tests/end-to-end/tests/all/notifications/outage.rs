//! One of them is down while images are pushed.

use portolan_doubles::SmallImage;
use portolan_harness::{Door, Notified, wait_for};
use portolan_shared::process::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::said::{event, few, listener, newest, some};

/// Tags of one repository that are pushed while nobody listens: more than the agent keeps apart.
const MANY: usize = 150;
/// Repositories and tags that an agent keeps apart.
const QUEUE: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_while_the_control_plane_is_down_is_known_when_it_is_back() -> anyhow::Result<()> {
    // A repository of which one tag is known: the others are not to be looked for among those.
    let mut notified = Notified::start(Door::Listener, &some("acme/many", &["known"])).await?;
    let runs = notified.settled().await.len();
    notified.scene.control_plane.kill();
    let received = || Some(listener(&notified).ok()?["received"].as_u64().unwrap_or(0));
    let mut pushed = Vec::new();
    for repository in ["acme/one", "acme/two"] {
        let pusher = notified.pusher(repository).await?;
        for tag in ["1.0", "1.1", "latest"] {
            let image = SmallImage::new(&format!("{repository}:{tag}"));
            pusher.push(&image, tag).await?;
            pushed.push((repository, tag.to_owned(), image.digest().to_string()));
        }
    }
    let many = notified.pusher("acme/many").await?;
    let image = SmallImage::new("many");
    for n in 0..MANY {
        many.push(&image, &format!("t{n}")).await?;
        pushed.push(("acme/many", format!("t{n}"), image.digest().to_string()));
    }
    // One tag again and again.
    let moving = notified.pusher("acme/moving").await?;
    for n in 0..20 {
        moving
            .push(&SmallImage::new(&format!("moving {n}")), "edge")
            .await?;
    }
    let last = SmallImage::new("moving 19").digest().to_string();
    pushed.push(("acme/moving", "edge".to_owned(), last));
    wait_for("the agent to have heard of all of them", async || {
        (received()? >= (6 + MANY + 20) as u64).then_some(())
    })
    .await;
    let line = listener(&notified)?;
    let waiting = line["waiting"].as_u64().unwrap_or(u64::MAX);
    assert!(
        waiting <= 6 + 1 + 1,
        "what is said of the same things is kept once: {line:#}"
    );

    notified.scene.control_plane.restart().await?;
    for (repository, tag, digest) in &pushed {
        notified.becomes(repository, tag, Some(digest)).await;
    }
    let after = notified.settled().await;
    assert!(
        after.len() <= runs + 3,
        "{} runs for 176 events: {after:#?}",
        after.len() - runs
    );
    let line = listener(&notified)?;
    assert_eq!(line["waiting"], json!(0), "{line:#}");
    assert_eq!(line["refused"], json!(0), "{line:#}");
    Ok(())
}

/// So much is pushed while nobody listens that the agent cannot keep it apart: what it gives up is found by a look at the whole registry.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_to_be_kept_is_found_when_the_whole_registry_is_looked_at() -> anyhow::Result<()> {
    let mut notified = Notified::start(Door::Listener, &few()).await?;
    notified.settled().await;
    let since = SystemClock.now();
    notified.scene.control_plane.kill();
    // Nobody tells of this one at all.
    let silent = some("acme/silent", &["1"]);
    notified.registry.add(&silent)?;
    let repositories: Vec<String> = (0..=QUEUE).map(|n| format!("acme/flood/r{n}")).collect();
    for some in repositories.chunks(1_000) {
        let events = some
            .iter()
            .map(|repository| event(repository, "push", repository, Some("1"), None));
        notified.tell(&events.collect::<Vec<Value>>()).await?;
    }
    let line = listener(&notified)?;
    assert_eq!(line["received"], json!(QUEUE + 1), "{line:#}");
    assert_eq!(line["waiting"], json!(0), "one more than it keeps: {line:#}");

    notified.scene.control_plane.restart().await?;
    let digest = silent.expected()[&("acme/silent".to_owned(), "1".to_owned())].to_string();
    notified.becomes("acme/silent", "1", Some(&digest)).await;
    let line = newest(&notified, "acme/silent", "1").await?;
    assert_eq!(
        (
            &line["by"]["trigger"],
            &line["by"]["references"],
            &line["by"]["repositories"]
        ),
        (&json!("event"), &json!([]), &json!([])),
        "the whole registry was looked at, because events were lost: {line:#}"
    );
    let api = notified.scene.control_plane.api()?;
    let registry = api.get("/registries/gitlab", &[]).await?;
    let given_up: u64 = registry["events"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|count| count["given_up"].as_u64())
        .sum();
    assert!(given_up >= QUEUE as u64, "{registry:#}");
    // What has changed since is told, and nothing else.
    let since = since.to_string();
    let diff = notified
        .scene
        .control_plane
        .cli(&["diff", "gitlab", "--since", &since, "-o", "json"])?;
    assert!(diff.status.success(), "{}{}", diff.output, diff.errors);
    let diff: Value = serde_json::from_str(&diff.output)?;
    let changed: Vec<_> = diff
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| (&item["repository"], &item["tag"], &item["change"], &item["to"]))
        .collect();
    assert_eq!(
        changed,
        [(
            &json!("acme/silent"),
            &json!("1"),
            &json!("appeared"),
            &json!(digest)
        )],
        "{diff:#}"
    );
    Ok(())
}

/// Nobody tells of it: what the registry had to say while the agent was down is lost, as it is when a registry gives up.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_while_the_agent_is_down_is_found_after_its_start() -> anyhow::Result<()> {
    let mut notified = Notified::start(Door::Listener, &few()).await?;
    let runs = notified.settled().await.len();
    notified.scene.agent.kill();
    let lost = some("acme/lost", &["1", "2"]);
    notified.registry.add(&lost)?;
    let digest = lost.expected()[&("acme/lost".to_owned(), "2".to_owned())].to_string();
    notified.scene.agent.start()?;
    notified.becomes("acme/lost", "2", Some(&digest)).await;
    let line = newest(&notified, "acme/lost", "2").await?;
    assert_eq!(
        (
            &line["by"]["trigger"],
            &line["by"]["references"],
            &line["by"]["repositories"]
        ),
        (&json!("event"), &json!([]), &json!([])),
        "the start of the agent had the whole registry looked at: {line:#}"
    );
    let after = notified.settled().await;
    assert_eq!(after.len(), runs + 1, "{after:#?}");
    // The agent has said itself that it may have missed something: nobody is to look for a fault in the registry's settings.
    let api = notified.scene.control_plane.api()?;
    let registry = api.get("/registries/gitlab", &[]).await?;
    let codes: Vec<_> = registry["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|finding| &finding["code"])
        .collect();
    assert!(!codes.contains(&&json!("events.stopped")), "{codes:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_keeps_while_the_agent_is_down_is_told_to_the_next_one() -> anyhow::Result<()> {
    let mut notified = Notified::start(Door::Listener, &few()).await?;
    notified.settled().await;
    notified.scene.agent.kill();
    let image = SmallImage::new("kept");
    notified.skopeo()?.push(&image, "acme/kept", "1").await?;
    notified.scene.agent.start()?;
    notified
        .becomes("acme/kept", "1", Some(&image.digest().to_string()))
        .await;
    wait_for("the agent to hear of it from the registry", async || {
        (listener(&notified).ok()?["received"] == json!(1)).then_some(())
    })
    .await;
    Ok(())
}

/// The registry says nothing although it should: a run that somebody asked for finds what no event announced, and it is said that events have stopped.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_no_event_announced_is_a_finding_until_a_run_finds_none() -> anyhow::Result<()> {
    let notified = Notified::start(Door::Listener, &few()).await?;
    notified.settled().await;
    let api = notified.scene.control_plane.api()?;
    let stopped = async || -> anyhow::Result<bool> {
        let registry = api.get("/registries/gitlab", &[]).await?;
        let mut findings = registry["findings"].as_array().into_iter().flatten();
        Ok(findings.any(|finding| finding["code"] == json!("events.stopped")))
    };
    let silent = some("acme/silent", &["1"]);
    notified.registry.add(&silent)?;
    let run = notified.scene.sync(&notified.name).await?;
    assert_eq!(run["state"], json!("complete"), "{run:#}");
    // An event may come after a run has found what it is about: a minute is left to it.
    wait_for("the finding", async || stopped().await.ok()?.then_some(())).await;
    let status = notified.scene.control_plane.cli(&["status"])?;
    assert!(
        status.output.contains("events.stopped"),
        "{}{}",
        status.output,
        status.errors
    );
    let run = notified.scene.sync(&notified.name).await?;
    assert_eq!(run["state"], json!("complete"), "{run:#}");
    wait_for("the finding to go", async || {
        (!stopped().await.ok()?).then_some(())
    })
    .await;
    Ok(())
}
