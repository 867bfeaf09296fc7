//! Notifications at the control plane's own door.

use std::sync::Arc;

use portolan_shared::events::{
    Headers, NotAuthentic, Notification, PushAction, PushEvent, Sender, Shown, authenticate, read,
};
use portolan_shared::model::{EventSubject, RegistryId, TenantId};
use portolan_shared::process::Uptime;
use portolan_store::{EventDoor, EventIntake, NewRegistry, StoreError};

use super::secret::{DOOR, derived};
use super::wanted::is_wanted;
use crate::app::App;

/// Takes notifications, and counts what it refuses.
pub struct WebhookDoor {
    app: Arc<App>,
}

/// A notification that nobody has believed yet.
pub struct Knock<'a> {
    /// Whose format it should have.
    pub sender: Sender,
    /// Of which registry it says to be.
    pub registry: RegistryId,
    /// The secret that stood in the path, if it has such a place.
    pub path_secret: Option<&'a str>,
    /// Its headers.
    pub headers: &'a (dyn Headers + Sync),
    /// Its body. One without a signature is judged without it.
    pub body: &'a [u8],
}

/// Why a notification was not taken. Whoever sent it is told no more than this.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// There is no such registry, or the secret is not its own.
    #[error("the notification is not authentic")]
    NotAuthentic,
    /// It could not be noted.
    #[error("the notification could not be noted")]
    Store(#[from] StoreError),
}

/// A notification that shows its registry's secret.
#[derive(Debug, Clone, Copy)]
pub struct Believed {
    tenant: TenantId,
    registry: RegistryId,
}

impl WebhookDoor {
    /// The door of this control plane.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    /// The clock by which rates are measured.
    #[must_use]
    pub fn uptime(&self) -> Uptime {
        self.app.clock.uptime()
    }

    /// Whether a notification shows the secret of its registry. One for a registry that does not exist costs as much as one with a wrong
    /// secret.
    pub async fn authenticate(&self, knock: &Knock<'_>) -> Result<Believed, NotTaken> {
        let app = &self.app;
        let tenant = app.store.tenant_of_registry(knock.registry).await?;
        let any = || TenantId::random(app.rng.as_ref());
        let secret = derived(&app.pepper, DOOR, tenant.unwrap_or_else(any), knock.registry);
        let shown = Shown {
            path_secret: knock.path_secret,
            headers: knock.headers,
            body: knock.body,
            now: app.clock.now(),
        };
        let authentic = authenticate(knock.sender, &secret, &shown);
        let Some(tenant) = tenant else {
            return Err(NotTaken::NotAuthentic);
        };
        let believed = Believed {
            tenant,
            registry: knock.registry,
        };
        authentic.map(|()| believed).map_err(|error| {
            tracing::debug!(registry = %knock.registry, error = &error as &dyn std::error::Error, "a notification is not authentic");
            self.app.event_tally.refused(tenant, knock.registry, word(error));
            NotTaken::NotAuthentic
        })
    }

    /// Counts a notification that came too fast or is too large.
    pub fn refuse(&self, believed: Believed, why: &'static str) {
        self.app
            .event_tally
            .refused(believed.tenant, believed.registry, why);
    }

    /// Notes what an authentic notification says: durable when this returns. One that cannot be read is counted: its sender can do nothing about it.
    pub async fn take(&self, believed: Believed, knock: &Knock<'_>) -> Result<(), NotTaken> {
        let Believed { tenant, registry } = believed;
        let notification = match read(knock.sender, knock.headers, knock.body) {
            Ok(notification) => notification,
            Err(error) => {
                tracing::debug!(%registry, error = &error as &dyn std::error::Error, "a notification cannot be read");
                self.refuse(believed, "malformed");
                return Ok(());
            }
        };
        let app = &self.app;
        let refused = u64::from(notification.refused);
        if notification.events.is_empty() && refused == 0 {
            // Pulls and blobs are most of what comes: they must not make the database write.
            app.event_tally
                .ignored(tenant, registry, u64::from(notification.ignored));
            return Ok(());
        }
        let Some(record) = app.store.registry(tenant, registry).await? else {
            return Err(NotTaken::NotAuthentic);
        };
        let intake = EventIntake {
            tenant,
            registry,
            door: EventDoor::Webhook,
            ignored: u64::from(notification.ignored),
            refused,
            last_refused: (refused > 0).then(|| "malformed".to_owned()),
            subjects: subjects(knock.sender, notification, &record.registry),
            now: app.clock.now(),
        };
        match app.store.note_events(&intake).await {
            Ok(_) => {}
            Err(StoreError::Unknown { .. }) => return Err(NotTaken::NotAuthentic),
            Err(error) => return Err(error.into()),
        }
        app.signals.schedule.notify_one();
        Ok(())
    }
}

/// What is to be looked at.
fn subjects(sender: Sender, notification: Notification, registry: &NewRegistry) -> Vec<(EventSubject, u32)> {
    let mut subjects = Vec::with_capacity(notification.events.len());
    for event in notification.events {
        // Which of the two names it has here depends on the address that the registry is read at: a look at the wrong one finds nothing.
        if let Some(repository) = sender.below_key(&event.repository) {
            let below = PushEvent {
                repository,
                ..event.clone()
            };
            subjects.extend(subject(below));
        }
        subjects.extend(subject(event));
    }
    subjects.retain(|subject| is_wanted(registry, subject));
    subjects.into_iter().map(|subject| (subject, 1)).collect()
}

/// What an event asks to look at; nothing if it names neither tag nor digest of what was pushed.
fn subject(event: PushEvent) -> Option<EventSubject> {
    let PushEvent {
        action,
        repository,
        tag,
        digest,
        ..
    } = event;
    match (action, tag, digest) {
        (PushAction::RepositoryDeleted | PushAction::RepositoryRenamed, ..) => {
            Some(EventSubject::Repository(repository))
        }
        (PushAction::Pushed | PushAction::Deleted, Some(tag), _) => Some(EventSubject::Tag(repository, tag)),
        (PushAction::Deleted, None, Some(digest)) => Some(EventSubject::Digest(repository, digest)),
        (PushAction::Deleted, None, None) => Some(EventSubject::Repository(repository)),
        (PushAction::Pushed, None, _) => None,
    }
}

/// Why, as it is counted.
fn word(error: NotAuthentic) -> &'static str {
    match error {
        NotAuthentic::Nothing => "no secret",
        NotAuthentic::Secret => "wrong secret",
        NotAuthentic::Signature { .. } | NotAuthentic::Incomplete { .. } => "wrong signature",
        NotAuthentic::Stale { .. } => "stale signature",
    }
}
