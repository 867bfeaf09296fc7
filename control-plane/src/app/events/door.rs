//! Notifications at the control plane's own door.

use std::collections::BTreeMap;
use std::sync::Arc;

use portolan_shared::events::{
    EventId, Headers, NotAuthentic, Notification, PushAction, PushEvent, Sender, Shown, WebhookSecret,
    authenticate, read, shows_secret,
};
use portolan_shared::model::{EventSubject, RegistryId, TenantId};
use portolan_shared::process::Uptime;
use portolan_store::{EventDoor, EventIntake, NewRegistry, StoreError};

use super::answered::{By, Outcome, Refused};
use super::secret::{DOOR, derived};
use super::seen::SeenEvents;
use super::wanted::is_wanted;
use crate::app::App;

/// Takes notifications, and counts what it refuses.
pub struct WebhookDoor {
    app: Arc<App>,
    seen: SeenEvents,
}

/// A notification that nobody has believed yet.
#[derive(Clone, Copy)]
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

/// Whom a notification names, and what it has to show; of a registry that does not exist, what nobody knows.
#[derive(Debug)]
pub struct Found {
    tenant: Option<TenantId>,
    registry: RegistryId,
    secret: WebhookSecret,
}

impl Found {
    /// Whether there is such a registry.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.tenant.is_some()
    }

    /// Whose it is, if it shows the secret of its registry, whatever its body is and however it is signed. Counts nothing.
    #[must_use]
    pub fn recognise(&self, knock: &Knock<'_>) -> Option<Believed> {
        let shown = shows_secret(knock.sender, &self.secret, knock.path_secret, knock.headers);
        self.believed().filter(|_| shown.is_ok())
    }

    fn believed(&self) -> Option<Believed> {
        self.tenant.map(|tenant| Believed {
            tenant,
            registry: self.registry,
        })
    }
}

