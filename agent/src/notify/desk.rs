//! The queue with its lock and its clock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portolan_shared::events::Notification;
use portolan_shared::model::{RegistryName, RelayedEvents, RepositoryName};
use portolan_shared::process::{Clock, Uptime};
use tokio::sync::Notify;

use super::counts::Refused;
use super::queue::Queue;
use super::view::{NotifierView, NotifyView};
use super::waiting::Moment;
use crate::policy::LivePolicy;
use crate::settings::NotifySettings;

/// Between two lines of the log about refused requests of one registry.
const SPEAK_EVERY: Duration = Duration::from_secs(60);

/// Where the listener puts what came in, and the uplink takes what is to be told. Nobody waits here: the lock is held for as long as it takes to
/// put a few events into a map.
pub struct NotifyDesk {
    queue: Mutex<Queue>,
    /// When a refusal may be logged again: of each registry, and last of what names none.
    quiet_until: Mutex<Vec<Uptime>>,
    arrived: Notify,
    settings: Option<NotifySettings>,
    policy: Arc<LivePolicy>,
    clock: Arc<dyn Clock>,
}

impl NotifyDesk {
    /// A desk for the registries of the settings; for none if there is no listener.
    #[must_use]
    pub fn new(settings: Option<NotifySettings>, policy: Arc<LivePolicy>, clock: Arc<dyn Clock>) -> Self {
        let names: Vec<RegistryName> = settings
            .iter()
            .flat_map(|settings| &settings.registries)
            .map(|registry| registry.name.clone())
            .collect();
        let now = Moment {
            at: clock.now(),
            uptime: clock.uptime(),
        };
        Self {
            queue: Mutex::new(Queue::new(&names, now)),
            quiet_until: Mutex::new(vec![Uptime(Duration::ZERO); names.len() + 1]),
            arrived: Notify::new(),
            settings,
            policy,
            clock,
        }
    }

    /// Where registries can notify this sensor, as it is told to the control plane; empty: nowhere that its administrator has named.
    #[must_use]
    pub fn public_url(&self) -> &str {
        let settings = self.settings.as_ref();
        settings
            .and_then(|settings| settings.public_url.as_deref())
            .unwrap_or_default()
    }

    /// Takes what an authentic notification says. Repositories that no entry of the policy names are none of the control plane's business: events in
    /// them are counted and forgotten. Where a repository may have two names here, both are told: which it has depends on the address that the control
    /// plane has for the registry, and a look at the wrong one finds nothing.
    pub(super) fn take(&self, registry: usize, notification: Notification) {
        let policy = self.policy.current();
        let settings = self.settings.as_ref();
        let sender = settings
            .and_then(|settings| settings.registries.get(registry))
            .map(|registry| registry.sender);
        let names = |repository: RepositoryName| {
            let below = sender.and_then(|sender| sender.below_key(&repository));
            let names = std::iter::once(repository).chain(below);
            names.filter(|name| policy.names_repository(name)).collect()
        };
        self.change(|queue, now| queue.take_named(registry, notification, &names, now));
    }

    /// Counts a request that was refused, and says so in the log once in a while. `why` is for the log.
    pub(super) fn refuse(
        &self,
        registry: Option<usize>,
        refused: Refused,
        source: std::net::IpAddr,
        why: &str,
    ) {
        self.change(|queue, now| queue.refuse(registry, refused, now));
        let now = self.clock.uptime();
        let mut quiet_until = self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
        let of_none = quiet_until.len() - 1;
        let quiet = &mut quiet_until[registry.unwrap_or(of_none)];
        if now < *quiet {
            return;
        }
        *quiet = Uptime(now.0 + SPEAK_EVERY);
        let registry = registry.and_then(|at| self.settings.as_ref()?.registries.get(at));
        let registry = registry.map_or("none that is known", |registry| registry.name.as_str());
        tracing::warn!(
            registry,
            %source,
            refused = refused.as_str(),
            why,
            "a notification was refused; further ones are counted, and said at most once a minute"
        );
    }

    /// Changes the queue, and wakes the uplink if there is something for it sooner than there was.
    fn change(&self, change: impl FnOnce(&mut Queue, Moment)) {
        let now = Moment {
            at: self.clock.now(),
            uptime: self.clock.uptime(),
        };
        let mut queue = self.queue();
        // Whichever session there is: one that waits for an acknowledgement has nothing due before and after.
        let session = queue.session();
        let before = queue.due(session);
        change(&mut queue, now);
        let sooner = match (before, queue.due(session)) {
            (Some(before), Some(after)) => after < before,
            (None, after) => after.is_some(),
            (Some(_), None) => false,
        };
        drop(queue);
        if sooner {
            self.arrived.notify_one();
        }
    }

    /// Returns when something is due sooner than it was when it was last asked.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// From when on there is something to be sent over this session.
    #[must_use]
    pub fn due(&self, session: u64) -> Option<Uptime> {
        self.queue().due(session)
    }

    /// What is to be sent over this session now; it counts as sent.
    #[must_use]
    pub fn next(&self, session: u64, now: Uptime) -> Option<Arc<RelayedEvents>> {
        self.queue().next(session, now)
    }

    /// The control plane has the message with this number, and does not know registries of these names.
    pub fn acknowledged(&self, number: u64, unknown: &[String]) {
        for name in self.queue().acknowledged(number, unknown) {
            tracing::warn!("{}", unknown_registry(&name));
        }
    }

    /// How things are; none if there is no listener.
    #[must_use]
    pub fn view(&self) -> Option<NotifyView> {
        let settings = self.settings.as_ref()?;
        let queue = self.queue();
        let mut warnings = Vec::new();
        let registries = settings.registries.iter().zip(queue.lines());
        let registries = registries.map(|(registry, (line, waiting))| {
            if line.is_unknown {
                warnings.push(unknown_registry(&line.name));
            }
            NotifierView {
                name: line.name.to_string(),
                sender: registry.sender.to_string(),
                received: line.counts.received,
                ignored: line.counts.ignored,
                refused: line.counts.refused,
                last_refused: line
                    .counts
                    .last_refused
                    .map(|refused| refused.as_str().to_owned()),
                last_event: line.last_event.map(|moment| moment.at),
                waiting,
            }
        });
        Some(NotifyView {
            registries: registries.collect(),
            refused_elsewhere: queue.nowhere().refused,
            on_the_way: queue.on_the_way(),
            public_url: settings.public_url.clone(),
            warnings,
        })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown_registry(name: &RegistryName) -> String {
    format!(
        "the control plane has no registry {name} for this sensor, so that nothing is done with its notifications: in [notify], give it the name that \
         `portolan registry list` shows, or assign it with `portolan registry set {name} --sensor`"
    )
}
