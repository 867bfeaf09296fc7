//! Restores that go wrong, and what is still true after them.

use std::fs;
use std::path::{Path, PathBuf};

use portolan::upkeep::{RestoreArgs, UpkeepError};
use portolan_shared::model::TenantId;
use portolan_shared::process::Clock as _;
use portolan_store::sqlite::SqliteStore;
use portolan_store::{
    Audit as _, ReplayOutcome, ReplayStep, Role, Store as _, Tenants as _, TimelineMark, Timelines as _,
};
use serde_json::Value;

use crate::restore::{arguments, backup, export, refused, restored};
use crate::scene::Scene;

const KEYS: [&str; 3] = ["ca", "pepper", "audit.key"];

fn data(scene: &Scene) -> PathBuf {
    scene.folder.path().join("data")
}

/// A scene that has a backup and an exported log with a token more; its control plane does not run.
async fn stopped() -> (Scene, PathBuf, PathBuf) {
    let mut scene = Scene::new().await;
    scene.app().take_checkpoints().await.unwrap();
    let backup = backup(&scene).await;
    mint(&scene, "robot").await;
    let audit = export(&scene).await;
    scene.kill().await;
    (scene, backup, audit)
}

async fn mint(scene: &Scene, name: &str) {
    let made = scene
        .app()
        .create_api_token(&scene.admin, name, Role::Operator, None);
    made.await.unwrap();
}

/// Brings the keys of one data folder to another, from where they are kept.
fn bring_keys(from: &Path, to: &Path) {
    for file in ["pepper", "audit.key"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    let _ = fs::remove_dir_all(to.join("ca"));
    fs::create_dir(to.join("ca")).unwrap();
    for file in fs::read_dir(from.join("ca")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join("ca").join(file.file_name())).unwrap();
    }
}

fn without_log(scene: &Scene) -> RestoreArgs {
    RestoreArgs {
        no_audit: true,
        ..arguments(scene, None, None)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_keys_are_made_for_a_database_that_is_still_to_come() {
    let (mut scene, backup, audit) = stopped().await;
    let before = std::mem::replace(&mut scene.folder, tempfile::tempdir().unwrap());
    let why = restored(&scene, &arguments(&scene, Some(&backup), None)).await;
    assert!(matches!(why.unwrap_err(), UpkeepError::LogsMissing(_)));
    // Somebody starts the server again and again.
    assert!(refused(&mut scene).await.contains("portolan.db is missing"));
    let keys = KEYS.map(|name| data(&scene).join(name));
    assert!(!keys.iter().any(|key| key.exists()));
    let told = restored(&scene, &arguments(&scene, Some(&backup), Some(&audit))).await;
    assert_eq!(told.unwrap().missing, keys);
    assert!(refused(&mut scene).await.contains("ca is missing"));
    bring_keys(&before.path().join("data"), &data(&scene));
    scene.start().await.unwrap();
    assert_eq!(scene.audit().await[0].action, "database.restore");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_not_restored_beside_the_keys_of_another_control_plane() {
    let (mut scene, backup, audit) = stopped().await;
    let before = std::mem::replace(&mut scene.folder, tempfile::tempdir().unwrap());
    // A new machine, on which the server was started at once.
    scene.start().await.unwrap();
    scene.kill().await;
    let args = arguments(&scene, Some(&backup), Some(&audit));
    let database = data(&scene).join("portolan.db");
    let there = fs::read(&database).unwrap();
    match restored(&scene, &args).await.unwrap_err() {
        UpkeepError::Foreign(path) => assert_eq!(path, database),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(&database).unwrap(), there);
    assert!(!data(&scene).join("portolan.db.restoring").exists());
    fs::rename(&database, data(&scene).join("another.db")).unwrap();
    bring_keys(&before.path().join("data"), &data(&scene));
    assert!(restored(&scene, &args).await.unwrap().missing.is_empty());
    scene.start().await.unwrap();
    assert_eq!(scene.audit().await[0].action, "database.restore");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_does_not_follow_leaves_a_database_in_its_place_as_it_was() {
    let mut scene = Scene::new().await;
    scene.kill().await;
    let database = data(&scene).join("portolan.db");
    let common = scene.folder.path().join("common.db");
    fs::copy(&database, &common).unwrap();
    // From the same state two go on, in different ways.
    scene.start().await.unwrap();
    mint(&scene, "one").await;
    let other = export(&scene).await;
    scene.kill().await;
    fs::copy(&common, &database).unwrap();
    restored(&scene, &without_log(&scene)).await.unwrap();
    let why = restored(&scene, &arguments(&scene, None, Some(&other))).await;
    assert!(matches!(why.unwrap_err(), UpkeepError::Diverges { .. }));
    scene.start().await.unwrap();
    // The same with a log that is shorter than the database's own.
    for n in 0..5 {
        mint(&scene, &format!("two-{n}")).await;
    }
    scene.kill().await;
    let why = restored(&scene, &arguments(&scene, None, Some(&other))).await;
    assert!(matches!(why.unwrap_err(), UpkeepError::Diverges { .. }));
    scene.start().await.unwrap();
}

/// Puts back what the later of two databases has of the log and the earlier has not, and gets no further.
async fn half_restore(scene: &Scene, earlier: &Path, later: &Path) {
    let (earlier, later) = (
        SqliteStore::open(earlier).await.unwrap(),
        SqliteStore::open(later).await.unwrap(),
    );
    let tenant: TenantId = earlier.tenants().await.unwrap()[0].id;
    let head = earlier.audit_head(tenant).await.unwrap();
    let records = later.audit_range(tenant, head.seq - 1, 1_000).await.unwrap();
    let steps: Vec<_> = records
        .into_iter()
        .map(|record| ReplayStep { record, redo: None })
        .collect();
    let since = scene.clock.now();
    earlier.begin_restore(since).await.unwrap();
    let done = earlier.replay(tenant, &steps, since).await.unwrap();
    assert!(
        matches!(done, ReplayOutcome::Appended { records: 1.., .. }),
        "{done:?}"
    );
    earlier.close().await;
    later.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_cut_short_is_not_said_to_have_found_nothing() {
    let (mut scene, backup, audit) = stopped().await;
    let database = data(&scene).join("portolan.db");
    let later = scene.folder.path().join("later.db");
    fs::rename(&database, &later).unwrap();
    fs::copy(&backup, &database).unwrap();
    half_restore(&scene, &database, &later).await;
    let store = SqliteStore::open(&database).await.unwrap();
    let mark = store.timeline().await.unwrap().mark;
    store.close().await;
    let Some(TimelineMark::Restoring { since }) = mark else {
        panic!("{mark:?}");
    };

    let told = restored(&scene, &arguments(&scene, None, Some(&audit)))
        .await
        .unwrap();
    assert_eq!(told.tenants[0].records, 0, "they were put back before");
    assert_eq!(told.begun_before, Some(since));
    let mut text = Vec::new();
    told.tell(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let begun = since
        .strftime("It was begun before, at %Y-%m-%d %H:%M UTC")
        .to_string();
    assert!(text.contains(&begun), "{text}");
    scene.start().await.unwrap();
    let entry = scene.audit().await.swap_remove(0);
    assert_eq!(entry.action, "database.restore");
    assert_eq!(entry.details["begun_before_at"], Value::String(since.to_string()));

    // One that goes through at once says nothing of it.
    scene.kill().await;
    let told = restored(&scene, &without_log(&scene)).await.unwrap();
    assert_eq!(told.begun_before, None);
}
