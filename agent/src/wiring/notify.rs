//! The listener for push events, and the desk between it and the uplink.

use std::net::SocketAddr;
use std::sync::Arc;

use portolan_shared::process::{Clock, Rng, Tasks};

use crate::notify::{Listener, ListenerFiles, ListenerParts, NotifyDesk, NotifyError, watch_files};
use crate::policy::LivePolicy;
use crate::settings::NotifySettings;
use crate::status::{NotifierStatus, NotifyStatus};

/// What listens, and what is told of it.
pub(super) struct Notifications {
    pub(super) desk: Arc<NotifyDesk>,
    listener: Option<Listener>,
}

/// For looking at it.
pub(super) struct NotifyLook {
    desk: Arc<NotifyDesk>,
    files: Arc<ListenerFiles>,
    address: SocketAddr,
    encrypted: bool,
}

impl Notifications {
    /// Reads the files and binds the port, if the settings say so.
    pub(super) async fn build(
        settings: Option<NotifySettings>,
        policy: &Arc<LivePolicy>,
        clock: &Arc<dyn Clock>,
        rng: &Arc<dyn Rng>,
        tasks: &Tasks,
    ) -> Result<Self, NotifyError> {
        let desk = Arc::new(NotifyDesk::new(
            settings.clone(),
            Arc::clone(policy),
            Arc::clone(clock),
        ));
        let listener = match settings {
            Some(settings) => Some(
                Listener::bind(ListenerParts {
                    settings,
                    desk: Arc::clone(&desk),
                    clock: Arc::clone(clock),
                    rng: Arc::clone(rng),
                    tasks: tasks.clone(),
                })
                .await?,
            ),
            None => None,
        };
        Ok(Self { desk, listener })
    }

    /// Where it listens, if it does.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(Listener::address)
    }

    /// For looking at it, if it listens.
    pub(super) fn look(&self) -> Option<NotifyLook> {
        let listener = self.listener.as_ref()?;
        Some(NotifyLook {
            desk: Arc::clone(&self.desk),
            files: listener.files(),
            address: listener.address()?,
            encrypted: listener.is_encrypted(),
        })
    }

    /// Listens until the shutdown drains.
    pub(super) fn start(self, tasks: &Tasks) {
        let Some(listener) = self.listener else {
            return;
        };
        if let Some(address) = listener.address() {
            tracing::info!(%address, "registries can notify this sensor");
        }
        let shutdown = tasks.shutdown();
        tasks.spawn(
            "notification files",
            watch_files(listener.files(), shutdown.clone()),
        );
        tasks.spawn("notifications", listener.run(shutdown.clone()));
    }
}

impl NotifyLook {
    /// How things are, and what somebody should look at. `takes_events`: what the control plane of the open session says of itself.
    pub(super) fn status(
        &self,
        takes_events: Option<bool>,
        clock: &dyn Clock,
    ) -> Option<(NotifyStatus, Vec<String>)> {
        let view = self.desk.view()?;
        let mut warnings = self.files.warnings(clock.now());
        warnings.extend(view.warnings);
        if takes_events == Some(false) {
            warnings.push(
                "the control plane takes no push events: upgrade it; until then notifications are answered, kept up to a bound, and lead to nothing"
                    .to_owned(),
            );
        }
        let registries = view.registries.into_iter().map(|registry| NotifierStatus {
            name: registry.name,
            sender: registry.sender,
            received: registry.received,
            ignored: registry.ignored,
            refused: registry.refused,
            last_refused: registry.last_refused,
            last_event: registry.last_event,
            waiting: registry.waiting,
        });
        let status = NotifyStatus {
            listen: self.address.to_string(),
            encrypted: self.encrypted,
            public_url: view.public_url,
            registries: registries.collect(),
            refused_elsewhere: view.refused_elsewhere,
            on_the_way: view.on_the_way,
        };
        Some((status, warnings))
    }
}
