//! What was pushed, told to whoever wants to know: by the command that follows the feed, and to an endpoint of somebody else's.

use std::collections::BTreeSet;

use portolan_doubles::SmallImage;
use portolan_harness::{Door, Notified, Pusher, wait_for};
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::said::few;

/// Where everything is pushed to.
const REPOSITORY: &str = "acme/told";

/// What the feed says of a tag, for comparison: kind, subject, digest.
type Told = (String, String, String);

fn told(event: &Value) -> Told {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (
        text(&event["type"]),
        text(&event["subject"]),
        text(&event["data"]["digest"]),
    )
}

/// Events of the command's output that are about [`REPOSITORY`].
fn written(log: &str) -> anyhow::Result<Vec<Value>> {
    let mut events = Vec::new();
    for line in log.lines().filter(|line| line.starts_with('{')) {
        let event: Value = serde_json::from_str(line)?;
        if event["data"]["repository"] == json!(REPOSITORY) {
            events.push(event);
        }
    }
    Ok(events)
}

/// Pushes a tag that is new, and moves one that is not; gives what is to be told of it.
async fn push(pusher: &Pusher, n: usize) -> anyhow::Result<[Told; 2]> {
    let image = SmallImage::new(&format!("told {n}"));
    let digest = image.digest().to_string();
    let moved = if n == 0 { "appeared" } else { "moved" };
    let mut expected = Vec::new();
    for (change, tag) in [("appeared", format!("1.{n}")), (moved, "latest".to_owned())] {
        pusher.push(&image, &tag).await?;
        expected.push((
            format!("io.portolan.tag.{change}"),
            format!("gitlab/{REPOSITORY}:{tag}"),
            digest.clone(),
        ));
    }
    Ok([expected.remove(0), expected.remove(0)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_told_once_across_restarts_to_whoever_follows_and_to_a_webhook() -> anyhow::Result<()> {
    let mut notified = Notified::start(Door::Listener, &few()).await?;
    let control_plane = &mut notified.scene.control_plane;
    control_plane.set_flags(&["--webhook-allow", "127.0.0.0/8"]);
    control_plane.restart().await?;
    let receiver = Receiver::start(&notified.scene.tasks).await?;
    let api = control_plane.api()?;
    let added = api
        .post("/webhooks", &json!({"name": "deployer", "url": receiver.url()}))
        .await?;
    let key = added["signing_key"].as_str().unwrap_or_default().to_owned();
    let follow = ["changes", "--registry", "gitlab", "--follow", "-o", "json"];
    let mut follower = control_plane.start_cli("changes.log", &follow)?;
    wait_for("the baseline", async || {
        follower
            .log()
            .contains("io.portolan.baseline.complete")
            .then_some(())
    })
    .await;
    let baseline: Vec<Value> = follower
        .log()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let present = baseline
        .iter()
        .filter(|event| event["type"] == json!("io.portolan.tag.present"));
    assert_eq!(present.count(), few().tag_count(), "{baseline:#?}");

    let pusher = notified.pusher(REPOSITORY).await?;
    let mut expected = Vec::new();
    for n in 0..9 {
        if n == 6 {
            // The middle third is pushed while nobody is there to be told of it.
            notified.scene.control_plane.restart().await?;
        }
        let pushed = push(&pusher, n).await?;
        if !(3..6).contains(&n) {
            for (_, subject, digest) in &pushed {
                let (_, tag) = subject.rsplit_once(':').unwrap_or_default();
                notified.becomes(REPOSITORY, tag, Some(digest)).await;
            }
        }
        if n == 2 {
            notified.scene.control_plane.kill();
        }
        expected.push(pushed);
    }
    let last = &expected[8][1];
    wait_for("the follower to be told of the last one", async || {
        let events = written(&follower.log()).ok()?;
        events.iter().any(|event| told(event) == *last).then_some(())
    })
    .await;
    wait_for("the webhook to be told of the last one", async || {
        let events = receiver.events(&key).expect("signed, and the same each time");
        events.iter().any(|event| told(event) == *last).then_some(())
    })
    .await;
    assert!(
        follower.ended().is_none(),
        "a restart does not end it: {}",
        follower.log()
    );
    follower.signal("INT")?;

    let by_command = written(&follower.log())?;
    let by_webhook = receiver.events(&key)?;
    let ids = |events: &[Value]| {
        events
            .iter()
            .map(|event| event["id"].to_string())
            .collect::<Vec<_>>()
    };
    for events in [&by_command, &by_webhook] {
        let all = ids(events);
        assert_eq!(
            all.iter().collect::<BTreeSet<_>>().len(),
            all.len(),
            "nothing is told twice: {events:#?}"
        );
        let tags: BTreeSet<Told> = events.iter().map(told).collect();
        for pushed in &expected {
            assert!(tags.contains(&pushed[0]), "{pushed:?} was told: {tags:#?}");
        }
        // While nobody looked, `latest` moved three times: what is known is where it points now.
        for looked_at in [
            &expected[0],
            &expected[1],
            &expected[2],
            &expected[6],
            &expected[7],
            &expected[8],
        ] {
            let (_, subject, digest) = &looked_at[1];
            assert!(
                tags.iter().any(|(_, told, to)| told == subject && to == digest),
                "{looked_at:?}: {tags:#?}"
            );
        }
    }
    assert_eq!(
        ids(&by_command),
        ids(&by_webhook),
        "both were told the same, in the same order"
    );
    assert!(receiver.requests() > 1, "what was refused came again");
    Ok(())
}
