//! From the HTTP library's errors to ours. Their texts never leave this file: they may repeat what a server sent.

use std::error::Error as StdError;

use portolan_shared::tls::ChainRefused;

use super::resolve::{AddressRefused, Unresolved};
use crate::error::Fault;

/// What an error of the HTTP library means.
pub(super) fn fault_of(error: &reqwest::Error) -> Fault {
    if let Some(refused) = ChainRefused::find_in(error) {
        return Fault::Chain(Box::new(refused.clone()));
    }
    for cause in causes(error) {
        if let Some(refused) = cause.downcast_ref::<AddressRefused>() {
            return Fault::Address {
                address: refused.address,
                rule: refused.refusal.rule.clone(),
            };
        }
        if cause.is::<Unresolved>() {
            return Fault::Unresolved;
        }
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return Fault::Tls {
                problem: tls_problem(tls),
            };
        }
        if error.is_connect()
            && let Some(io) = cause.downcast_ref::<std::io::Error>()
            && io.get_ref().is_none()
        {
            return Fault::Unreachable {
                problem: io_problem(io.kind()),
            };
        }
    }
    if error.is_connect() || error.is_timeout() {
        return Fault::Unreachable {
            problem: "no answer in time",
        };
    }
    // HTTP/2 keeps only the text of what broke the connection; a server that misses a client certificate says so after the handshake.
    if causes(error).any(|cause| {
        cause
            .to_string()
            .contains("received fatal alert: CertificateRequired")
    }) {
        return Fault::Tls {
            problem: CERTIFICATE_WANTED,
        };
    }
    Fault::Interrupted
}

const CERTIFICATE_WANTED: &str = "the server wants a client certificate";

/// The error and its sources; `std::io::Error` hides what it carries behind an accessor of its own.
fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'e (dyn StdError + 'static) = *error;
        let carried = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .map(|carried| carried as &(dyn StdError + 'static));
        carried.or_else(|| error.source())
    })
    .take(16)
}

fn io_problem(kind: std::io::ErrorKind) -> &'static str {
    match kind {
        std::io::ErrorKind::ConnectionRefused => "the connection was refused",
        std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::ConnectionAborted => {
            "the connection was reset"
        }
        std::io::ErrorKind::TimedOut => "no answer in time",
        std::io::ErrorKind::HostUnreachable => "no route to the host",
        std::io::ErrorKind::NetworkUnreachable => "no route to the network",
        std::io::ErrorKind::UnexpectedEof => "the connection was closed at once",
        _ => "no connection could be made",
    }
}

fn tls_problem(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidMessage(_) => "the answer is not TLS: often plain HTTP on this port",
        rustls::Error::PeerIncompatible(_) => {
            "no TLS version or cipher suite in common (1.2 and 1.3 are spoken)"
        }
        rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired) => CERTIFICATE_WANTED,
        rustls::Error::AlertReceived(
            rustls::AlertDescription::UnknownCA
            | rustls::AlertDescription::BadCertificate
            | rustls::AlertDescription::CertificateUnknown
            | rustls::AlertDescription::CertificateExpired
            | rustls::AlertDescription::AccessDenied,
        ) => "the server does not accept the client certificate",
        rustls::Error::AlertReceived(
            rustls::AlertDescription::HandshakeFailure | rustls::AlertDescription::ProtocolVersion,
        ) => "the server found nothing in common, or wants a client certificate",
        rustls::Error::AlertReceived(rustls::AlertDescription::UnrecognisedName) => {
            "the server does not know the name it was asked for by"
        }
        rustls::Error::AlertReceived(_) => "the server broke the handshake off",
        _ => "the handshake failed",
    }
}
