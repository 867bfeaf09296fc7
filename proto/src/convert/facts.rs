//! What sensors find out about registries beside their content.

use jiff::Timestamp;
use portolan_shared::model::{
    CertificateFacts, CredentialFacts, Detection, RegistryFacts, limits, printable,
};

use super::field::FieldError;
use crate::v1;

/// Facts for the wire.
#[must_use]
pub fn facts_to_wire(facts: &RegistryFacts) -> v1::RegistryFacts {
    let detection = facts.detection.as_ref().map(|detection| v1::Detection {
        flavour: detection.flavour.as_str().to_owned(),
        confidence: detection.confidence.as_str().to_owned(),
        evidence: detection.evidence.clone(),
        version: detection.version.clone().unwrap_or_default(),
    });
    let credential = facts.credential.as_ref().map(|credential| v1::CredentialFacts {
        kind: credential.kind.as_str().to_owned(),
        owner: credential.owner.clone().unwrap_or_default(),
        scopes: credential.scopes.clone(),
        expires_at_ms: credential.expires_at.map_or(0, Timestamp::as_millisecond),
    });
    let certificates = facts.certificates.iter().take(limits::CERTIFICATE_FACTS);
    v1::RegistryFacts {
        detection,
        credential,
        certificates: certificates
            .map(|certificate| v1::CertificateFacts {
                host: certificate.host.clone(),
                subject: certificate.subject.clone(),
                expires_at_ms: certificate.expires_at.as_millisecond(),
            })
            .collect(),
        realm_hosts: hosts(&facts.realm_hosts),
        storage_hosts: hosts(&facts.storage_hosts),
    }
}

/// Longest host with its port, in bytes: cut above.
const HOST_BYTES: usize = 264;

fn hosts(wire: &[String]) -> Vec<String> {
    let hosts = wire.iter().take(limits::BOUND_HOSTS);
    hosts.map(|host| printable(host, HOST_BYTES)).collect()
}

/// Facts from the wire. Texts are made printable and cut to their bounds; lists are cut to theirs.
pub fn facts(wire: &v1::RegistryFacts) -> Result<RegistryFacts, FieldError> {
    Ok(RegistryFacts {
        detection: wire.detection.as_ref().map(detection).transpose()?,
        credential: wire.credential.as_ref().map(credential).transpose()?,
        certificates: wire
            .certificates
            .iter()
            .take(limits::CERTIFICATE_FACTS)
            .map(certificate)
            .collect::<Result<_, _>>()?,
        realm_hosts: hosts(&wire.realm_hosts),
        storage_hosts: hosts(&wire.storage_hosts),
    })
}

fn detection(wire: &v1::Detection) -> Result<Detection, FieldError> {
    let flavour = wire.flavour.parse();
    let confidence = wire.confidence.parse();
    Ok(Detection::new(
        flavour.map_err(|why: String| FieldError::new("facts.detection.flavour", why))?,
        confidence.map_err(|why: String| FieldError::new("facts.detection.confidence", why))?,
        &wire.evidence,
        Some(wire.version.as_str()).filter(|version| !version.is_empty()),
    ))
}

fn credential(wire: &v1::CredentialFacts) -> Result<CredentialFacts, FieldError> {
    let kind = wire.kind.parse();
    let kind = kind.map_err(|why: String| FieldError::new("facts.credential.kind", why))?;
    let mut facts = CredentialFacts::of_kind(kind).with_scopes(wire.scopes.iter().map(String::as_str));
    if !wire.owner.is_empty() {
        facts = facts.owned_by(&wire.owner);
    }
    if wire.expires_at_ms != 0 {
        facts.expires_at = Some(moment("facts.credential.expires_at_ms", wire.expires_at_ms)?);
    }
    Ok(facts)
}

fn certificate(wire: &v1::CertificateFacts) -> Result<CertificateFacts, FieldError> {
    Ok(CertificateFacts {
        host: printable(&wire.host, limits::FINDING_BYTES),
        subject: printable(&wire.subject, limits::FINDING_BYTES),
        expires_at: moment("facts.certificates.expires_at_ms", wire.expires_at_ms)?,
    })
}

fn moment(field: &'static str, milliseconds: i64) -> Result<Timestamp, FieldError> {
    Timestamp::from_millisecond(milliseconds).map_err(|_| FieldError::new(field, "is not a time"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::{Confidence, CredentialKind, Flavour};

    #[test]
    fn facts_round_trip() {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let signs = vec!["realm path /jwt/auth".to_owned()];
        let whole = RegistryFacts {
            detection: Some(Detection::new(
                Flavour::GitLab,
                Confidence::High,
                &signs,
                Some("18.7.0-ee"),
            )),
            credential: Some(CredentialFacts {
                expires_at: Some(at),
                ..CredentialFacts::of_kind(CredentialKind::GroupAccessToken)
                    .owned_by("group_7_bot")
                    .with_scopes(["read_api"])
            }),
            certificates: vec![CertificateFacts {
                host: "registry.example.com:5050".to_owned(),
                subject: "CN=registry.example.com".to_owned(),
                expires_at: at,
            }],
            realm_hosts: vec!["gitlab.example.com:443".to_owned()],
            storage_hosts: vec!["s3.example.com:9000".to_owned(); limits::BOUND_HOSTS],
        };
        for facts in [whole, RegistryFacts::default()] {
            assert_eq!(self::facts(&facts_to_wire(&facts)), Ok(facts));
        }
    }

    #[test]
    fn bad_facts_name_their_field() {
        let mut wire = facts_to_wire(&RegistryFacts::default());
        wire.credential = Some(v1::CredentialFacts {
            kind: "magic".to_owned(),
            ..Default::default()
        });
        assert_eq!(facts(&wire).unwrap_err().field, "facts.credential.kind");
        wire.credential = None;
        wire.certificates = vec![v1::CertificateFacts {
            expires_at_ms: i64::MAX,
            ..Default::default()
        }];
        assert_eq!(
            facts(&wire).unwrap_err().field,
            "facts.certificates.expires_at_ms"
        );
    }
}
