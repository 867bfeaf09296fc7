//! What of a registry ends soon, or has ended.

use jiff::Timestamp;
use portolan_shared::model::limits::EXPIRES_SOON_DAYS;
use portolan_shared::model::{CertificateFacts, CredentialFacts, Finding, FindingCode};
use portolan_store::{KnownFacts, Observed};

/// Whole days from `now` until `end`; negative once it has passed.
#[must_use]
pub fn days_left(end: Timestamp, now: Timestamp) -> i64 {
    (end.as_second() - now.as_second()).div_euclid(24 * 60 * 60)
}

/// Findings on what is known of a registry, as of `now`: a credential or certificate that has ended or ends within
/// [`EXPIRES_SOON_DAYS`].
#[must_use]
pub fn outlook(facts: &KnownFacts, now: Timestamp) -> Vec<Finding> {
    let credential = facts.credential.as_ref();
    let certificates = facts.certificates.iter().flat_map(|seen| &seen.fact);
    credential
        .and_then(|credential| of_credential(credential, now))
        .into_iter()
        .chain(certificates.filter_map(|certificate| of_certificate(certificate, now)))
        .collect()
}

fn of_credential(credential: &Observed<CredentialFacts>, now: Timestamp) -> Option<Finding> {
    let facts = &credential.fact;
    let end = facts.expires_at?;
    let owner = facts
        .owner
        .as_ref()
        .map(|owner| format!(" of {owner}"))
        .unwrap_or_default();
    let of = format!("the {}{owner}", facts.kind.as_str().replace('_', " "));
    let code = if end <= now {
        FindingCode::CredentialExpired
    } else if days_left(end, now) <= EXPIRES_SOON_DAYS {
        FindingCode::CredentialExpiresSoon
    } else {
        return None;
    };
    let seen = format!("{of} {}, as of {:.0}", when(end, now), credential.at);
    Some(Finding::new(code, &seen))
}

fn of_certificate(certificate: &CertificateFacts, now: Timestamp) -> Option<Finding> {
    let end = certificate.expires_at;
    let code = if end <= now {
        FindingCode::TlsExpired
    } else if days_left(end, now) <= EXPIRES_SOON_DAYS {
        FindingCode::CertificateExpiresSoon
    } else {
        return None;
    };
    let seen = format!("the certificate of {} {}", certificate.host, when(end, now));
    Some(Finding::new(code, &seen))
}

fn when(end: Timestamp, now: Timestamp) -> String {
    match days_left(end, now) {
        _ if end <= now => format!("ended at {end:.0}"),
        0 => format!("ends at {end:.0}, in less than a day"),
        1 => format!("ends at {end:.0}, in a day"),
        days => format!("ends at {end:.0}, in {days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::CredentialKind;

    const DAY: i64 = 24 * 60 * 60;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000_000 + seconds).unwrap()
    }

    fn known(credential_end: i64, certificate_end: i64) -> KnownFacts {
        let credential = CredentialFacts {
            expires_at: Some(at(credential_end)),
            ..CredentialFacts::of_kind(CredentialKind::DeployToken).owned_by("reader")
        };
        let certificate = CertificateFacts {
            host: "registry.example.com:443".to_owned(),
            subject: "CN=registry.example.com".to_owned(),
            expires_at: at(certificate_end),
        };
        KnownFacts {
            credential: Some(Observed {
                fact: credential,
                at: at(-DAY),
            }),
            certificates: Some(Observed {
                fact: vec![certificate],
                at: at(-DAY),
            }),
            detection: None,
            ..KnownFacts::default()
        }
    }

    fn codes(facts: &KnownFacts) -> Vec<FindingCode> {
        outlook(facts, at(0)).iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn what_ends_is_told_from_three_weeks_before() {
        use FindingCode as Code;
        let soon = EXPIRES_SOON_DAYS * DAY;
        assert_eq!(codes(&known(soon + DAY, soon + DAY)), []);
        assert_eq!(
            codes(&known(soon, soon)),
            [Code::CredentialExpiresSoon, Code::CertificateExpiresSoon]
        );
        assert_eq!(codes(&known(1, soon + DAY)), [Code::CredentialExpiresSoon]);
        assert_eq!(
            codes(&known(0, -DAY)),
            [Code::CredentialExpired, Code::TlsExpired]
        );
        assert_eq!(codes(&KnownFacts::default()), []);
    }

    #[test]
    fn days_are_whole_and_findings_say_whose_and_when() {
        assert_eq!((days_left(at(DAY), at(0)), days_left(at(DAY - 1), at(0))), (1, 0));
        assert_eq!(days_left(at(-1), at(0)), -1);
        let findings = outlook(&known(3 * DAY, 100 * DAY), at(0));
        assert_eq!(
            findings[0].seen,
            "the deploy token of reader ends at 2001-09-12T01:46:40Z, in 3 days, as of 2001-09-08T01:46:40Z"
        );
    }
}
