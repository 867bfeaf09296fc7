//! The loop that starts runs, over a real database, with a clock that moves when told.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::Method;
use jiff::Timestamp;
use portolan::app::App;
use portolan_shared::model::RegistryId;
use portolan_shared::process::Shutdown;
use portolan_store::{PageRequest, RegistryRecord, RunFilter, RunRecord};
use serde_json::{Value, json};

use crate::world::{World, app_over};

/// Looks that one test may wait for, of 2 ms at least: half a minute of them.
const BREATHS: u32 = 15_000;

/// A loop that runs until it is dropped.
pub(crate) struct Loop(Shutdown);

impl Drop for Loop {
    fn drop(&mut self) {
        self.0.start_drain();
    }
}

#[expect(clippy::disallowed_methods, reason = "the test's loop ends with its runtime")]
pub(crate) fn keep(app: &Arc<App>) -> Loop {
    let shutdown = Shutdown::new();
    tokio::spawn(Arc::clone(app).keep_schedule(shutdown.clone()));
    Loop(shutdown)
}

/// Another control plane over the same database.
pub(crate) fn replica(world: &World) -> Arc<App> {
    let (store, clock) = (Arc::clone(&world.app.store), Arc::clone(&world.clock));
    Arc::new(app_over(store, clock, 77))
}

impl World {
    pub(crate) async fn scheduled(&self, name: &str, schedule: Value) -> RegistryId {
        let body = json!({"name": name, "url": "https://h", "sensors": ["berlin-1"], "schedule": schedule});
        let answer = self.post("/api/v1/registries", body).await;
        answer.json()["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{:?}", answer.json()))
            .parse()
            .unwrap()
    }

    pub(crate) async fn record(&self, id: RegistryId) -> RegistryRecord {
        self.app.store.registry(self.tenant, id).await.unwrap().unwrap()
    }

    /// Its runs, newest first.
    pub(crate) async fn runs_of(&self, id: RegistryId) -> Vec<RunRecord> {
        let filter = RunFilter {
            registry: Some(id),
            state: None,
        };
        let page = PageRequest {
            after: None,
            limit: 100,
        };
        self.app
            .store
            .runs(self.tenant, &filter, &page)
            .await
            .unwrap()
            .items
    }

    /// Waits until the registry has been planned, for another moment than this one.
    pub(crate) async fn planned(&self, id: RegistryId, not: Option<Timestamp>) -> Timestamp {
        loop {
            match self.record(id).await.next_start_at {
                Some(next) if Some(next) != not => return next,
                _ => self.breathe().await,
            }
        }
    }

    pub(crate) async fn run_where(&self, id: RegistryId, fits: impl Fn(&RunRecord) -> bool) -> RunRecord {
        loop {
            if let Some(run) = self.runs_of(id).await.into_iter().find(|run| fits(run)) {
                return run;
            }
            self.breathe().await;
        }
    }

    /// Lets the clock go on until a run fits, ten seconds at each look: what is over does not end right after a leap.
    pub(crate) async fn run_in_time(&self, id: RegistryId, fits: impl Fn(&RunRecord) -> bool) -> RunRecord {
        loop {
            if let Some(run) = self.runs_of(id).await.into_iter().find(|run| fits(run)) {
                return run;
            }
            self.clock.advance(Duration::from_secs(10));
            self.breathe().await;
        }
    }

    /// Lets the loop look. Whoever waits for what never comes fails in the end.
    pub(crate) async fn breathe(&self) {
        let breaths = self.breaths.fetch_add(1, Ordering::Relaxed);
        assert!(breaths < BREATHS, "what was waited for has not come");
        self.app.signals.schedule.notify_one();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    pub(crate) async fn scheduled_anew(&self, name: &str, schedule: Value) {
        let path = format!("/api/v1/registries/{name}");
        let body = Some(json!({"schedule": schedule}));
        let answer = self.ask(&self.operator, Method::PATCH, &path, body).await;
        assert!(answer.status.is_success(), "{:?}", answer.json());
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.app.clock.now()
    }
}
