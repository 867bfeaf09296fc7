//! Two control planes on one SQLite file, and bounds that their settings say.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use portolan_shared::model::RunId;
use portolan_store::Runs as _;
use portolan_store::sqlite::SqliteStore;
use portolan_store_conformance::{Site, at};

async fn open_two() -> (SqliteStore, SqliteStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portolan.db");
    let one = SqliteStore::open(&path).await.unwrap();
    let other = SqliteStore::open(&path).await.unwrap();
    (one, other, folder)
}

mod conformance {
    use super::*;

    portolan_store_conformance::suite_of_two!(open_two());
}

#[tokio::test]
async fn a_tenant_has_so_many_leased_runs_and_no_more() {
    let (store, _other, _folder) = open_two().await;
    let store = store.with_runs_per_tenant(2);
    let site = Site::new(&store).await;
    let mut waiting: Vec<RunId> = Vec::new();
    let mut leased = Vec::new();
    for (number, registry) in ["one", "two", "three", "four"].into_iter().enumerate() {
        let beside = site.beside(&store, registry).await;
        if number < 2 {
            leased.push(beside.start(&store, 10).await);
        } else {
            waiting.push(beside.queue(&store, 11).await);
        }
    }
    let elsewhere = Site::new(&store).await;
    let theirs = elsewhere.queue(&store, 12).await;
    let leasable = async || {
        let both = [site.sensor, elsewhere.sensor];
        let found = store.leasable_runs(at(20), &both, 10).await.unwrap();
        found.iter().map(|leasable| leasable.run).collect::<Vec<_>>()
    };
    assert_eq!(leasable().await, [theirs], "it is another tenant's");
    let lease = || store.lease_run(site.tenant, waiting[0], site.sensor, site.epoch, at(20));
    assert!(lease().await.unwrap().is_none());
    store.return_lease(&leased[0], at(21)).await.unwrap();
    assert_eq!(leasable().await.len(), 4);
    assert!(lease().await.unwrap().is_some());
    assert_eq!(leasable().await, [theirs]);
    // What events named is looked at all the same.
    let look = site.queue_look(&store, &["a:1"], 12).await;
    assert_eq!(leasable().await, [theirs, look], "people go first");
    site.lease(&store, look, 22).await;
    store.return_lease(&leased[1], at(23)).await.unwrap();
    assert!(leasable().await.len() > 1, "nor does it count once it is leased");
}
