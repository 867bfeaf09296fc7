//! From the HTTP library's errors to ours. Their texts never leave this file: they may repeat what a server sent.

use std::error::Error as StdError;
use std::io;

use portolan_shared::tls::ChainRefused;
use rustls::{AlertDescription, InvalidMessage};

use super::limits::HEADER_BYTES;
use super::resolve::{AddressRefused, Unresolved};
use crate::error::Fault;

/// The way that a request took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    /// Whether over TLS.
    pub(super) https: bool,
    /// `HOST:PORT` of the proxy, if there is one.
    pub(super) proxy: Option<&'a str>,
}

/// What an error of the HTTP library means.
pub(super) fn fault_of(error: &reqwest::Error, way: Way<'_>) -> Fault {
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
            return away(Fault::Unresolved, way);
        }
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return of_tls(tls);
        }
        if let Some(http) = cause.downcast_ref::<hyper::Error>() {
            if http.is_parse_too_large() {
                return Fault::TooLarge {
                    bound: HEADER_BYTES as usize,
                };
            }
            if http.is_parse() && !way.https {
                // A TLS server answers a plain request with an alert, which is no HTTP.
                return Fault::TlsExpected;
            }
        }
        if let Some(http2) = cause.downcast_ref::<h2::Error>()
            && http2.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM)
        {
            return Fault::TurnedAway;
        }
        if let Some(proxy) = way.proxy
            && let Some(problem) = of_tunnel(cause)
        {
            return Fault::ProxyRefused {
                proxy: proxy.to_owned(),
                problem,
            };
        }
        if error.is_connect()
            && let Some(io) = cause.downcast_ref::<io::Error>()
            && io.get_ref().is_none()
        {
            return match io.kind() {
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::TimedOut => away(Fault::of_connection(io.kind()), way),
                kind => Fault::of_connection(kind),
            };
        }
    }
    if error.is_connect() || error.is_timeout() {
        return Fault::ConnectTimedOut;
    }
    // HTTP/2 keeps only the text of what broke the connection; a server that misses a client certificate says so after the handshake.
    if causes(error).any(|cause| {
        cause
            .to_string()
            .contains("received fatal alert: CertificateRequired")
    }) {
        return Fault::ClientCertificate {
            problem: CERTIFICATE_WANTED,
        };
    }
    Fault::Interrupted
}

/// Nobody could be connected to. Where there is a proxy, it is the proxy that is connected to: what lies behind is for the proxy to reach.
fn away(fault: Fault, way: Way<'_>) -> Fault {
    match way.proxy {
        Some(proxy) => Fault::ProxyUnreachable {
            proxy: proxy.to_owned(),
        },
        None => fault,
    }
}

const CERTIFICATE_WANTED: &str = "the server wants a client certificate";

impl Fault {
    /// Why no connection came about.
    pub(crate) fn of_connection(kind: io::ErrorKind) -> Self {
        let problem = match kind {
            io::ErrorKind::ConnectionRefused => return Self::PortClosed,
            io::ErrorKind::TimedOut => return Self::ConnectTimedOut,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => "the connection was reset",
            io::ErrorKind::HostUnreachable => "no route to the host",
            io::ErrorKind::NetworkUnreachable => "no route to the network",
            io::ErrorKind::UnexpectedEof => "the connection was closed at once",
            _ => "no connection could be made",
        };
        Self::Unreachable { problem }
    }

    /// Why a TLS handshake, or what followed it, failed.
    pub(crate) fn of_handshake(error: &io::Error) -> Self {
        if let Some(refused) = ChainRefused::find_in(error) {
            return Self::Chain(Box::new(refused.clone()));
        }
        causes(error)
            .find_map(|cause| cause.downcast_ref::<rustls::Error>())
            .map_or_else(|| Self::of_connection(error.kind()), of_tls)
    }
}

/// The error and its sources; `std::io::Error` hides what it carries behind an accessor of its own.
fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'e (dyn StdError + 'static) = *error;
        let carried = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|carried| carried as &(dyn StdError + 'static));
        carried.or_else(|| error.source())
    })
    .take(16)
}

/// The library keeps the type of what a proxy answered to itself; its text is fixed.
fn of_tunnel(cause: &(dyn StdError + 'static)) -> Option<&'static str> {
    let text = cause.to_string();
    match text.strip_prefix("tunnel error: ")? {
        "proxy authorization required" => Some(PROXY_WANTS_LOGIN),
        "unsuccessful" => Some("does not let the connection through"),
        "unexpected end of file" | "proxy response headers too long" => {
            Some("gives no answer that a proxy gives")
        }
        _ => None,
    }
}

/// What is wrong when a proxy answers 407.
pub(super) const PROXY_WANTS_LOGIN: &str = "wants a login, or another one";

fn of_tls(error: &rustls::Error) -> Fault {
    let problem = match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => return Fault::PlainHttp,
        rustls::Error::InvalidMessage(_) => "the answer is not TLS",
        rustls::Error::PeerIncompatible(_) => {
            "no TLS version or cipher suite in common (1.2 and 1.3 are spoken)"
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            return Fault::ClientCertificate {
                problem: CERTIFICATE_WANTED,
            };
        }
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::AccessDenied,
        ) => {
            return Fault::ClientCertificate {
                problem: "the server does not accept the client certificate",
            };
        }
        rustls::Error::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion,
        ) => "the server found nothing in common, or wants a client certificate",
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "the server does not know the name it was asked for by"
        }
        rustls::Error::AlertReceived(_) => "the server broke the handshake off",
        _ => "the handshake failed",
    };
    Fault::Tls { problem }
}
