//! Where a control plane listens.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::StartError;
use crate::settings::Settings;

/// Where a control plane listens.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// The sensors' listener.
    pub sensors: SocketAddr,
    /// The people's listener.
    pub http: SocketAddr,
    /// The metrics listener.
    pub metrics: Option<SocketAddr>,
}

/// What it listens on, before anybody is served.
pub(super) struct Listeners {
    pub(super) sensors: TcpListener,
    pub(super) http: TcpListener,
    pub(super) http_per_source: usize,
    pub(super) metrics: Option<TcpListener>,
    pub(super) bound: Bound,
}

impl Listeners {
    /// Opens all of them, or says which cannot be.
    pub(super) async fn open(settings: &Settings) -> Result<Self, StartError> {
        let sensors = listen("sensors'", settings.sensors.listen).await?;
        let http = listen("people's", settings.http.listen).await?;
        let metrics = match settings.metrics {
            Some(address) => Some(listen("metrics", address).await?),
            None => None,
        };
        let bound = Bound {
            sensors: local("sensors'", &sensors, settings.sensors.listen)?,
            http: local("people's", &http, settings.http.listen)?,
            metrics: match (&metrics, settings.metrics) {
                (Some(listener), Some(address)) => Some(local("metrics", listener, address)?),
                _ => None,
            },
        };
        Ok(Self {
            sensors,
            http,
            http_per_source: settings.http.per_source,
            metrics,
            bound,
        })
    }
}

async fn listen(listener: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen {
            listener,
            address,
            source,
        })
}

fn local(listener: &'static str, bound: &TcpListener, address: SocketAddr) -> Result<SocketAddr, StartError> {
    bound.local_addr().map_err(|source| StartError::Listen {
        listener,
        address,
        source,
    })
}
