//! What somebody else says.

use portolan_harness::{Door, Notified, wait_for};
use serde_json::json;

use super::said::{event, few, listener};

const WRONG: &str = "0123456789abcdefghijklmnopqrstuvwxyz0123456";

/// Posts what is not authentic in every way, and gives the answers.
async fn forge(notified: &Notified, elsewhere: &str) -> anyhow::Result<Vec<u16>> {
    let body =
        || json!({"events": [event("forged", "push", "acme/shop/api", Some("1.0.0"), None)]}).to_string();
    let in_path = format!("{}/{WRONG}", notified.url);
    let mut answers = Vec::new();
    for (url, secret) in [
        (notified.url.as_str(), WRONG),
        (&notified.url, ""),
        (&notified.url, &notified.secret[1..]),
        (&in_path, ""),
        (elsewhere, &notified.secret),
    ] {
        answers.push(notified.post(url, secret, body()).await?.as_u16());
    }
    Ok(answers)
}

/// More than is read. The answer comes while it is still being sent, so that it may be lost with the connection.
async fn too_large(notified: &Notified) {
    let body = "x".repeat(2 * 1_024 * 1_024);
    if let Ok(answer) = notified.post(&notified.url, &notified.secret, body).await {
        assert_eq!(answer, 413);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_believes_nobody_without_the_secret() -> anyhow::Result<()> {
    let notified = Notified::start(Door::Listener, &few()).await?;
    let runs = notified.settled().await.len();
    let asked = notified.registry.requests().len();
    let elsewhere = notified.url.replace("/notify/gitlab", "/notify/nobody");
    assert_eq!(forge(&notified, &elsewhere).await?, [401; 5]);
    let line = listener(&notified)?;
    assert_eq!(
        (&line["received"], &line["refused"], &line["last_refused"]),
        (&json!(0), &json!(4), &json!("secret")),
        "{line:#}"
    );
    too_large(&notified).await;
    let line = listener(&notified)?;
    assert_eq!(
        (&line["refused"], &line["last_refused"]),
        (&json!(5), &json!("body")),
        "{line:#}"
    );
    let odd = notified
        .post(&notified.url, &notified.secret, "{".to_owned())
        .await?;
    assert_eq!(odd, 200, "its sender could do nothing about it");
    // A webhook of a GitLab project is no notification of its registry.
    let project = json!({"object_kind": "push", "project": {"path_with_namespace": "acme/shop"}}).to_string();
    assert_eq!(
        notified.post(&notified.url, &notified.secret, project).await?,
        200
    );
    assert_eq!(notified.settled().await.len(), runs);
    assert_eq!(
        notified.registry.requests().len(),
        asked,
        "the registry was not even asked"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_plane_believes_nobody_without_the_secret() -> anyhow::Result<()> {
    let notified = Notified::start(Door::ControlPlane, &few()).await?;
    let runs = notified.settled().await.len();
    let asked = notified.registry.requests().len();
    let (before, _) = notified.url.rsplit_once('/').expect("the id of the registry");
    let elsewhere = format!("{before}/0198c2f1-0000-7000-8000-000000000001");
    assert_eq!(forge(&notified, &elsewhere).await?, [401; 5]);
    let api = notified.scene.control_plane.api()?;
    wait_for("the refusals to be counted", async || {
        let shown = api.get("/registries/gitlab/webhook", &[]).await.ok()?;
        let count = shown["received"]
            .as_array()?
            .iter()
            .find(|count| count["door"] == json!("webhook"))?;
        (count["refused"] == json!(4) && count["accepted"] == json!(0)).then_some(())
    })
    .await;
    too_large(&notified).await;
    let odd = notified
        .post(&notified.url, &notified.secret, "{".to_owned())
        .await?;
    assert_eq!(odd, 200);
    assert_eq!(notified.settled().await.len(), runs);
    assert_eq!(
        notified.registry.requests().len(),
        asked,
        "the registry was not even asked"
    );
    // The secret of the listener is no secret here.
    let (listener, _) = notified.printed.listener_secret()?;
    assert_ne!(listener, notified.secret);
    let said = json!({"events": []}).to_string();
    assert_eq!(notified.post(&notified.url, listener, said).await?, 401);
    Ok(())
}
