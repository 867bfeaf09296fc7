//! What an untrusted chain lacks, as far as what was presented can tell.

use super::served_chain::ServedChain;

/// Why no path leads to a trusted authority. The presented chain alone cannot prove any of these; it makes one of them likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingTrust {
    /// An issuer has the name of a product that inspects TLS. A hint: anybody can give an authority such a name.
    Inspection,
    /// The server's certificate is its own issuer.
    SelfSigned,
    /// The server presented its own certificate alone, and its issuer is likely no root: it has the name of an intermediate, or the
    /// certificate says where to fetch it, as those of roots need not. Browsers do so, which hides the mistake.
    Intermediate,
    /// The chain ends at an authority that is not trusted.
    Authority,
    /// Nothing that could be read was presented.
    Unknown,
}

/// Names by which the authorities of TLS-inspecting proxies and local scanners are known, in lower case. The list is one of well-known
/// products, not of all.
const INSPECTION: [&str; 28] = [
    "avast",
    "barracuda",
    "bitdefender",
    "blue coat",
    "bluecoat",
    "charles proxy",
    "check point",
    "checkpoint",
    "cisco umbrella",
    "do_not_trust_fiddlerroot",
    "eset ssl filter",
    "forcepoint",
    "fortigate",
    "fortinet",
    "iboss",
    "kaspersky",
    "mcafee web gateway",
    "menlo security",
    "mitmproxy",
    "netskope",
    "palo alto networks",
    "portswigger",
    "skyhigh security",
    "sophos",
    "squid",
    "untangle",
    "watchguard",
    "zscaler",
];

/// Words in the names of authorities that are not roots, in lower case.
const INTERMEDIATE: [&str; 5] = ["intermediate", "issuing", "subordinate", "sub ca", "subca"];

impl ServedChain {
    /// What is most likely missing.
    #[must_use]
    pub fn missing_trust(&self) -> MissingTrust {
        let (Some(leaf), Some(end)) = (self.leaf(), self.end()) else {
            return MissingTrust::Unknown;
        };
        let inspected = self.certificates.iter().any(|certificate| {
            let issuer = certificate.issuer.to_lowercase();
            INSPECTION.iter().any(|name| issuer.contains(name))
        });
        let issuer_is_intermediate = || {
            let issuer = end.issuer.to_lowercase();
            end.issuer_is_published || INTERMEDIATE.iter().any(|word| issuer.contains(word))
        };
        if inspected {
            MissingTrust::Inspection
        } else if leaf.self_issued {
            MissingTrust::SelfSigned
        } else if leaf == end && issuer_is_intermediate() {
            MissingTrust::Intermediate
        } else {
            MissingTrust::Authority
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::served_chain::ServedCertificate;
    use super::*;
    use jiff::Timestamp;

    fn chain(certificates: &[(&str, &str)]) -> ServedChain {
        let certificates = certificates.iter().map(|(subject, issuer)| ServedCertificate {
            subject: (*subject).to_owned(),
            issuer: (*issuer).to_owned(),
            not_before: Timestamp::UNIX_EPOCH,
            not_after: Timestamp::UNIX_EPOCH,
            names: Vec::new(),
            more_names: 0,
            sha256: (*subject).to_owned(),
            self_issued: subject == issuer,
            issuer_is_published: false,
        });
        ServedChain {
            certificates: certificates.collect(),
            more: 0,
        }
    }

    #[test]
    fn tells_the_likely_from_what_was_presented() {
        for (presented, missing) in [
            (&[("CN=r", "CN=r")][..], MissingTrust::SelfSigned),
            (&[("CN=r", "CN=Acme Root CA")], MissingTrust::Authority),
            (&[("CN=r", "CN=Acme Issuing CA 2")], MissingTrust::Intermediate),
            (&[("CN=r", "CN=Acme Intermediate")], MissingTrust::Intermediate),
            (
                &[
                    ("CN=r", "CN=Acme Issuing CA"),
                    ("CN=Acme Issuing CA", "CN=Acme Root"),
                ],
                MissingTrust::Authority,
            ),
            (
                &[("CN=r", "CN=Acme Root"), ("CN=Acme Root", "CN=Acme Root")],
                MissingTrust::Authority,
            ),
            (
                &[("CN=r", "O=Zscaler Inc., CN=Zscaler Intermediate Root CA")],
                MissingTrust::Inspection,
            ),
            (
                &[("CN=r", "CN=i"), ("CN=i", "O=FortiNet, CN=FGT60")],
                MissingTrust::Inspection,
            ),
            (&[], MissingTrust::Unknown),
        ] {
            assert_eq!(chain(presented).missing_trust(), missing, "{presented:?}");
        }
        let mut published = chain(&[("CN=r", "CN=R11")]);
        published.certificates[0].issuer_is_published = true;
        assert_eq!(
            published.missing_trust(),
            MissingTrust::Intermediate,
            "browsers would fetch it"
        );
    }
}
