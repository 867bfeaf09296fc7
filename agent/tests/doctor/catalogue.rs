//! Every code of the catalogue is provoked, or it stands here why not.

use std::collections::BTreeSet;

use portolan_shared::model::FindingCode;

use crate::{command, connection, content, login, products, registry, tls, visibility};

/// Codes that no examination meets: what they are about happens in runs, or cannot be brought about from outside.
const NOT_HERE: &[(FindingCode, &str)] = &[
    (
        FindingCode::Internal,
        "our own fault: there is no way to bring one about on purpose",
    ),
    (
        FindingCode::TlsUntrusted,
        "the finer codes say more; it is left for chains of which nothing can be read, which the TLS library refuses before",
    ),
    (
        FindingCode::FilterTimesUnknown,
        "filters of tags are a run's; the agent's inventory tests provoke it",
    ),
    (
        FindingCode::RepositoryTruncated,
        "no examination lists a repository to its end; the client's paging tests provoke it",
    ),
    (
        FindingCode::CredentialAwaitsSealing,
        "the control plane says it of a run that waits; its tests provoke it",
    ),
];

/// The codes that a test here provokes.
pub(crate) fn provoked() -> BTreeSet<FindingCode> {
    [
        command::CODES,
        connection::CODES,
        content::CODES,
        login::CODES,
        products::CODES,
        registry::CODES,
        tls::CODES,
        visibility::CODES,
    ]
    .into_iter()
    .flatten()
    .copied()
    .collect()
}

#[test]
fn every_code_is_provoked_or_it_is_said_why_not() {
    let provoked = provoked();
    for code in FindingCode::ALL {
        let excused = NOT_HERE.iter().any(|(excused, _)| excused == code);
        assert!(
            provoked.contains(code) != excused,
            "{code}: provoked, or excused, and not both"
        );
    }
}
