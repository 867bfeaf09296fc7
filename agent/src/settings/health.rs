//! Where health and metrics are served.

use std::net::SocketAddr;

use super::source::{Found, Source};

/// Health and metrics over HTTP; the unix socket in the data directory is always there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthSettings {
    /// A loopback address and port; nothing is served if none.
    pub listen: Option<SocketAddr>,
}

impl HealthSettings {
    pub(super) fn read(source: &mut Source<'_>, listen: Option<Found>) -> Self {
        let listen = source.read(listen, |text| {
            let address: SocketAddr = text
                .parse()
                .map_err(|_| "expected an address with a port, such as 127.0.0.1:9180".to_owned())?;
            if address.ip().is_loopback() {
                Ok(address)
            } else {
                Err(
                    "only a loopback address may be listened on: the agent has no authentication of its own"
                        .to_owned(),
                )
            }
        });
        Self { listen }
    }
}
