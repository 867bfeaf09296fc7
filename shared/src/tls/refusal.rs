//! Why a served chain was refused, in words.

use rustls::{CertificateError, OtherError};

use super::registry::ChainProblem;
use super::served_chain::{ServedCertificate, ServedChain};

/// What the library's refusal of this chain means, and one sentence about it.
pub(super) fn explain(error: &rustls::Error, chain: &ServedChain) -> (ChainProblem, String) {
    let leaf_names = || {
        chain.leaf().map_or_else(String::new, |leaf| {
            if leaf.names.is_empty() {
                format!(
                    "it names no host at all (its subject \"{}\" does not count)",
                    leaf.subject
                )
            } else {
                format!("it is made for {}", leaf.names.join(", "))
            }
        })
    };
    let until = |end: fn(&ServedCertificate) -> jiff::Timestamp| {
        chain
            .leaf()
            .map_or_else(String::new, |leaf| end(leaf).to_string())
    };
    let rustls::Error::InvalidCertificate(error) = error else {
        return (ChainProblem::Invalid, error.to_string());
    };
    match error {
        CertificateError::UnknownIssuer => (ChainProblem::Untrusted, chain.missing()),
        CertificateError::BadSignature => (
            ChainProblem::Untrusted,
            chain.end().map_or_else(String::new, |end| {
                format!(
                    "a trusted authority is named \"{}\", but it was another key that signed this: often a CA that was made anew",
                    end.issuer
                )
            }),
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            ChainProblem::Expired,
            format!(
                "it expired (the server's own is valid until {})",
                until(|leaf| leaf.not_after)
            ),
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
            ChainProblem::NotYetValid,
            format!(
                "it is not valid yet (the server's own is valid from {})",
                until(|leaf| leaf.not_before)
            ),
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            (ChainProblem::WrongName, leaf_names())
        }
        CertificateError::Other(OtherError(other))
            if matches!(other.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity)) =>
        {
            (ChainProblem::Untrusted, chain.missing())
        }
        other => (ChainProblem::Invalid, other.to_string()),
    }
}
