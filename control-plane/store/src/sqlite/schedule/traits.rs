//! The trait's methods.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::Finding;

use super::super::run::lapse;
use super::super::{SqliteStore, event};
use super::{due, set_back, start};
use crate::{DueRegistry, LapsedRun, PlannedStart, Schedules, StartOutcome, StoreError, WaitsSince};

#[async_trait]
impl Schedules for SqliteStore {
    async fn due_registries(&self, now: Timestamp, limit: u32) -> Result<Vec<DueRegistry>, StoreError> {
        due::due(self, now, limit).await
    }

    async fn start_planned(
        &self,
        planned: &PlannedStart,
        now: Timestamp,
    ) -> Result<StartOutcome, StoreError> {
        start::start(self, planned, now).await
    }

    async fn clock_is(&self, now: Timestamp) -> Result<(), StoreError> {
        set_back::put_right(self, now).await
    }

    async fn judge_silence(&self, now: Timestamp) -> Result<u64, StoreError> {
        event::judge(self, now).await
    }

    async fn lapsed_runs(
        &self,
        now: Timestamp,
        waits: WaitsSince,
        limit: u32,
    ) -> Result<Vec<LapsedRun>, StoreError> {
        lapse::lapsed(self, now, waits, limit).await
    }

    async fn end_lapsed(
        &self,
        lapsed: &LapsedRun,
        finding: &Finding,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        lapse::end(self, lapsed, finding, now).await
    }
}
