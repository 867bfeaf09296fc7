//! Getting there: names, ports, proxies.

use super::entry::Entry;
use crate::model::finding::code::{FindingCode, Severity};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: FindingCode::NameResolution,
        severity: Severity::Error,
        product: None,
        symptom: "The host name is not found.",
        cause: "The host name does not resolve on the sensor.",
        cure: "Check the spelling and the sensor's DNS.",
    },
    Entry {
        code: FindingCode::NameSingleLabel,
        severity: Severity::Error,
        product: None,
        symptom: "A host name without a dot is not found; in pipelines: 'lookup docker on ... no such host'.",
        cause: "A name without a domain, such as docker or registry, exists only in the network that gave it: it is the alias of a service in a compose file, a CI job or a cluster.",
        cure: "Give the host's full name; or run the sensor in that network, and give the service the alias there.",
    },
    Entry {
        code: FindingCode::Unreachable,
        severity: Severity::Error,
        product: None,
        symptom: "No connection comes about, or it is cut.",
        cause: "No connection to the registry could be made.",
        cure: "Check host, port and firewall between sensor and registry.",
    },
    Entry {
        code: FindingCode::PortClosed,
        severity: Severity::Error,
        product: None,
        symptom: "The connection is refused.",
        cause: "Nothing listens on this port of the host: the port is missing from the URL or wrong, or the registry is down.",
        cure: "Give the registry's port (GitLab's is often 5050, or 4567 on older installations), or start the registry.",
    },
    Entry {
        code: FindingCode::ConnectTimedOut,
        severity: Severity::Error,
        product: None,
        symptom: "The connection is neither accepted nor refused.",
        cause: "A firewall drops the packets, or the host is off.",
        cure: "Allow the sensor's machine to reach host and port.",
    },
    Entry {
        code: FindingCode::ProxyRefused,
        severity: Severity::Error,
        product: None,
        symptom: "The proxy does not let the connection through.",
        cause: "The proxy forbids the host, or wants a login.",
        cure: "Allow the host at the proxy, give the proxy's login in its URL, or name the host in NO_PROXY.",
    },
    Entry {
        code: FindingCode::ProxyUnreachable,
        severity: Severity::Error,
        product: None,
        symptom: "The proxy itself does not answer.",
        cause: "The proxy's address is wrong, or it is down.",
        cure: "Correct HTTPS_PROXY, or name the host in NO_PROXY if it needs no proxy.",
    },
];
