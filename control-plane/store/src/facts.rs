//! What is known of a registry beside its content, and since when.

use jiff::Timestamp;
use portolan_shared::model::{CertificateFacts, CredentialFacts, Detection, RegistryFacts};
use serde::{Deserialize, Serialize};

/// A fact, and when a sensor said so last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed<T> {
    /// The fact.
    pub fact: T,
    /// When it was observed.
    pub at: Timestamp,
}

/// What sensors found out about a registry. The parts may be of different times: a run that fails early sees less.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFacts {
    /// Which product answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection: Option<Observed<Detection>>,
    /// What is known of the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Observed<CredentialFacts>>,
    /// The certificates of the registry and the hosts it sends to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Observed<Vec<CertificateFacts>>>,
    /// Hosts beside the registry's own that its challenges name as token service, as `HOST:PORT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm_hosts: Option<Observed<Vec<String>>>,
    /// Hosts beside the registry's own that it redirects downloads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_hosts: Option<Observed<Vec<String>>>,
}

impl KnownFacts {
    /// Takes in what was observed at `at`. Of a registry that could be read this is all there is; otherwise what was known before stays
    /// beside it: when a credential ended is of use just when it lets nobody in any more.
    pub fn learn(&mut self, facts: RegistryFacts, at: Timestamp, could_be_read: bool) {
        if facts == RegistryFacts::default() {
            return;
        }
        if could_be_read {
            *self = Self::default();
        }
        let RegistryFacts {
            detection,
            credential,
            certificates,
            realm_hosts,
            storage_hosts,
        } = facts;
        self.detection = observed(detection, at).or(self.detection.take());
        self.credential = observed(credential, at).or(self.credential.take());
        self.certificates = observed(some(certificates), at).or(self.certificates.take());
        self.realm_hosts = observed(some(realm_hosts), at).or(self.realm_hosts.take());
        self.storage_hosts = observed(some(storage_hosts), at).or(self.storage_hosts.take());
    }
}

fn some<T>(all: Vec<T>) -> Option<Vec<T>> {
    Some(all).filter(|all| !all.is_empty())
}

fn observed<T>(fact: Option<T>, at: Timestamp) -> Option<Observed<T>> {
    fact.map(|fact| Observed { fact, at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::{Confidence, CredentialKind, Flavour};

    #[test]
    fn a_run_that_failed_adds_and_one_that_read_replaces() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let detection = Detection::new(Flavour::GitLab, Confidence::High, &[], None);
        let detected = RegistryFacts {
            detection: Some(detection),
            ..RegistryFacts::default()
        };
        let whole = RegistryFacts {
            credential: Some(CredentialFacts::of_kind(CredentialKind::DeployToken)),
            ..detected.clone()
        };
        let mut known = KnownFacts::default();
        known.learn(whole, at(1), true);
        known.learn(detected.clone(), at(2), false);
        assert_eq!(known.detection.as_ref().map(|seen| seen.at), Some(at(2)));
        assert_eq!(known.credential.as_ref().map(|seen| seen.at), Some(at(1)));
        let before = known.clone();
        known.learn(RegistryFacts::default(), at(3), true);
        assert_eq!(known, before, "nothing was said");
        known.learn(detected, at(4), true);
        assert_eq!((known.credential.is_some(), known.certificates), (false, None));
    }
}
