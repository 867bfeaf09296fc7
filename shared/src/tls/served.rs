//! The certificates that hosts served and that were trusted: when each ends.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls_pki_types::CertificateDer;

use super::served_chain::ServedCertificate;
use crate::model::{CertificateFacts, limits};

/// Of each host the certificate that it served last; at most [`limits::CERTIFICATE_FACTS`] hosts, further ones are not remembered.
#[derive(Debug, Default)]
pub struct ServedCertificates(Mutex<Vec<Served>>);

#[derive(Debug)]
struct Served {
    der: CertificateDer<'static>,
    facts: CertificateFacts,
}

impl ServedCertificates {
    fn lock(&self) -> MutexGuard<'_, Vec<Served>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what `host` served. Cheap where that is known already, for it is called at every handshake.
    pub(super) fn remember(&self, host: &str, leaf: &CertificateDer<'_>) {
        let mut all = self.lock();
        let known = all.iter().position(|served| served.facts.host == host);
        match known {
            Some(index) if all[index].der == *leaf => return,
            None if all.len() >= limits::CERTIFICATE_FACTS => return,
            _ => {}
        }
        let described = ServedCertificate::describe(leaf);
        let served = Served {
            der: leaf.clone().into_owned(),
            facts: CertificateFacts {
                host: host.to_owned(),
                subject: described.subject,
                expires_at: described.not_after,
            },
        };
        match known {
            Some(index) => all[index] = served,
            None => all.push(served),
        }
    }

    /// What is known, the host first that was spoken to first.
    #[must_use]
    pub fn facts(&self) -> Vec<CertificateFacts> {
        self.lock().iter().map(|served| served.facts.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str) -> CertificateDer<'static> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        parameters.not_after = rcgen::date_time_ymd(2031, 1, 1);
        parameters.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn the_latest_of_each_host_up_to_the_bound() {
        let served = ServedCertificates::default();
        let (first, second) = (certificate("first"), certificate("second"));
        served.remember("a:443", &first);
        served.remember("a:443", &first);
        served.remember("b:443", &first);
        served.remember("a:443", &second);
        let facts = served.facts();
        assert_eq!(
            facts
                .iter()
                .map(|facts| (&*facts.host, &*facts.subject))
                .collect::<Vec<_>>(),
            [("a:443", "CN=second"), ("b:443", "CN=first")]
        );
        assert_eq!(facts[0].expires_at.to_string(), "2031-01-01T00:00:00Z");
        for host in 0..2 * limits::CERTIFICATE_FACTS {
            served.remember(&format!("h{host}:443"), &first);
        }
        assert_eq!(served.facts().len(), limits::CERTIFICATE_FACTS);
        served.remember("b:443", &second);
        assert_eq!(
            served.facts()[1].subject,
            "CN=second",
            "known hosts are still kept up to date"
        );
    }
}
