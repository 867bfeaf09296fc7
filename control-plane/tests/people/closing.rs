//! What the log says when a run is closed.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use portolan::app::Meters;
use portolan_shared::model::{CoverageEntry, Finding, FindingCode, RepositoryOutcome};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::shop::{Shop, closing, commit};
use crate::world::World;

/// Keeps events, a line each.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Lines {
    fn of_closing(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.0.lock().unwrap());
        lines
            .into_iter()
            .filter(|line| line.contains("run closed"))
            .collect()
    }
}

#[tokio::test]
async fn a_closed_run_is_told_with_its_registry_and_as_a_warning_if_something_was_not_seen() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let meters = Meters::new().unwrap();
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
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
        let told = lines.of_closing();
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
