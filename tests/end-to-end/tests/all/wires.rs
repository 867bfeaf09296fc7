//! The wire between sensor and control plane is cut, deaf, or dead.

use std::time::Duration;

use portolan_doubles::Content;
use portolan_doubles::faults::{Fault, Gate, Rule};
use portolan_doubles::network::{Direction, Flow};
use portolan_harness::{Scene, wait_for, wait_for_within};
use serde_json::json;

/// A dead path is noticed by PING (20 s, 10 s to answer), and the session comes back by itself.
#[tokio::test(flavor = "multi_thread")]
async fn t20_a_black_hole_is_noticed_and_the_running_attempt_is_kept() -> anyhow::Result<()> {
    let (mut scene, wire) = Scene::with_wire().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    let gate = Gate::new();
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
    registry
        .faults()
        .add(Rule::all().after(200), Fault::Hold(gate.clone()));
    let run = scene.queue(&gitlab).await?;
    gate.arrived(1).await;
    let before = wire.connections();
    wire.set_both(Flow::BlackHole);
    wait_for_within(Duration::from_secs(50), "the sensor to dial again", async || {
        (wire.connections() > before).then_some(())
    })
    .await;
    wire.cut();
    wire.set_both(Flow::Pass);
    gate.open();
    registry.faults().clear();
    let run = scene.ended(&run).await?;
    assert_eq!(
        (&run["state"], &run["attempt"]),
        (&json!("complete"), &json!(1)),
        "{run:#}\n{}",
        scene.agent.log()
    );
    Ok(())
}

/// One direction is enough to be dead.
#[tokio::test(flavor = "multi_thread")]
async fn t22_a_wire_that_is_deaf_in_one_direction_is_noticed() -> anyhow::Result<()> {
    for direction in [Direction::ToClient, Direction::ToServer] {
        let (mut scene, wire) = Scene::with_wire().await?;
        scene.enrol(&[]).await?;
        let before = wire.connections();
        wire.set(direction, Flow::BlackHole);
        wait_for_within(Duration::from_secs(50), "the sensor to dial again", async || {
            (wire.connections() > before).then_some(())
        })
        .await;
    }
    Ok(())
}

/// Cut after every so many bytes upwards, again and again: nothing is stored twice, nothing is missing.
#[tokio::test(flavor = "multi_thread")]
async fn t32_an_upload_that_is_cut_anywhere_ends_as_an_undisturbed_one() -> anyhow::Result<()> {
    let (mut scene, wire) = Scene::with_wire().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
    let run = scene.queue(&gitlab).await?;
    let cutting = async {
        let mut step = 3_000;
        loop {
            let at = wire.bytes(Direction::ToServer) + step;
            wait_for("more bytes, or the end", async || {
                let ended = scene
                    .control_plane
                    .api()
                    .ok()?
                    .get(&format!("/runs/{run}"), &[])
                    .await
                    .ok()?["ended"]
                    == json!(true);
                (wire.bytes(Direction::ToServer) >= at || ended).then_some(())
            })
            .await;
            wire.cut();
            // Each loss makes the sensor more patient, so a wire that is cut at a steady pace would be a test of that instead.
            step = step * 2 + 777;
        }
    };
    let run = tokio::select! {
        ended = scene.ended(&run) => ended?,
        () = cutting => unreachable!("it cuts for ever"),
    };
    assert_eq!(
        (&run["state"], &run["attempt"]),
        (&json!("complete"), &json!(1)),
        "{run:#}\n{}",
        scene.agent.log()
    );
    let expected = registry.content().expected();
    let expected = expected
        .into_iter()
        .map(|(place, digest)| (place, digest.to_string()))
        .collect();
    assert_eq!(scene.inventory(&gitlab).await?, expected);
    assert!(
        registry.log().fetched_again().is_empty(),
        "{:?}",
        registry.log().fetched_again()
    );
    Ok(())
}

/// The pace of dialling does not rise because a session now and then lasts for a moment.
#[tokio::test(flavor = "multi_thread")]
async fn t52_flapping_does_not_make_the_sensor_dial_faster() -> anyhow::Result<()> {
    let (mut scene, wire) = Scene::with_wire().await?;
    scene.enrol(&[]).await?;
    let before = wire.connections();
    for _ in 0..3 {
        wire.refuse();
        wire.cut();
        tokio::time::sleep(Duration::from_secs(10)).await;
        wire.accept();
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    // Each loss allows one dial within the spread and further ones at least two seconds apart, two connections each at most.
    let dials = wire.connections() - before;
    assert!(dials <= 45, "{dials} connections in 39 s");
    wire.accept();
    scene.online().await
}
