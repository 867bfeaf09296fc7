//! What the log says when a run is closed.

use portolan::app::Meters;
use portolan_doubles::Log;
use portolan_shared::model::{CoverageEntry, Finding, FindingCode, RepositoryOutcome};

use crate::shop::{Shop, closing, commit};
use crate::world::World;

fn of_closing(log: &Log) -> Vec<String> {
    let lines = log.take().into_iter();
    lines.filter(|line| line.contains("run closed")).collect()
}

#[tokio::test]
async fn a_closed_run_is_told_with_its_registry_and_as_a_warning_if_something_was_not_seen() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let meters = Meters::new().unwrap();
    let log = Log::of_all();
    let _listening = log.listen();
    let close = async |denied: bool, failure: Option<Finding>| {
        let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
        commit(&world, &fence, "acme/shop", &[("1.0", &shop.image)]).await;
        if denied {
            let entry = CoverageEntry {
                repository: "acme/closed".parse().unwrap(),
                outcome: RepositoryOutcome::Denied,
                finding: None,
            };
            let now = world.app.clock.now();
            world
                .app
                .store
                .report_coverage(&fence, &[entry], now)
                .await
                .unwrap();
        }
        let mut closing = closing(1, 1);
        closing.failure = failure;
        world
            .app
            .close_run(&meters, &fence, &closing, None)
            .await
            .unwrap();
        let told = of_closing(&log);
        assert_eq!(told.len(), 1, "{told:?}");
        told.concat()
    };
    let complete = close(false, None).await;
    assert!(
        complete.starts_with("INFO")
            && complete.contains("registry=gl")
            && complete.contains("state=complete"),
        "{complete}"
    );
    let partial = close(true, None).await;
    assert!(
        partial.starts_with("WARN") && partial.contains("registry=gl") && partial.contains("state=partial"),
        "{partial}"
    );
    let failure = Finding::new(FindingCode::Denied, "403 for all");
    let failed = close(false, Some(failure)).await;
    assert!(
        failed.starts_with("WARN") && failed.contains("registry=gl"),
        "{failed}"
    );
    assert!(
        failed.contains("finding=registry.denied") && failed.contains("403 for all"),
        "{failed}"
    );
}