impl WebhookDoor {
    /// The door of this control plane.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self {
            app,
            seen: SeenEvents::default(),
        }
    }

    /// The clock by which rates are measured.
    #[must_use]
    pub fn uptime(&self) -> Uptime {
        self.app.clock.uptime()
    }

    /// Looks a registry up. One that does not exist costs as much as one that does.
    pub async fn find(&self, registry: RegistryId) -> Result<Found, NotTaken> {
        let app = &self.app;
        let tenant = app.store.tenant_of_registry(registry).await?;
        let any = || TenantId::random(app.rng.as_ref());
        let secret = derived(&app.pepper, DOOR, tenant.unwrap_or_else(any), registry);
        Ok(Found {
            tenant,
            registry,
            secret,
        })
    }

    /// Whether a notification shows the secret of its registry. One for a registry that does not exist costs as much as one with a wrong
    /// secret.
    pub fn authenticate(&self, found: &Found, knock: &Knock<'_>) -> Result<Believed, NotTaken> {
        let shown = Shown {
            path_secret: knock.path_secret,
            headers: knock.headers,
            body: knock.body,
            now: self.app.clock.now(),
        };
        let authentic = authenticate(knock.sender, &found.secret, &shown);
        let Some(believed) = found.believed() else {
            self.turn_away(Refused::UnknownRegistry);
            return Err(NotTaken::NotAuthentic);
        };
        authentic.map(|()| believed).map_err(|error| {
            tracing::debug!(registry = %knock.registry, error = &error as &dyn std::error::Error, "a notification is not authentic");
            self.refuse(believed, why(error));
            NotTaken::NotAuthentic
        })
    }

    /// Counts what is of no registry that is known.
    pub fn turn_away(&self, why: Refused) {
        self.app
            .event_tally
            .answered(By::Webhook, Outcome::Refused(why), 1);
    }

    /// Counts a notification out of which nothing is to be read.
    pub fn ignore(&self, believed: Believed) {
        self.app
            .event_tally
            .ignored(believed.tenant, believed.registry, 1);
    }

    /// Counts a notification that came too fast or is too large.
    pub fn refuse(&self, believed: Believed, why: Refused) {
        self.app
            .event_tally
            .refused(believed.tenant, believed.registry, why);
    }

    /// Notes what an authentic notification says: durable when this returns. One that cannot be read is counted: its sender can do nothing about it.
    pub async fn take(&self, believed: Believed, knock: &Knock<'_>) -> Result<(), NotTaken> {
        let Believed { tenant, registry } = believed;
        let mut notification = match read(knock.sender, knock.headers, knock.body) {
            Ok(notification) => notification,
            Err(error) => {
                tracing::debug!(%registry, error = &error as &dyn std::error::Error, "a notification cannot be read");
                self.refuse(believed, Refused::Malformed);
                return Ok(());
            }
        };
        let app = &self.app;
        let place = (tenant, registry);
        let came = notification.events.len();
        let is_known = |id: &EventId| self.seen.knows(place, id);
        notification
            .events
            .retain(|event| !event.id.as_ref().is_some_and(is_known));
        let again = came - notification.events.len();
        let ignored = u64::from(notification.ignored) + again as u64;
        let refused = u64::from(notification.refused);
        if notification.events.is_empty() && refused == 0 {
            // Pulls and blobs are most of what comes: they must not make the database write. What says nothing at all is ignored as well.
            app.event_tally.ignored(tenant, registry, ignored.max(1));
            return Ok(());
        }
        let ids: Vec<EventId> = notification
            .events
            .iter()
            .filter_map(|event| event.id.clone())
            .collect();
        let Some(record) = app.store.registry(tenant, registry).await? else {
            self.turn_away(Refused::UnknownRegistry);
            return Err(NotTaken::NotAuthentic);
        };
        let (subjects, unwanted) = subjects(knock.sender, notification, &record.registry);
        let ignored = ignored + unwanted;
        if subjects.is_empty() && refused == 0 {
            app.event_tally.ignored(tenant, registry, ignored);
            return Ok(());
        }
        let intake = EventIntake {
            tenant,
            registry,
            door: EventDoor::Webhook,
            ignored,
            refused,
            last_refused: (refused > 0).then(|| Refused::Malformed.as_str().to_owned()),
            subjects,
            named_at: BTreeMap::new(),
            now: app.clock.now(),
        };
        match app.store.note_events(&intake).await {
            Ok(_) => {}
            Err(StoreError::Unknown { .. }) => {
                self.turn_away(Refused::UnknownRegistry);
                return Err(NotTaken::NotAuthentic);
            }
            Err(error) => return Err(error.into()),
        }
        self.seen.note(place, ids.iter());
        let tally = &app.event_tally;
        let accepted = intake.subjects.iter().map(|(_, events)| u64::from(*events));
        tally.answered(By::Webhook, Outcome::Accepted, accepted.sum());
        tally.answered(By::Webhook, Outcome::Ignored, ignored);
        tally.answered(By::Webhook, Outcome::Refused(Refused::Malformed), refused);
        app.signals.schedule.notify_one();
        Ok(())
    }
}

/// What is to be looked at, and how many events name nothing that is wanted.
fn subjects(
    sender: Sender,
    notification: Notification,
    registry: &NewRegistry,
) -> (Vec<(EventSubject, u32)>, u64) {
    let mut subjects = Vec::with_capacity(notification.events.len());
    let mut unwanted = 0;
    for event in notification.events {
        // Which of the two names it has here depends on the address that the registry is read at: a look at the wrong one finds nothing.
        let below = sender.below_key(&event.repository);
        let below = below.map(|repository| PushEvent {
            repository,
            ..event.clone()
        });
        let named = below.into_iter().chain([event]).filter_map(subject);
        // It counts once, whichever name it is known by.
        let mut count = 1;
        for subject in named.filter(|subject| is_wanted(registry, subject)) {
            subjects.push((subject, count));
            count = 0;
        }
        unwanted += u64::from(count);
    }
    (subjects, unwanted)
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
fn why(error: NotAuthentic) -> Refused {
    match error {
        NotAuthentic::Nothing => Refused::NoSecret,
        NotAuthentic::Secret => Refused::WrongSecret,
        NotAuthentic::Signature { .. } | NotAuthentic::Incomplete { .. } => Refused::WrongSignature,
        NotAuthentic::Stale { .. } => Refused::StaleSignature,
    }
}
