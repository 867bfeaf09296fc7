//! Runs that do not come to their end in time.

use super::entry::Entry;
use crate::model::finding::code::{FindingCode, Severity};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: FindingCode::ScheduleOverdue,
        severity: Severity::Warning,
        product: None,
        symptom: "A run that the schedule has started still waits.",
        cause: "None of the registry's sensors has taken it for a quarter of an hour: they are not connected, are shut out, or are at work on other runs.",
        cure: "See with `portolan registry show NAME` how its sensors are. It begins when one of them comes; after two days it fails.",
    },
    Entry {
        code: FindingCode::RunNotTaken,
        severity: Severity::Error,
        product: None,
        symptom: "A run waited for two days and then failed without having begun.",
        cause: "None of the registry's sensors came for it: they are not connected, are shut out, or have been at work on other runs all the while.",
        cure: "See with `portolan registry show NAME` how its sensors are, bring one of them back or give the registry another one, then run `portolan sync NAME`.",
    },
    Entry {
        code: FindingCode::RunTooLong,
        severity: Severity::Error,
        product: None,
        symptom: "A run was ended although a sensor was at work on it; what it had committed stays.",
        cause: "It took longer than the registry's runs may, from when a sensor first took it: by default a day, or a month where requests per day are bounded.",
        cure: "Let runs take longer with `portolan registry set NAME --max-run 48h`, let the registry be worked harder with --concurrency, or read less of it with --repository. If the sensor does not get on at all, see its log.",
    },
    Entry {
        code: FindingCode::EventsStopped,
        severity: Severity::Warning,
        product: None,
        symptom: "A run found changes that no push event had announced, in a registry that is read on push.",
        cause: "The registry does not send its notifications any more, sends them elsewhere or with another secret, or they do not come through; or they are configured for a part of it only.",
        cure: "Compare what `portolan registry show NAME --webhook` prints with the registry's configuration, and look there whether something was refused lately. Until events come again, the registry is read once an hour for a day, and then once a day.",
    },
    Entry {
        code: FindingCode::EventsUnused,
        severity: Severity::Info,
        product: None,
        symptom: "Push events arrive for the registry, and nothing is read when they do.",
        cause: "The registry has a schedule that is not `on-push`: events are counted, and changes are seen at its next start.",
        cure: "Have the registry read on push with `portolan registry set NAME --schedule on-push`, or take the notification out of its configuration.",
    },
    Entry {
        code: FindingCode::RegistryNeverComplete,
        severity: Severity::Warning,
        product: None,
        symptom: "What is shown of the registry is not all of it, and it is not known what is missing.",
        cause: "No run has seen everything that it should since the registry was added: something is hidden from its credential, cannot be listed, or fails each time. Or there was no run yet, and nothing starts one.",
        cure: "`portolan run show RUN` says of the last run what it could not see and why. If some of that is not meant to be seen, leave it out with `portolan registry set NAME --repository PATTERN`. If there was no run yet, start one with `portolan sync NAME`.",
    },
    Entry {
        code: FindingCode::RegistryIncomplete,
        severity: Severity::Warning,
        product: None,
        symptom: "The last run did not see everything, as earlier ones did.",
        cause: "Something of the registry was denied, failed or could not be listed to its end this time. What earlier runs saw of it is still shown.",
        cure: "`portolan run show RUN` says what the last run could not see and why.",
    },
];
