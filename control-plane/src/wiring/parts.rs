//! What the control plane is built from, and why it may not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use portolan_shared::process::{Clock, Rng, SystemClock, SystemRng};
use portolan_shared::tls::TrustError;
use portolan_store::StoreError;

use super::DataDirError;
use crate::ca::CaError;

/// What the world gives: tests give another one.
#[derive(Clone)]
pub struct Deps {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
}

impl Default for Deps {
    /// The machine's own.
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
        }
    }
}

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deps")
    }
}

/// Why the control plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error("the control plane cannot use its data folder")]
    DataDir(#[from] DataDirError),
    /// The database cannot be used.
    #[error("the control plane cannot use its database")]
    Store(#[from] StoreError),
    /// No certificate for the sensors' listener.
    #[error("no certificate could be made for the sensors' listener")]
    Ca(#[from] CaError),
    /// rustls refuses the configuration.
    #[error("TLS cannot be set up for the {listener} listener")]
    Tls {
        /// Which listener.
        listener: &'static str,
        /// What rustls said.
        #[source]
        source: rustls::Error,
    },
    /// A certificate or key file cannot be used.
    #[error("{} does not hold {what}", path.display())]
    TlsFile {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// An address cannot be listened on.
    #[error("the {listener} listener cannot use {address}")]
    Listen {
        /// Which listener.
        listener: &'static str,
        /// Which address.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The trust in webhooks' endpoints cannot be set up.
    #[error("the way to webhooks cannot be set up")]
    Webhooks(#[from] TrustError),
    /// The counters cannot be set up.
    #[error("the metrics cannot be set up")]
    Metrics(#[from] prometheus::Error),
}
