//! What a server presented, for people.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS;
use x509_parser::prelude::{FromDer as _, ParsedExtension, X509Certificate};

use crate::model::printable;

/// Certificates of a chain that are described; a server that sends more is cut off here.
const MAX_CERTIFICATES: usize = 8;
/// Names of one certificate that are described; more are counted.
const MAX_NAMES: usize = 16;
/// Bytes of a subject, an issuer or a name.
const MAX_TEXT: usize = 200;

/// One certificate as a server presented it. Every text is printable and bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedCertificate {
    /// Distinguished name of its holder.
    pub subject: String,
    /// Distinguished name of its issuer.
    pub issuer: String,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
    /// The DNS names and addresses that it is made for.
    pub names: Vec<String>,
    /// Names that were left out of `names` because there are too many.
    pub more_names: usize,
    /// SHA-256 over its DER encoding, in lower-case hexadecimal, as `openssl x509 -fingerprint -sha256` computes it.
    pub sha256: String,
    /// Whether holder and issuer are the same.
    pub self_issued: bool,
    /// Whether it says where its issuer's certificate can be fetched (RFC 5280, section 4.2.2.1: `caIssuers`). Nobody fetches it here.
    pub issuer_is_published: bool,
}

impl ServedCertificate {
    /// Describes a DER certificate; one that cannot be read keeps its fingerprint.
    #[must_use]
    pub fn describe(der: &CertificateDer<'_>) -> Self {
        let sha256 = data_encoding::HEXLOWER.encode(digest(&SHA256, der).as_ref());
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return Self {
                subject: "(unreadable)".to_owned(),
                issuer: "(unreadable)".to_owned(),
                not_before: Timestamp::UNIX_EPOCH,
                not_after: Timestamp::UNIX_EPOCH,
                names: Vec::new(),
                more_names: 0,
                sha256,
                self_issued: false,
                issuer_is_published: false,
            };
        };
        let all = names(&certificate);
        let more_names = all.len().saturating_sub(MAX_NAMES);
        let time = |seconds: i64| Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
        Self {
            subject: distinguished(&certificate.subject().to_string()),
            issuer: distinguished(&certificate.issuer().to_string()),
            not_before: time(certificate.validity().not_before.timestamp()),
            not_after: time(certificate.validity().not_after.timestamp()),
            names: all.into_iter().take(MAX_NAMES).collect(),
            more_names,
            sha256,
            self_issued: certificate.subject().as_raw() == certificate.issuer().as_raw(),
            issuer_is_published: publishes_issuer(&certificate),
        }
    }
}

fn distinguished(name: &str) -> String {
    if name.is_empty() {
        "(no name)".to_owned()
    } else {
        printable(name, MAX_TEXT)
    }
}

fn publishes_issuer(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().any(|extension| {
        matches!(extension.parsed_extension(), ParsedExtension::AuthorityInfoAccess(access)
            if access.accessdescs.iter().any(|place| place.access_method == OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS))
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternative = certificate.extensions().iter().find_map(|extension| {
        if let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() {
            Some(names)
        } else {
            None
        }
    });
    let Some(alternative) = alternative else {
        return Vec::new();
    };
    alternative
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(printable(name, MAX_TEXT)),
            GeneralName::IPAddress(bytes) => {
                let address = match bytes.len() {
                    4 => <[u8; 4]>::try_from(*bytes).ok().map(std::net::IpAddr::from),
                    16 => <[u8; 16]>::try_from(*bytes).ok().map(std::net::IpAddr::from),
                    _ => None,
                };
                address.map(|address| address.to_string())
            }
            _ => None,
        })
        .collect()
}

impl fmt::Display for ServedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "subject  {}", self.subject)?;
        writeln!(f, "issuer   {}", self.issuer)?;
        writeln!(f, "valid    {} to {}", self.not_before, self.not_after)?;
        f.write_str("names    ")?;
        if self.names.is_empty() {
            f.write_str("none")?;
        }
        for (index, name) in self.names.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name}")?;
        }
        if self.more_names > 0 {
            write!(f, " and {} more", self.more_names)?;
        }
        write!(f, "\nsha256   {}", self.sha256)
    }
}

/// The certificates that a server presented, its own first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedChain {
    /// The first of them, its own certificate first.
    pub certificates: Vec<ServedCertificate>,
    /// Certificates that were left out because there are too many.
    pub more: usize,
}

