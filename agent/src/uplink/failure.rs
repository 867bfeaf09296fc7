//! Why a connection or call to the control plane failed, told apart by what may be concluded from it.

use std::io;

use jiff::Timestamp;
use portolan_proto::convert::{FieldError, Refusal};
use portolan_shared::model::{limits, printable};
use portolan_shared::tls::TrustFailure;
use tonic::Status;

use super::reconnect::Told;
use crate::keyring::KeyringError;

/// A connection or call failed. Only [`Failure::Refused`] comes from the control plane itself and may change anything.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection.
    #[error("cannot connect to {to}")]
    Unreachable {
        /// Host and port of the control plane, or of the proxy.
        to: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The proxy did not connect.
    #[error("the proxy {proxy} does not connect to {to}: {why}")]
    Proxy {
        /// The proxy.
        proxy: String,
        /// Host and port of the control plane.
        to: String,
        /// What it answered; never with a body.
        why: String,
    },
    /// It is somebody else, or its certificate is not valid now. Nothing was sent.
    #[error("{to} is not trusted")]
    Untrusted {
        /// Host and port.
        to: String,
        /// Why.
        #[source]
        source: TrustFailure,
    },
    /// The handshake failed otherwise.
    #[error("the TLS handshake with {to} failed")]
    Tls {
        /// Host and port.
        to: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The other side ended TLS with an alert. What an alert says is not reliable: the control plane must be asked.
    #[error("{to} ended the connection with a TLS alert ({alert})")]
    Alert {
        /// Host and port.
        to: String,
        /// Its name.
        alert: String,
        /// The handshake was done, so the alert came from the control plane itself, and is about this sensor's certificate.
        established: bool,
    },
    /// The other side ended TLS, and said on another connection that this sensor is in good standing.
    #[error("{to} ended the connection with a TLS alert ({alert}), although this sensor is in good standing")]
    Rejected {
        /// Host and port.
        to: String,
        /// The alert's name.
        alert: String,
    },
    /// It took too long.
    #[error("{what} took longer than {seconds} s")]
    Timeout {
        /// What.
        what: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// The connection was lost, or something in between answered.
    #[error("the connection was lost: {0}")]
    Transport(String),
    /// A message was larger than any may be, and was not read.
    #[error(
        "the control plane sent a message of more than {} bytes",
        limits::SESSION_MESSAGE_BYTES
    )]
    Oversized,
    /// The control plane broke the protocol.
    #[error("the control plane sent what it must not: {0}")]
    Protocol(String),
    /// The control plane said no.
    #[error("the control plane refused: {} ({})", .0.reason, .0.text)]
    Refused(Refusal),
    /// Something on this machine.
    #[error("{0}")]
    Local(String),
}

impl Failure {
    /// Of a call over a connection, which may have noticed a TLS alert.
    pub(super) fn of_call(status: &Status, alert: Option<&str>, to: &str) -> Self {
        match (Refusal::in_status(status), alert) {
            (Some(refusal), _) => Self::Refused(refusal),
            (None, Some(alert)) => Self::Alert {
                to: to.to_owned(),
                alert: alert.to_owned(),
                established: true,
            },
            (None, None) => Self::Transport(printable(
                &format!("{:?}: {}", status.code(), status.message()),
                256,
            )),
        }
    }

    /// The state directory cannot be used.
    pub(super) fn of_state(error: &KeyringError) -> Self {
        Self::Local(chain(error))
    }

    /// What the control plane itself said; none if it said nothing.
    #[must_use]
    pub fn told(&self) -> Option<Told> {
        match self {
            Self::Refused(refusal) => Some(Told {
                reason: refusal.reason,
                retry_after: refusal.retry_after,
            }),
            Self::Unreachable { .. }
            | Self::Proxy { .. }
            | Self::Untrusted { .. }
            | Self::Tls { .. }
            | Self::Alert { .. }
            | Self::Rejected { .. }
            | Self::Timeout { .. }
            | Self::Transport(_)
            | Self::Oversized
            | Self::Protocol(_)
            | Self::Local(_) => None,
        }
    }

    /// Whether another endpoint may do better.
    #[must_use]
    pub fn is_of_connection(&self) -> bool {
        self.told().is_none()
    }

    /// The control plane said this, in other words than those of a refusal.
    pub(super) fn refused(told: Told, text: &str) -> Self {
        Self::Refused(Refusal {
            reason: told.reason,
            retry_after: told.retry_after,
            server_time: Timestamp::UNIX_EPOCH,
            request_id: String::new(),
            text: printable(text, 256),
        })
    }

    /// This failure and what caused it, on one line.
    #[must_use]
    pub fn with_causes(&self) -> String {
        printable(&chain(self), 512)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl From<FieldError> for Failure {
    fn from(error: FieldError) -> Self {
        Self::Protocol(error.to_string())
    }
}

/// Nothing to show at the other side's door: another one is asked for first.
pub(super) fn no_certificate() -> Failure {
    Failure::Local("this sensor's certificate is lost".to_owned())
}
