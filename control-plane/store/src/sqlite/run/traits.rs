//! The trait's methods.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{
    AttemptRef, CoverageEntry, Finding, RepositoryOutcome, RunId, RunProgress, RunState, SensorId, TenantId,
};

use super::super::SqliteStore;
use super::{close, expiry, lease, progress, queue, records};
use crate::{
    AuditEntry, CancelOutcome, ClosedRun, Fence, HeldAttempt, Leasable, Lease, LostLease, NewRun, Page,
    PageRequest, QueueOutcome, RunClosing, RunFilter, RunRecord, Runs, StoreError, WithdrawnLease,
};

#[async_trait]
impl Runs for SqliteStore {
    async fn queue_run(&self, run: &NewRun, entry: &AuditEntry) -> Result<QueueOutcome, StoreError> {
        queue::queue(self, run, entry).await
    }

    async fn run(&self, tenant: TenantId, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        records::run(self, tenant, id).await
    }

    async fn runs(
        &self,
        tenant: TenantId,
        filter: &RunFilter,
        page: &PageRequest,
    ) -> Result<Page<RunRecord>, StoreError> {
        records::runs(self, tenant, filter, page).await
    }

    async fn run_coverage(
        &self,
        tenant: TenantId,
        run: RunId,
        outcome: Option<RepositoryOutcome>,
        page: &PageRequest,
    ) -> Result<Page<CoverageEntry>, StoreError> {
        records::coverage(self, tenant, run, outcome, page).await
    }

    async fn leasable_runs(
        &self,
        now: Timestamp,
        sensors: &[SensorId],
        limit: u32,
    ) -> Result<Vec<Leasable>, StoreError> {
        queue::leasable(self, now, sensors, false, limit).await
    }

    async fn leasable_looks(
        &self,
        now: Timestamp,
        sensors: &[SensorId],
        limit: u32,
    ) -> Result<Vec<Leasable>, StoreError> {
        queue::leasable(self, now, sensors, true, limit).await
    }

    async fn withdrawn_leases(&self, held: &[HeldAttempt]) -> Result<Vec<WithdrawnLease>, StoreError> {
        lease::withdrawn(self, held).await
    }

    async fn lease_run(
        &self,
        tenant: TenantId,
        run: RunId,
        sensor: SensorId,
        session_epoch: u64,
        now: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        lease::lease(self, tenant, run, sensor, session_epoch, now).await
    }

    async fn return_lease(&self, fence: &Fence, now: Timestamp) -> Result<(), StoreError> {
        lease::hand_back(self, fence, now).await
    }

    async fn renew_leases(&self, fences: &[Fence], now: Timestamp) -> Result<Vec<Fence>, StoreError> {
        lease::renew(self, fences, now).await
    }

    async fn adopt_leases(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        session_epoch: u64,
        running: &[AttemptRef],
        now: Timestamp,
    ) -> Result<Vec<AttemptRef>, StoreError> {
        lease::adopt(self, tenant, sensor, session_epoch, running, now).await
    }

    async fn expired_leases(&self, now: Timestamp) -> Result<Vec<HeldAttempt>, StoreError> {
        expiry::expired(self, now).await
    }

    async fn requeue_expired(
        &self,
        now: Timestamp,
        leases: &[HeldAttempt],
    ) -> Result<Vec<LostLease>, StoreError> {
        expiry::take_expired(self, now, leases).await
    }

    async fn record_progress(
        &self,
        fence: &Fence,
        progress: &RunProgress,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        progress::record(self, fence, progress, now).await
    }

    async fn fail_attempt(
        &self,
        fence: &Fence,
        finding: &Finding,
        retry_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<RunState, StoreError> {
        lease::fail(self, fence, finding, retry_at, now).await
    }

    async fn cancel_run(
        &self,
        tenant: TenantId,
        run: RunId,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<CancelOutcome, StoreError> {
        queue::cancel(self, tenant, run, now, entry).await
    }

    async fn close_run(
        &self,
        fence: &Fence,
        closing: &RunClosing,
        now: Timestamp,
    ) -> Result<ClosedRun, StoreError> {
        close::close(self, fence, closing, now).await
    }
}