impl ServedChain {
    /// Describes what was presented.
    #[must_use]
    pub fn describe(end_entity: &CertificateDer<'_>, rest: &[CertificateDer<'_>]) -> Self {
        Self {
            certificates: std::iter::once(end_entity)
                .chain(rest)
                .take(MAX_CERTIFICATES)
                .map(ServedCertificate::describe)
                .collect(),
            more: (1 + rest.len()).saturating_sub(MAX_CERTIFICATES),
        }
    }

    /// The server's own certificate.
    #[must_use]
    pub fn leaf(&self) -> Option<&ServedCertificate> {
        self.certificates.first()
    }

    /// The last certificate that can be reached from the server's own by following issuers within what was presented. Its issuer is
    /// what trust must come from.
    #[must_use]
    pub fn end(&self) -> Option<&ServedCertificate> {
        let mut end = self.certificates.first()?;
        for _ in 0..self.certificates.len() {
            let next = self
                .certificates
                .iter()
                .find(|candidate| candidate.subject == end.issuer && candidate.sha256 != end.sha256);
            match next {
                Some(next) if !end.self_issued => end = next,
                _ => break,
            }
        }
        Some(end)
    }

    /// What is missing for a path to a trusted authority, in one sentence.
    #[must_use]
    pub fn missing(&self) -> String {
        match (self.leaf(), self.end()) {
            (Some(leaf), Some(end)) if end.self_issued && leaf == end => {
                format!(
                    "the certificate is self-signed and not among the trusted ones (sha256 {})",
                    end.sha256
                )
            }
            (_, Some(end)) if end.self_issued => {
                format!(
                    "the authority \"{}\" was presented but is not trusted (sha256 {})",
                    end.subject, end.sha256
                )
            }
            (_, Some(end)) => format!(
                "the authority \"{}\", which issued \"{}\", was neither presented nor is it trusted",
                end.issuer, end.subject
            ),
            (_, None) => "the server presented no certificate".to_owned(),
        }
    }
}

impl fmt::Display for ServedChain {
    /// Over several lines, one block a certificate.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, certificate) in self.certificates.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            let text = certificate.to_string();
            for (line, text) in text.lines().enumerate() {
                if line == 0 {
                    write!(f, "[{index}] {text}")?;
                } else {
                    write!(f, "\n    {text}")?;
                }
            }
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn certificate(subject: &str, issuer: &str) -> ServedCertificate {
        ServedCertificate {
            subject: subject.into(),
            issuer: issuer.into(),
            not_before: Timestamp::UNIX_EPOCH,
            not_after: Timestamp::UNIX_EPOCH,
            names: vec!["registry.example.com".into()],
            more_names: 2,
            sha256: format!("{subject}-hash"),
            self_issued: subject == issuer,
            issuer_is_published: false,
        }
    }

    fn chain(certificates: Vec<ServedCertificate>) -> ServedChain {
        ServedChain {
            certificates,
            more: 0,
        }
    }

    #[test]
    fn says_what_is_missing() {
        let alone = chain(vec![certificate("CN=r", "CN=inter")]);
        assert_eq!(
            alone.missing(),
            "the authority \"CN=inter\", which issued \"CN=r\", was neither presented nor is it trusted"
        );
        let whole = chain(vec![
            certificate("CN=r", "CN=inter"),
            certificate("CN=root", "CN=root"),
            certificate("CN=inter", "CN=root"),
        ]);
        assert!(
            whole
                .missing()
                .contains("\"CN=root\" was presented but is not trusted")
        );
        let own = chain(vec![certificate("CN=r", "CN=r")]);
        assert!(own.missing().contains("self-signed"));
        // Two that name each other must not turn this into an endless walk.
        let circle = chain(vec![certificate("CN=a", "CN=b"), certificate("CN=b", "CN=a")]);
        assert!(circle.missing().contains("neither presented"));
        assert!(chain(Vec::new()).missing().contains("no certificate"));
    }

    #[test]
    fn describes_a_real_certificate() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters =
            rcgen::CertificateParams::new(vec!["r.example.com".into(), "10.0.0.7".into()]).unwrap();
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, "a\u{1b}[2Jb");
        let der = parameters.self_signed(&key).unwrap().der().clone();
        let chain = ServedChain::describe(&der, &vec![der.clone(); MAX_CERTIFICATES]);
        let leaf = chain.leaf().unwrap();
        assert_eq!(leaf.names, ["r.example.com", "10.0.0.7"]);
        assert!(leaf.self_issued && leaf.not_before < leaf.not_after);
        assert_eq!((chain.certificates.len(), chain.more), (MAX_CERTIFICATES, 1));
        let text = chain.to_string();
        assert!(
            !text.contains('\u{1b}'),
            "no control character reaches a terminal"
        );
        assert!(
            text.starts_with("[0] subject") && text.contains("\n[1] subject") && text.ends_with("and 1 more")
        );
        assert!(text.contains(&leaf.sha256));
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>) {
            let served = ServedCertificate::describe(&CertificateDer::from(bytes));
            prop_assert_eq!(served.sha256.len(), 64);
        }
    }
}
