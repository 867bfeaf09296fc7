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
        FindingCode::RepositoryBusy,
        "no examination waits for a job; the agent's tests of turns provoke it",
    ),
];

/// Codes that the control plane gives by itself, of what it knows of runs, events and sensors: its tests provoke them.
const OF_THE_CONTROL_PLANE: &[FindingCode] = &[
    FindingCode::CredentialAwaitsSealing,
    FindingCode::RunNotTaken,
    FindingCode::RunTooLong,
    FindingCode::RunSensorLost,
    FindingCode::ScheduleBlackout,
    FindingCode::ScheduleOverdue,
    FindingCode::EventsStopped,
    FindingCode::EventsUnused,
    FindingCode::RegistryNeverComplete,
    FindingCode::RegistryIncomplete,
    FindingCode::RegistryNoSensor,
    FindingCode::RegistryChanged,
    FindingCode::RegistryPaused,
    FindingCode::SensorNotProgressing,
    FindingCode::SensorAway,
    FindingCode::SensorSuspended,
    FindingCode::SensorQuarantined,
    FindingCode::SensorContested,
    FindingCode::WebhookUndelivered,
    FindingCode::WebhookDisabled,
];

/// Whether the control plane gives a code by itself.
pub(crate) fn of_the_control_plane(code: FindingCode) -> bool {
    OF_THE_CONTROL_PLANE.contains(&code)
}

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
        let excused = NOT_HERE.iter().any(|(excused, _)| excused == code) || of_the_control_plane(*code);
        assert!(
            provoked.contains(code) != excused,
            "{code}: provoked, or excused, and not both"
        );
    }
}
