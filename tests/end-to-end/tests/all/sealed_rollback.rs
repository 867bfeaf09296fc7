//! A control plane that puts an older version of a login back gets nothing for it.

use std::path::Path;

use anyhow::Context as _;
use portolan_doubles::Content;
use portolan_doubles::token::Account;
use portolan_harness::Scene;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _, SqliteConnection};

use crate::sealing::{GITLAB, READER, add, enter, sealable, shown, told};

/// A version of a login as the database has it: ciphertext, for one sensor.
struct Version {
    payload: Vec<u8>,
    sensor: Vec<u8>,
    key: Vec<u8>,
    wrap: Vec<u8>,
    sealed_at: i64,
}

async fn open(database: &Path) -> anyhow::Result<SqliteConnection> {
    Ok(SqliteConnectOptions::new().filename(database).connect().await?)
}

/// Remembers the one version that there is.
async fn remembered(database: &Path) -> anyhow::Result<Version> {
    let row = sqlx::query(
        "SELECT payload, sensor_id, key_id, wrap, sealed_at FROM credential JOIN credential_wrap USING (tenant_id, credential_id, version)",
    )
    .fetch_one(&mut open(database).await?)
    .await?;
    Ok(Version {
        payload: row.try_get("payload")?,
        sensor: row.try_get("sensor_id")?,
        key: row.try_get("key_id")?,
        wrap: row.try_get("wrap")?,
        sealed_at: row.try_get("sealed_at")?,
    })
}

/// Makes version 1 the one in use again, in the place of version 2.
async fn put_back(database: &Path, version: &Version) -> anyhow::Result<()> {
    let mut connection = open(database).await?;
    for statement in [
        "DELETE FROM credential_wrap WHERE version = 2",
        "UPDATE credential SET state = 'past', payload = NULL WHERE version = 2",
    ] {
        sqlx::query(statement).execute(&mut connection).await?;
    }
    let changed = sqlx::query("UPDATE credential SET state = 'current', payload = ?1 WHERE version = 1")
        .bind(&version.payload)
        .execute(&mut connection)
        .await?;
    anyhow::ensure!(changed.rows_affected() == 1, "version 1 is not there");
    sqlx::query(
        "INSERT INTO credential_wrap (tenant_id, credential_id, version, sensor_id, key_id, wrap, sealed_at)
         SELECT tenant_id, credential_id, version, ?1, ?2, ?3, ?4 FROM credential WHERE version = 1",
    )
    .bind(&version.sensor)
    .bind(&version.key)
    .bind(&version.wrap)
    .bind(version.sealed_at)
    .execute(&mut connection)
    .await?;
    Ok(())
}

/// The registry would still take the older login; it is the sensor that does not, and it does not forget that over a restart.
#[tokio::test(flavor = "multi_thread")]
async fn t35_a_version_that_the_control_plane_puts_back_is_refused_also_after_a_restart() -> anyhow::Result<()>
{
    let mut scene = Scene::start().await?;
    let next = ("sealed-successor", "glpat-UUUUUUUUUUUUUUUUUUUU");
    for (user, secret) in [READER, next] {
        scene
            .tokens
            .set_account(Account::new(user, secret).administrator());
    }
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    sealable(&scene, "office").await?;
    let realm = scene.realm_host()?;
    let accept = ["--accept-realm", &realm];
    told(add(&scene, &registry.url(), READER, &accept)?, 0)?;
    assert_eq!(scene.sync(&GITLAB).await?["state"], json!("complete"));
    let database = scene.control_plane.data_dir().join("portolan.db");
    let version = remembered(&database).await?;
    told(enter(&scene, next, &accept)?, 0)?;
    assert_eq!(scene.sync(&GITLAB).await?["state"], json!("complete"));

    scene.control_plane.kill();
    scene.agent.kill();
    put_back(&database, &version).await?;
    scene.control_plane.restart().await?;
    scene.agent.start()?;
    scene.online().await?;
    assert_eq!(shown(&scene)?["version"], json!(1), "so says the control plane");
    let (asked, requests) = (registry.log().total(), scene.tokens.requests().len());
    for restarted in [false, true] {
        if restarted {
            scene.agent.start()?;
            scene.online().await?;
        }
        let run = scene.sync(&GITLAB).await?;
        assert_eq!(run["state"], json!("failed"), "{run:#}");
        assert_eq!(run["finding"]["code"], json!("credential.refused"), "{run:#}");
        let seen = run["finding"]["seen"].as_str().context("what was seen")?;
        assert!(
            seen.contains("version 1, and version 2 has worked before")
                && seen.contains("credential:version"),
            "{seen}"
        );
    }
    assert_eq!(
        (registry.log().total(), scene.tokens.requests().len()),
        (asked, requests),
        "nothing was contacted"
    );
    let story = told(scene.agent.cli(&["audit", "show", "-o", "json"])?, 0)?;
    assert!(story.output.contains("credential.refused"), "{}", story.output);

    // A newer one ends it.
    let third = ("sealed-third", "glpat-VVVVVVVVVVVVVVVVVVVV");
    scene
        .tokens
        .set_account(Account::new(third.0, third.1).administrator());
    told(enter(&scene, third, &accept)?, 0)?;
    assert_eq!(scene.sync(&GITLAB).await?["state"], json!("complete"));
    Ok(())
}
