//! Runs: asking for one, watching it, stopping it.

use portolan_shared::model::{
    CoverageEntry, RepositoryName, RepositoryOutcome, RunId, RunState, RunTrigger, Scope, SensorState, limits,
};
use portolan_store::{
    AuditSeverity, CancelOutcome, NewRegistry, NewRun, Page, PageRequest, QueueOutcome, Role, RunFilter,
    RunRecord,
};
use serde_json::json;

use super::schedule::with_lateness;
use super::{App, AppError, Caller, CancelNotice};

/// A run that was asked for.
#[derive(Debug)]
pub struct QueuedRun {
    /// The run.
    pub run: RunRecord,
    /// It waits to begin already, for the same registry and scope.
    pub joined: bool,
}

impl App {
    /// The tenant's runs, newest first.
    pub async fn runs(
        &self,
        caller: &Caller,
        registry: Option<&str>,
        state: Option<RunState>,
        page: &PageRequest,
    ) -> Result<Page<RunRecord>, AppError> {
        caller.require(Role::Viewer)?;
        let registry = match registry {
            Some(name) => Some(self.registry(caller, name).await?.registry.id),
            None => None,
        };
        let filter = RunFilter { registry, state };
        let mut found = self.store.runs(caller.tenant, &filter, page).await?;
        let now = self.clock.now();
        found.items = found
            .items
            .into_iter()
            .map(|run| with_lateness(run, now))
            .collect();
        Ok(found)
    }

    /// One run; if it waits for a credential that somebody has to enter, or its schedule has started it and no sensor has taken it for a while, with
    /// a finding that says so.
    pub async fn run(&self, caller: &Caller, id: RunId) -> Result<RunRecord, AppError> {
        caller.require(Role::Viewer)?;
        let found = self.store.run(caller.tenant, id).await?;
        let found = found.ok_or_else(|| AppError::not_found("run", id))?;
        let found = self.with_obstacle(caller, found).await?;
        Ok(with_lateness(found, self.clock.now()))
    }

    /// Repositories of a run with this outcome, by name; if none is given, those in scope that it did not see completely.
    pub async fn run_coverage(
        &self,
        caller: &Caller,
        id: RunId,
        outcome: Option<RepositoryOutcome>,
        page: &PageRequest,
    ) -> Result<Page<CoverageEntry>, AppError> {
        self.run(caller, id).await?;
        Ok(self.store.run_coverage(caller.tenant, id, outcome, page).await?)
    }

    /// Asks for a run of a registry, or of some of its repositories. It begins after the wish: one that has begun before may not see what the caller
    /// has just pushed, and is followed by another. Takes an operator.
    ///
    /// # Errors
    /// [`AppError::OutsidePatterns`] if the registry's patterns leave out one of the repositories, [`AppError::NoSensor`] if all its sensors are
    /// revoked: such a run would see nothing, and say so only at its end.
    pub async fn queue_run(
        &self,
        caller: &Caller,
        registry: &str,
        mut repositories: Vec<RepositoryName>,
    ) -> Result<QueuedRun, AppError> {
        caller.require(Role::Operator)?;
        if repositories.len() > limits::RUN_SCOPE_REPOSITORIES {
            return Err(AppError::invalid(
                "repositories",
                format!("at most {} in one run", limits::RUN_SCOPE_REPOSITORIES),
            ));
        }
        repositories.sort();
        repositories.dedup();
        let registry = self.registry(caller, registry).await?.registry;
        check_scope(&registry, &repositories)?;
        self.check_sensors(caller, &registry).await?;
        let new = NewRun {
            id: RunId::generate(&*self.clock, &*self.rng),
            tenant: caller.tenant,
            registry: registry.id,
            trigger: RunTrigger::Manual,
            scope: Scope {
                repositories,
                ..Scope::default()
            },
            requested_by: caller.token_name.clone(),
            now: self.clock.now(),
        };
        let details = json!({"registry": registry.name, "repositories": new.scope.repositories.len()});
        let object = format!("run:{}", new.id);
        let entry = caller.entry(new.now, "run.queue", object, AuditSeverity::Info, details);
        let (id, joined) = match self.store.queue_run(&new, &entry).await? {
            QueueOutcome::Queued => (new.id, false),
            QueueOutcome::Joined(open) => (open, true),
            QueueOutcome::UnknownRegistry => return Err(AppError::not_found("registry", registry.name)),
        };
        self.signals.runs.notify_one();
        let run = self.run(caller, id).await?;
        Ok(QueuedRun { run, joined })
    }

    /// That one of the registry's sensors may still come and take a run.
    async fn check_sensors(&self, caller: &Caller, registry: &NewRegistry) -> Result<(), AppError> {
        for &id in &registry.sensors {
            let sensor = self.store.sensor(caller.tenant, id).await?;
            if sensor.is_some_and(|sensor| sensor.state != SensorState::Revoked) {
                return Ok(());
            }
        }
        Err(AppError::NoSensor {
            registry: registry.name.clone(),
        })
    }

    /// Cancels a run. Cancelling a cancelled one changes nothing. Takes an operator.
    ///
    /// # Errors
    /// [`AppError::RunEnded`] if it had ended otherwise before.
    pub async fn cancel_run(&self, caller: &Caller, id: RunId) -> Result<RunRecord, AppError> {
        caller.require(Role::Operator)?;
        let (at, object) = (self.clock.now(), format!("run:{id}"));
        let entry = caller.entry(at, "run.cancel", object, AuditSeverity::Info, json!({}));
        match self.store.cancel_run(caller.tenant, id, at, &entry).await? {
            CancelOutcome::Cancelled(held) => {
                if let Some((sensor, attempt)) = held {
                    // Without a receiver nobody is connected here; the timer of the replica that has the sensor will see it.
                    let _ = self.signals.cancels.send(CancelNotice { sensor, attempt });
                }
            }
            CancelOutcome::Ended(RunState::Cancelled) => {}
            CancelOutcome::Ended(state) => return Err(AppError::RunEnded { run: id, state }),
            CancelOutcome::Unknown => return Err(AppError::not_found("run", id)),
        }
        self.run(caller, id).await
    }
}

fn check_scope(registry: &NewRegistry, repositories: &[RepositoryName]) -> Result<(), AppError> {
    let patterns = &registry.repositories;
    let outside: Vec<_> = repositories
        .iter()
        .filter(|name| !patterns.matches(name))
        .take(AppError::CANDIDATES)
        .map(ToString::to_string)
        .collect();
    if outside.is_empty() {
        return Ok(());
    }
    let patterns = patterns.as_slice().iter().take(AppError::CANDIDATES);
    Err(AppError::OutsidePatterns {
        registry: registry.name.clone(),
        repositories: outside,
        patterns: patterns.cloned().collect(),
    })
}
