//! What every use case works with.

use std::sync::Arc;

use portolan_shared::model::{AttemptRef, SensorId};
use portolan_shared::process::{Clock, Rng, Tasks};
use portolan_shared::tls::SpkiPin;
use portolan_store::{Fence, Store};
use tokio::sync::{Notify, broadcast, watch};

use super::{
    AuditKey, AuditPace, Courier, CredentialNotice, EventTally, FeedReaders, Pepper, Promises, WebhookTests,
};

/// The dependencies of the use cases; use cases are methods on it, in a file per subject.
pub struct App {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// Hashes secrets.
    pub pepper: Pepper,
    /// Signs checkpoints of audit logs.
    pub audit_key: AuditKey,
    /// What audit logs were told of lately.
    pub pace: AuditPace,
    /// What was refused at the door of notifications, until it is written.
    pub event_tally: EventTally,
    /// What schedules promise, as metrics tell it.
    pub promises: Arc<Promises>,
    /// Name of this deployment in sensors' certificates.
    pub deployment: String,
    /// Where sensors reach this control plane: `https://host[:port]`.
    pub sensor_url: String,
    /// Hashes of the keys of the server roots.
    pub server_pins: Vec<SpkiPin>,
    /// Brings messages to webhooks.
    pub courier: Arc<dyn Courier>,
    /// The tests of webhooks that are under way.
    pub webhook_tests: WebhookTests,
    /// Where work goes on that was begun for somebody who may have gone.
    pub tasks: Tasks,
    /// Wakes background work.
    pub signals: Signals,
}

/// A running attempt that a sensor must be told to stop.
#[derive(Debug, Clone, Copy)]
pub struct CancelNotice {
    /// The sensor that holds the lease.
    pub sensor: SensorId,
    /// The attempt.
    pub attempt: AttemptRef,
}

/// Wakes background work early. Everything behind these also runs on a timer, because another replica may have made the change.
#[derive(Debug)]
pub struct Signals {
    /// A run was queued.
    pub runs: Notify,
    /// Something was scheduled otherwise, or push events came.
    pub schedule: Notify,
    /// A probe was asked for.
    pub probes: Notify,
    /// How often something of the change feed was written: wakes who follows it for all tenants. Others wait in [`Signals::feed`].
    pub changes: watch::Sender<u64>,
    /// Who waits for changes of one tenant.
    pub feed: FeedReaders,
    /// How often checkpoints of audit logs were taken: sessions bring them to their sensors.
    pub checkpoints: watch::Sender<u64>,
    /// A sensor was shut out.
    pub denials: Notify,
    /// Runs were cancelled. Lagging receivers ask the database.
    pub cancels: broadcast::Sender<CancelNotice>,
    /// Credentials were changed or withdrawn.
    pub credentials: broadcast::Sender<CredentialNotice>,
    /// Sensors named runs that their tenants do not have. What a lagging receiver missed is not told of.
    pub foreign_ids: broadcast::Sender<Fence>,
}

impl Default for Signals {
    fn default() -> Self {
        Self {
            runs: Notify::new(),
            schedule: Notify::new(),
            probes: Notify::new(),
            changes: watch::Sender::new(0),
            feed: FeedReaders::default(),
            checkpoints: watch::Sender::new(0),
            denials: Notify::new(),
            cancels: broadcast::channel(1_024).0,
            credentials: broadcast::channel(1_024).0,
            foreign_ids: broadcast::channel(256).0,
        }
    }
}
