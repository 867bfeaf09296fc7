//! The connection that uploads share. It is apart from the session's, so that an upload never holds up a heartbeat, and lasts as long as
//! somebody uploads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use portolan_shared::tls::ControlPlaneTrust;
use tokio::sync::{Mutex, watch};

use super::channel::{Channel, Connector, Windows};
use super::endpoint::Endpoint;
use super::failure::{Failure, no_certificate};
use crate::keyring::Keyring;

/// The session that uploads belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionRef {
    pub(super) epoch: u64,
    pub(super) endpoint: Endpoint,
}

/// Makes and shares the connection.
pub(super) struct UploadLink {
    connector: Connector,
    keyring: Arc<Keyring>,
    session: watch::Receiver<Option<SessionRef>>,
    /// Counts certificates: a connection of an earlier one is not used for new calls.
    generation: AtomicU64,
    shared: Mutex<(u64, Weak<Channel>)>,
}

impl UploadLink {
    pub(super) fn new(
        connector: Connector,
        keyring: Arc<Keyring>,
        session: watch::Receiver<Option<SessionRef>>,
    ) -> Self {
        Self {
            connector,
            keyring,
            session,
            generation: AtomicU64::new(0),
            shared: Mutex::new((0, Weak::new())),
        }
    }

    pub(super) fn session(&self) -> watch::Receiver<Option<SessionRef>> {
        self.session.clone()
    }

    /// New calls make a new connection, with the certificate that is current then. Calls that run are left alone.
    pub(super) fn renew(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// The connection, made if there is none.
    pub(super) async fn channel(&self, to: &Endpoint) -> Result<Arc<Channel>, Failure> {
        let mut shared = self.shared.lock().await;
        let generation = self.generation.load(Ordering::SeqCst);
        if shared.0 == generation
            && let Some(channel) = shared.1.upgrade()
            && !channel.is_closed()
            && channel.to() == to.to_string()
        {
            return Ok(channel);
        }
        let trust = ControlPlaneTrust::Roots(self.keyring.trust().roots.clone());
        let certificate = self.keyring.certificate().ok_or_else(no_certificate)?;
        let identity = certificate.client_identity();
        let made = self
            .connector
            .connect(to, trust, Some(identity), Windows::UPLOAD)
            .await?;
        let channel = Arc::new(made);
        *shared = (generation, Arc::downgrade(&channel));
        Ok(channel)
    }

    /// The connection is broken: the next call makes another.
    pub(super) async fn broken(&self, channel: &Arc<Channel>) {
        let mut shared = self.shared.lock().await;
        if std::ptr::eq(shared.1.as_ptr(), Arc::as_ptr(channel)) {
            shared.1 = Weak::new();
        }
    }
}
