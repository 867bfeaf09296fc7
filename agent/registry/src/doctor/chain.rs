//! The certificates that were served, in a few lines for people.

use jiff::Timestamp;
use portolan_shared::tls::{ServedCertificate, ServedChain};

/// Names of a certificate that are shown.
const NAMES: usize = 8;

/// Whole days from `now` to `end`; negative once it has passed.
pub(super) fn days_left(now: Timestamp, end: Timestamp) -> i64 {
    (end.as_second() - now.as_second()).div_euclid(86_400)
}

/// Each certificate: whose it is, what it is made for, until when, by whom, and its fingerprint.
pub(super) fn lines(chain: &ServedChain, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, certificate) in chain.certificates.iter().enumerate() {
        lines.push(format!(
            "[{index}] {}, issued by {}",
            certificate.subject, certificate.issuer
        ));
        if index == 0 {
            lines.push(format!("    for {}", names(certificate)));
        }
        lines.push(format!(
            "    valid {} to {} ({} days left)",
            day(certificate.not_before),
            day(certificate.not_after),
            days_left(now, certificate.not_after)
        ));
        lines.push(format!("    sha256 {}", certificate.sha256));
    }
    if chain.more > 0 {
        lines.push(format!("and {} more certificates", chain.more));
    }
    lines
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

fn names(certificate: &ServedCertificate) -> String {
    if certificate.names.is_empty() {
        return "no name at all: a common name does not count".to_owned();
    }
    let shown: Vec<&str> = certificate.names.iter().take(NAMES).map(String::as_str).collect();
    let more = certificate.names.len().saturating_sub(NAMES) + certificate.more_names;
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Which certificate has to be given for this chain to be trusted, if that is what is missing.
pub(super) fn to_give(chain: &ServedChain) -> Option<String> {
    let end = chain.end()?;
    let what = if end.self_issued {
        format!(
            "to trust it: give the certificate with sha256 {} by --ca-file",
            end.sha256
        )
    } else {
        format!(
            "to trust it: give the certificate of \"{}\" by --ca-file",
            end.issuer
        )
    };
    Some(format!(
        "{what}, after comparing its fingerprint with the registry's administrator"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(subject: &str, issuer: &str) -> ServedCertificate {
        ServedCertificate {
            subject: subject.into(),
            issuer: issuer.into(),
            not_before: Timestamp::UNIX_EPOCH,
            not_after: Timestamp::from_second(30 * 86_400 + 5).unwrap(),
            names: vec!["r.example.com".into(); NAMES + 1],
            more_names: 2,
            sha256: format!("hash of {subject}"),
            self_issued: subject == issuer,
            issuer_is_published: false,
        }
    }

    #[test]
    fn says_what_to_compare_and_what_to_give() {
        let now = Timestamp::from_second(86_400).unwrap();
        let mut chain = ServedChain {
            certificates: vec![certificate("CN=r", "CN=inter")],
            more: 1,
        };
        let shown = lines(&chain, now).join("\n");
        assert!(
            shown.contains("valid 1970-01-01 to 1970-01-31 (29 days left)"),
            "{shown}"
        );
        assert!(shown.contains("sha256 hash of CN=r") && shown.contains("and 3 more"));
        assert!(to_give(&chain).unwrap().contains("certificate of \"CN=inter\""));
        chain.certificates.push(certificate("CN=inter", "CN=inter"));
        assert!(to_give(&chain).unwrap().contains("sha256 hash of CN=inter"));
    }

    #[test]
    fn days_are_whole_and_count_down_past_the_end() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(days_left(at(0), at(86_400 * 3 - 1)), 2);
        assert_eq!(days_left(at(10), at(0)), -1);
    }
}
