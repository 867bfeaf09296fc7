//! What an identity that ran twice means for the logins that were sealed to it.

use portolan_doubles::Content;
use portolan_doubles::token::Account;
use portolan_harness::{Scene, wait_for};
use serde_json::{Value, json};

use crate::sealing::{GITLAB, READER, add, enter, sealable, shown, told};

/// The sensor as the control plane shows it, once it is in this state.
async fn in_state(scene: &Scene, state: &str) -> anyhow::Result<Value> {
    let api = scene.control_plane.api()?;
    let what = format!("the sensor to be {state}");
    Ok(wait_for(&what, async || {
        let sensor = api.get("/sensors/office", &[]).await.ok()?;
        (sensor["state"] == json!(state)).then_some(sensor)
    })
    .await)
}

/// The key that could open the login existed twice: after the approval there is another, and nobody but who knows the login can seal it to that.
#[tokio::test(flavor = "multi_thread")]
async fn t14_after_a_conflict_a_sealed_login_is_entered_again() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    scene
        .tokens
        .set_account(Account::new(READER.0, READER.1).administrator());
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    sealable(&scene, "office").await?;
    let realm = scene.realm_host()?;
    let accept = ["--accept-realm", &realm];
    told(add(&scene, &registry.url(), READER, &accept)?, 0)?;
    assert_eq!(scene.sync(&GITLAB).await?["state"], json!("complete"));
    assert_eq!(shown(&scene)?["state"], json!("ready"));
    let before = sealing_key(&scene).await?;

    // The copy has the key, too.
    let mut copy = scene.agent.copied()?;
    copy.start()?;
    in_state(&scene, "quarantined").await?;
    copy.kill();
    scene.agent.kill();
    told(scene.control_plane.cli(&["sensor", "approve", "office"])?, 0)?;
    scene.agent.start()?;
    scene.online().await?;
    sealable(&scene, "office").await?;
    assert_ne!(
        sealing_key(&scene).await?,
        before,
        "a key that existed twice seals nothing"
    );

    // The sensor has the old key still, and does not carry the login over with it.
    let from = scene.tokens.requests().len();
    let waiting = scene.queue(&GITLAB).await?;
    let api = scene.control_plane.api()?;
    let run = api.get(&format!("/runs/{waiting}"), &[]).await?;
    assert_eq!(
        (&run["state"], &run["finding"]["code"]),
        (&json!("queued"), &json!("credential.awaits_sealing")),
        "{run:#}"
    );
    assert_eq!(shown(&scene)?["state"], json!("awaiting_sealing"));
    assert_eq!(scene.tokens.requests().len(), from, "nothing is used meanwhile");

    let entered = told(enter(&scene, READER, &accept)?, 0)?;
    assert!(entered.errors.contains("tried by office"), "{}", entered.errors);
    let run = scene.ended(&waiting).await?;
    assert_eq!(run["state"], json!("complete"), "{run:#}");
    assert_eq!(shown(&scene)?["state"], json!("ready"));
    Ok(())
}

/// What the sensor says of its present sealing key.
async fn sealing_key(scene: &Scene) -> anyhow::Result<Value> {
    let key = scene
        .control_plane
        .api()?
        .get("/sensors/office/sealing-key", &[])
        .await?;
    Ok(key["statement"].clone())
}
